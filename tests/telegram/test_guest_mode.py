"""Guest mode: what a message that calls the bot becomes, and what its one answer says."""

import json
from typing import Any

import pytest

from bot.chats.key import ChatKey
from bot.jobs.buttons import Cancel, pack
from bot.jobs.model import GuestQuery, Job, JobKind, JobState, QueueName, guest_job_id
from bot.jobs.payloads import EditPayload
from bot.sandbox.botapi.client import Person
from bot.store.keys import guest_message_key
from bot.words import Words
from tests.telegram.test_handlers import GROUP, PRIVATE, VIDEO, Json, Received, docket, message, received

__all__ = ["docket", "received"]  # fixtures

ENGLISH = Words("en")


class Guest:
    """Somebody who calls the bot in a group where it is no member."""

    def __init__(self, received: Received, person: Person) -> None:
        self.received = received
        self.user: Json = {"id": person.id, "is_bot": False, "first_name": "Bo"}
        self.key = ChatKey(person.id)
        self.calls = 0

    async def __call__(self, words: str, *, times: int = 1, query_id: str = "", **fields: Any) -> list[Job]:
        """Call the bot; its query is known to Telegram unless it has an ID of the test's own."""
        self.calls += 1
        text = {"text": words} if words else {}
        body = {"message_id": self.calls, "date": 1, "chat": GROUP, "from": self.user, **text, **fields}
        body["guest_query_id"] = query_id or f"query-{self.calls}"
        return await self.received({"guest_message": body}, times)

    async def answers(self) -> list[Json]:
        """Return the results with which the bot has answered."""
        calls = await self.received.telegram.people.calls("answerGuestQuery", state=["ok", "error"])
        return [json.loads(call["params"]["result"]) for call in calls]

    async def said(self) -> str:
        """Return what the latest answer says."""
        text: str = (await self.answers())[-1]["input_message_content"]["message_text"]
        return text

    async def press(self, action: Cancel) -> str | None:
        """Press a button of the answer; return the toast."""
        press = {
            "id": "1",
            "from": self.user,
            "inline_message_id": "i",
            "chat_instance": "1",
            "data": pack(action),
        }
        await self.received({"callback_query": press})
        return await self.received.toast()


@pytest.fixture
async def bo(received: Received) -> Guest:
    return Guest(received, await received.telegram.people.person("Bo"))


async def test_a_request_runs_in_the_private_chat_of_whoever_asks(received: Received, bo: Guest) -> None:
    replied = {
        "message_id": 3,
        "date": 1,
        "chat": GROUP,
        "from": bo.user,
        "video": VIDEO,
        "caption": "my cat",
    }
    (job,) = await bo("@sandbox_bot make it shorter", reply_to_message=replied)
    assert (job.chat, job.requester_id, job.message_id) == (bo.key, bo.user["id"], None)
    assert (job.kind, job.queue) == (JobKind.EDIT, QueueName.MAIN)
    assert job.prompt.startswith("make it shorter")
    assert "my cat" in job.prompt
    assert [file.file_id for file in job.files] == [VIDEO["file_id"]]
    assert job.guest_query == GuestQuery("query-1", GROUP["id"])
    (answer,) = await bo.answers()
    assert answer["input_message_content"]["message_text"] == ENGLISH.plain("guest.working")
    ((button,),) = answer["reply_markup"]["inline_keyboard"]
    assert button["callback_data"] == pack(Cancel(job.id))
    assert await received.redis.ttl(guest_message_key("query-1")) > 0


async def test_words_with_a_link_or_without_a_clip(received: Received, bo: Guest) -> None:
    (linked,) = await bo("@sandbox_bot trim https://files.example.com/a.mp4 please")
    assert linked.payload_as(EditPayload).links == ("https://files.example.com/a.mp4",)
    (scratch,) = await bo("@sandbox_bot make a 1 second video of a cat")
    assert (scratch.prompt, scratch.files) == ("make a 1 second video of a cat", ())


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("@sandbox_bot", "guest.how"),
        ("@sandbox_bot cancel", "guest.how"),
        ("帮助 @sandbox_bot", "guest.how"),
        ("@sandbox_bot export", "guest.how"),
        ("@sandbox_bot 删除所有数据", "guest.how"),
        ("@sandbox_bot trim it to 2 seconds", "guest.needs_clip"),
        ("@sandbox_bot thanks!", "small_talk.thanks"),
    ],
)
async def test_what_is_no_request_is_answered_alone(
    received: Received, bo: Guest, words: str, key: str
) -> None:
    assert await bo(words) == []
    assert await bo.said() == ENGLISH.plain(key, bot="@sandbox_bot")
    assert "reply_markup" not in (await bo.answers())[-1]


async def test_a_guest_is_told_that_the_bot_is_paused(received: Received, bo: Guest) -> None:
    await received.job_queue.pause()
    (job,) = await bo("@sandbox_bot make a cat")
    assert await bo.said() == ENGLISH.plain("job.paused")
    assert pack(Cancel(job.id)) in str((await bo.answers())[-1]["reply_markup"])


@pytest.mark.parametrize("is_bots", [False, True])
async def test_a_file_that_can_not_be_used_is_refused(
    received: Received, bo: Guest, *, is_bots: bool
) -> None:
    large = {**VIDEO, "file_size": 25_000_000}
    bot = {"id": received.telegram.bot.id, "is_bot": True, "first_name": "Bot"}
    sender = bot if is_bots else bo.user
    replied = {"message_id": 3, "date": 1, "chat": GROUP, "from": sender, "video": large}
    assert await bo("@sandbox_bot shorter", reply_to_message=replied) == []
    assert await bo.said() == ENGLISH.plain("guest.file_refused")
    assert "t.me" in str((await bo.answers())[-1]["reply_markup"])


async def test_an_update_that_comes_again_asks_and_answers_once(received: Received, bo: Guest) -> None:
    (job,) = await bo("@sandbox_bot make a cat", times=3)
    assert job.id == guest_job_id("query-1")
    assert len(await bo.answers()) == 1


async def test_an_answer_that_a_process_did_not_give_any_more_is_given_later(
    received: Received, bo: Guest
) -> None:
    """The job is stored, the update was not confirmed, and so it comes again."""
    (job,) = await bo("@sandbox_bot make a cat")
    await received.redis.delete(guest_message_key("query-1"))
    assert await bo("@sandbox_bot make a cat", query_id="query-1") == []
    first, second = await bo.answers()
    assert first["reply_markup"] == second["reply_markup"]
    assert pack(Cancel(job.id)) in str(second)


@pytest.mark.parametrize(
    "sender", [{"sender_chat": GROUP}, {"from": {"id": 9, "is_bot": True, "first_name": "B"}}]
)
async def test_only_people_can_call(received: Received, bo: Guest, sender: Json) -> None:
    assert await bo("@sandbox_bot make a cat", **sender) == []
    assert await bo.said() == ENGLISH.plain("guest.no_person")


async def test_who_is_banned_is_told_once_a_day(received: Received, bo: Guest) -> None:
    await received.access.ban(bo.user["id"])
    for _ in range(2):
        assert await bo("@sandbox_bot make a cat") == []
    assert len(await bo.answers()) == 1
    assert await bo.said() == ENGLISH.plain("access.banned")


async def test_nobody_can_call_in_a_banned_group(received: Received, bo: Guest) -> None:
    await received.access.ban(GROUP["id"])
    assert await bo("@sandbox_bot make a cat") == []


async def test_between_two_people_the_other_one_is_not_meant(received: Received, bo: Guest) -> None:
    """The chat has the id of one of them there."""
    other = {**PRIVATE, "id": 77}
    await received.access.ban(77)
    (job,) = await bo("@sandbox_bot make a cat", chat=other)
    assert job.chat == bo.key


async def test_who_asked_can_stop_it_and_nobody_else(received: Received, bo: Guest) -> None:
    (job,) = await bo("@sandbox_bot make a cat")
    stranger = Guest(received, await received.telegram.people.person("Cy"))
    assert await stranger.press(Cancel(job.id)) == ENGLISH.plain("toast.not_yours")
    status = await received.job_queue.find(bo.key, job.id)
    assert status is not None
    assert status.state is JobState.QUEUED
    assert await bo.press(Cancel(job.id)) == ENGLISH.plain("toast.cancelling")
    status = await received.job_queue.find(bo.key, job.id)
    assert status is not None
    assert status.state is JobState.CANCELLED
    assert await bo.press(Cancel(job.id)) == ENGLISH.plain("toast.old_button")
    edits = await received.telegram.people.calls("editMessageText", state=["ok", "error"])
    said = [(call["params"]["inline_message_id"], call["params"]["text"]) for call in edits]
    assert said == [("i", ENGLISH.text("progress.cancelled")), ("i", ENGLISH.text("guest.see_private"))]


async def test_a_used_up_limit_is_told_there(received: Received, bo: Guest) -> None:
    for _ in range(51):
        await bo("@sandbox_bot make a cat")
    assert await bo.said() == ENGLISH.plain("error.queue_full")
    assert len(await received.job_queue.current(bo.key, QueueName.MAIN)) == 50


async def test_start_from_the_button_brings_the_video(received: Received) -> None:
    (job,) = await received(message("/start guest", PRIVATE))
    assert (job.kind, job.guest_query) == (JobKind.EXPORT, None)


async def test_an_answer_that_waits_for_the_private_chat_is_for_its_owner(
    received: Received, bo: Guest
) -> None:
    (job,) = await received(message(f"/start see_{bo.user['id']}_{guest_job_id('q')}", PRIVATE))
    assert job.kind is JobKind.PRIVATE_ANSWER
