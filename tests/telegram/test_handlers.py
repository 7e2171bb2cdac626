"""What handlers make of updates: the jobs that then lie in the store. Nobody runs them here."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import AsyncMock

import pytest
from docket import Docket
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreAway
from telegram import Update

from bot.chats.access_control import AccessControl
from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.chats.token_cipher import TokenCipher
from bot.jobs.buttons import RunSaved, pack
from bot.jobs.checkpoints import UploadUsed
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import STORED_JOB, Attachment, Job, JobKind, JobState, QueueName
from bot.jobs.payloads import CancelPayload, EditPayload, ExportPayload, ForgetPayload, MessagePayload
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.jobs.queue.operator_alerts import OperatorAlerts
from bot.jobs.queue.packed_request import unpack as unpack_job
from bot.jobs.queue.tickets import queue_id
from bot.jobs.queue.waiting_checkpoints import WaitingCheckpoints
from bot.store import keys
from bot.telegram.handlers.button_presses import ButtonPresses
from bot.telegram.handlers.handler_family import HandlerServices
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.permissions import Permissions
from bot.telegram.handlers.registration import register_handlers
from bot.telegram.reading.file_refusals import FileRefusals
from bot.telegram.receiving.application import AnyApplication, new_application
from bot.telegram.sending.group_admins import CachedGroupAdmins
from bot.telegram.sending.guest_messages import GuestMessages
from bot.telegram.sending.located_messages import LocatedMessages
from bot.telegram.sending.sent_messages import SentMessageLog
from bot.words import Words
from tests.cards import built_in_cards
from tests.jobs.conftest import docket as docket_fixture
from tests.telegram.conftest import Telegram

docket = docket_fixture

Json = dict[str, Any]

ANN: Json = {"id": 4711, "is_bot": False, "first_name": "Ann"}
GROUP: Json = {"id": -1001000000001, "type": "supergroup", "title": "Film club"}
CHANNEL: Json = {"id": -1001000000009, "type": "channel", "title": "Film news"}
OTHER_BOT: Json = {"id": 999, "is_bot": True, "first_name": "Other", "username": "other_bot"}
ANONYMOUS: Json = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
AS_CHANNEL: Json = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
TELEGRAM: Json = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
VIDEO: Json = {
    "file_id": "post-file",
    "file_unique_id": "u",
    "width": 1,
    "height": 1,
    "duration": 1,
    "file_size": 1000,
}


@dataclass
class Received:
    """Gives updates to the handlers, and returns the jobs that came of each."""

    telegram: Telegram
    redis: Redis
    application: AnyApplication
    job_queue: JobQueue
    chats: Chats
    access: AccessControl
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def __call__(self, body: Json, times: int = 1) -> list[Job]:
        before = {name async for name in self.redis.scan_iter(f"{keys.JOB}*")}
        update = Update.de_json({"update_id": next(self.numbers), **body}, self.telegram.bot)
        for _ in range(times):
            await self.application.process_update(update)
        # Which waits for the background tasks.
        await self.application.stop()
        await self.application.start()
        new = [name async for name in self.redis.scan_iter(f"{keys.JOB}*") if name not in before]
        return [unpack_job(str(await self.redis.hget(name, "request"))) for name in new]

    async def toast(self) -> str | None:
        """The text of the latest answer to a press; it has to be there."""
        calls = await self.telegram.people.calls("answerCallbackQuery")
        text: str | None = calls[-1]["params"].get("text")
        return text


def said_key(job: Job) -> str:
    message = job.payload_as(MessagePayload).message
    assert isinstance(message, LocalizedMessage)
    return message.key


@pytest.fixture
async def received(telegram: Telegram, redis: Redis, docket: Docket) -> AsyncIterator[Received]:
    bot, calls = telegram.bot, telegram.telegram_calls
    job_queue = JobQueue(redis, docket, telegram.clock)
    chats = Chats(redis, TokenCipher.open(["a" * 43 + "="], telegram.work_dir))
    application: AnyApplication = new_application(bot, telegram.telegram_ids)
    submitter = JobSubmitter(
        job_queue, chats, SentMessageLog(redis), built_in_cards(), telegram.clock, application, calls
    )
    access = AccessControl(redis, [], [], [ANN["id"]])
    services = HandlerServices(
        application=application,
        submitter=submitter,
        access=access,
        permissions=Permissions(CachedGroupAdmins(calls, redis)),
        refusals=FileRefusals(download_limit=20_000_000, upload_limit=500_000_000, send_limit=50_000_000),
        telegram_ids=telegram.telegram_ids,
        presses=ButtonPresses(submitter, LocatedMessages(calls)),
        guest_mode_messages=GuestMessages(calls, redis),
        tokens_link="https://nemovideo.example/dashboard/api-tokens",
        alerts=OperatorAlerts(redis, job_queue, chats, telegram.clock, [ANN["id"]], AsyncMock()),
        admins=[ANN["id"]],
    )
    register_handlers(services)
    await application.initialize()
    await application.start()
    yield Received(telegram, redis, application, job_queue, chats, access)
    await application.stop()


def message(text: str = "", chat: Json = GROUP, **fields: Any) -> Json:
    command = text.split()[0] if text.startswith("/") else ""
    entities = [{"type": "bot_command", "offset": 0, "length": len(command)}] if command else []
    words = {"text": text, "entities": entities} if text else {}
    return {"message": {"message_id": 7, "date": 1, "chat": chat, **words, **fields}}


@pytest.mark.parametrize(
    ("sender", "requester_id"),
    [
        pytest.param({"from": ANN}, ANN["id"], id="a person"),
        pytest.param({"from": ANONYMOUS, "sender_chat": GROUP}, GROUP["id"], id="an anonymous admin"),
        pytest.param({"from": AS_CHANNEL, "sender_chat": CHANNEL}, CHANNEL["id"], id="a channel"),
        pytest.param({"sender_chat": CHANNEL}, CHANNEL["id"], id="a channel without a stand-in user"),
        pytest.param({}, GROUP["id"], id="nobody"),
    ],
)
async def test_whoever_writes_owns_the_job(received: Received, sender: Json, requester_id: int) -> None:
    (job,) = await received(message("/edit a cat", GROUP, **sender))
    assert (job.kind, job.requester_id, job.message_id) == (JobKind.EDIT, requester_id, 7)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(message("/edit a cat", GROUP, **{"from": OTHER_BOT}), id="another bot's command"),
        pytest.param(
            message("a cat", {"id": 999, "type": "private"}, **{"from": OTHER_BOT}),
            id="another bot in private",
        ),
        pytest.param(
            message("/edit@other_bot a cat", GROUP, **{"from": ANN}), id="a command for another bot"
        ),
        pytest.param(
            message("", GROUP, caption="/edit@other_bot a cat", video=VIDEO, **{"from": ANN}),
            id="a caption for another bot",
        ),
        pytest.param(
            message(
                "/edit a cat", GROUP, is_automatic_forward=True, sender_chat=CHANNEL, **{"from": TELEGRAM}
            ),
            id="a linked channel's post",
        ),
        pytest.param(message("export", GROUP, **{"from": ANN}), id="words that happen to be a command's"),
        pytest.param(
            message("/edit a cat", {**GROUP, "is_direct_messages": True}, **{"from": ANN}),
            id="a direct message to a channel",
        ),
        pytest.param({"message": {**message()["message"], "new_chat_title": "Club"}}, id="a service message"),
        pytest.param(
            {"channel_post": message("/edit a cat", CHANNEL)["message"]}, id="a post in a channel itself"
        ),
    ],
)
async def test_what_is_not_meant_for_the_bot_is_left_alone(received: Received, said: Json) -> None:
    assert await received(said) == []


async def test_what_is_said_in_general_is_of_no_topic(received: Received) -> None:
    in_general = {"message_thread_id": 1, "is_topic_message": True}
    (job,) = await received(message("/edit a cat", GROUP, **in_general, **{"from": ANN}))
    assert job.chat.topic_id is None


async def test_edit_in_answer_to_a_channels_post_takes_its_video(received: Received, redis: Redis) -> None:
    post = message(
        "",
        GROUP,
        message_id=5,
        video=VIDEO,
        is_automatic_forward=True,
        sender_chat=CHANNEL,
        **{"from": TELEGRAM},
    )
    said = message(
        "/edit shorter", GROUP, reply_to_message=post["message"], message_thread_id=5, **{"from": ANN}
    )
    (job,) = await received(said)
    kept = await redis.hgetall(keys.job_key(str(job.chat), job.id))
    assert "post-file" in str(kept), kept
    assert job.chat.topic_id is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            {"message": {"chat": GROUP, "message_id": 5, "date": 0}, "data": "1:export:"},
            id="of a message too old",
        ),
        pytest.param({"inline_message_id": "x", "data": "1:export:"}, id="of a message elsewhere"),
        pytest.param(
            {"message": message("x", GROUP, **{"from": OTHER_BOT})["message"], "data": "9:x:"}, id="unknown"
        ),
        pytest.param({"message": message("x", GROUP, **{"from": OTHER_BOT})["message"]}, id="without data"),
    ],
)
async def test_a_press_that_leads_nowhere_is_answered(received: Received, body: Json) -> None:
    query = {"id": "42", "from": ANN, "chat_instance": "1", **body}
    assert await received({"callback_query": query}) == []
    assert await received.toast() == OLD_BUTTON


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([("to", 2), ("from", 1)], id="in order"),
        pytest.param([("from", 1), ("to", 2)], id="the other way round"),
        pytest.param([("from", 1), ("from", 1), ("to", 2), ("from", 1)], id="repeated"),
        pytest.param([("from", 1)], id="once"),
    ],
)
async def test_a_group_that_moved_goes_on_under_its_old_name(
    received: Received, redis: Redis, told: list[tuple[str, int]]
) -> None:
    old: Json = {"id": -1_000_042, "type": "group", "title": "Club"}
    new: Json = {**GROUP, "id": -1_001_000_000_042}
    ids = {1: old["id"], 2: new["id"]}
    for way, other in told:
        where = old if way == "to" else new
        await received(message("", where, **{f"migrate_{way}_chat_id": ids[other], "from": ANN}))
    (asked,) = await received(message("/edit a cat", new, **{"from": ANONYMOUS, "sender_chat": new}))
    assert (asked.chat.chat_id, asked.telegram_chat_id, asked.requester_id) == (
        old["id"],
        new["id"],
        old["id"],
    )
    body = message("x", new, **{"from": ANN})["message"]
    query = {"id": "1", "from": ANN, "chat_instance": "1", "message": body, "data": "1:status:"}
    pressed = await received({"callback_query": query})
    assert {(job.chat, job.telegram_chat_id) for job in pressed} == {(asked.chat, new["id"])}
    numbers = await redis.zrange(keys.message_numbers_key(str(new["id"])), 0, -1)
    assert numbers == ["7"]


OLD_BUTTON = Words("en").plain("toast.old_button")
NOT_YOURS = Words("en").plain("toast.not_yours")
SETTINGS_OF_ADMINS = Words("en").plain("toast.admins_only")
ADMINS_ONLY = Words("en").plain("forget.admins_only")

PRIVATE: Json = {"id": 4711, "type": "private", "first_name": "Ann"}
BO: Json = {"id": 4712, "is_bot": False, "first_name": "Bo"}
FROM_BO: Json = {"type": "user", "date": 1, "sender_user": BO}
FROM_HIDDEN: Json = {"type": "hidden_user", "date": 1, "sender_user_name": "Bo"}
FROM_CHANNEL: Json = {"type": "channel", "date": 1, "chat": CHANNEL, "message_id": 5}


@pytest.mark.parametrize("origin", [FROM_BO, FROM_HIDDEN, FROM_CHANNEL], ids=lambda origin: origin["type"])
@pytest.mark.parametrize(
    "said",
    [
        "/forget",
        "/cancel",
        "/new",
        "export",
        "/what",
    ],
)
async def test_a_forwarded_order_of_somebody_else_is_not_obeyed(
    received: Received, said: str, origin: Json
) -> None:
    (job,) = await received(message(said, PRIVATE, forward_origin=origin, **{"from": ANN}))
    assert (job.kind, said_key(job)) == (JobKind.MESSAGE, "error.forwarded_order")
    # Nor is it in a group, where it is for anybody and nothing is said.
    in_group = message(said, GROUP, forward_origin=origin, **{"from": ANN})
    assert await received(in_group) == []


async def test_ones_own_forwarded_command_is_obeyed(received: Received) -> None:
    own = {"type": "user", "date": 1, "sender_user": ANN}
    (job,) = await received(message("/new", PRIVATE, forward_origin=own, **{"from": ANN}))
    assert job.kind is JobKind.NEW


@pytest.mark.parametrize("said", [".", "/", "…", "!!!", "\u200b", "\u3164", "^_^ :"])
async def test_a_message_that_says_nothing_costs_nothing(received: Received, said: str) -> None:
    (job,) = await received(message(said, PRIVATE, entities=[], **{"from": ANN}))
    assert job.kind is not JobKind.EDIT
    (stored,) = await received(message("", PRIVATE, message_id=8, video=VIDEO, caption=said, **{"from": ANN}))
    assert (await received.job_queue.gathered(stored)).job.prompt == ""


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("@sandbox_bot delete all my data", "forget"),
        ("@sandbox_bot 退出登录", JobKind.LOGOUT),
        ("/edit delete all my data", "forget"),
        ("/edit@sandbox_bot credits", JobKind.CREDITS),
        ("/edit export", JobKind.EXPORT),
        ("/edit取消", "job.nothing_to_cancel"),
        ("/new cancel", JobKind.NEW),
    ],
)
async def test_what_the_bot_does_itself_is_understood_behind_a_mention_and_behind_edit(
    received: Received, said: str, kind: str
) -> None:
    (job,) = await received(message(said, GROUP, entities=[], **{"from": ANN}))
    done = said_key(job) if job.kind is JobKind.MESSAGE else job.kind
    assert done.startswith(kind)


@pytest.mark.parametrize("said", ["credits", "help", "取消", "delete all my data", "/edit status"])
async def test_words_for_the_bot_beside_a_file_are_none_for_the_agent(received: Received, said: str) -> None:
    (job,) = await received(message("", PRIVATE, video=VIDEO, caption=said, **{"from": ANN}))
    assert (job.kind, (await received.job_queue.gathered(job)).job.prompt) == (JobKind.EDIT, "")


@pytest.mark.parametrize("said", ["here it is", "给你", "ok", "2"])
async def test_a_caption_that_only_hands_the_file_over_asks_for_nothing(
    received: Received, said: str
) -> None:
    (job,) = await received(message("", PRIVATE, video=VIDEO, caption=said, **{"from": ANN}))
    assert (await received.job_queue.gathered(job)).job.prompt == ""
    clip = message("", GROUP, video=VIDEO, **{"from": ANN})["message"]
    (job,) = await received(
        message(f"/edit {said}", GROUP, message_id=8, reply_to_message=clip, **{"from": ANN})
    )
    is_choice = said in ("ok", "2")
    assert (await received.job_queue.gathered(job)).job.prompt == (said if is_choice else "")


@pytest.mark.parametrize(
    ("said", "is_about_words", "kind"),
    [
        ("yes", False, JobKind.MESSAGE),
        ("yes https://samples.example.com/a.mp4", False, JobKind.EDIT),
        ("yes", True, JobKind.EDIT),
    ],
)
async def test_a_bare_answer_is_for_the_agent_if_there_is_more_to_it(
    received: Received, said: str, is_about_words: bool, kind: JobKind
) -> None:
    asked = {"message_id": 3, "date": 1, "chat": PRIVATE, "from": ANN, "text": "make it vertical?"}
    about = {"reply_to_message": asked} if is_about_words else {}
    (job,) = await received(message(said, PRIVATE, **{"from": ANN}, **about))
    assert job.kind is kind


async def test_what_an_export_should_be_counts_behind_the_command_too(received: Received) -> None:
    (job,) = await received(message("/export 4K mov", PRIVATE, **{"from": ANN}))
    assert (job.kind, job.payload) == (JobKind.EXPORT, ExportPayload(output=("4k", "mov")))


@pytest.mark.parametrize("said", ["\\credits", "、credits", "/ credits"])
async def test_a_command_may_begin_with_what_is_on_the_slashs_key(received: Received, said: str) -> None:
    (job,) = await received(message(said, PRIVATE, entities=[], **{"from": ANN}))
    assert job.kind is JobKind.CREDITS


@pytest.mark.parametrize(
    "answered",
    [
        {"contact": {"phone_number": "1", "first_name": "Bo"}},
        {"location": {"longitude": 1, "latitude": 1}},
        {"dice": {"emoji": "🎲", "value": 3}},
    ],
    ids=lambda answered: next(iter(answered)),
)
@pytest.mark.parametrize("is_elsewhere", [False, True])
async def test_a_request_about_what_is_no_material_says_so(
    received: Received, answered: Json, *, is_elsewhere: bool
) -> None:
    body = {"message_id": 3, "date": 1, "chat": PRIVATE, "from": ANN, **answered}
    origin = {"type": "user", "date": 1, "sender_user": BO}
    about = {"external_reply": {"origin": origin, **answered}} if is_elsewhere else {"reply_to_message": body}
    (job,) = await received(message("make a video of this", PRIVATE, **{"from": ANN}, **about))
    assert (job.kind, said_key(job)) == (JobKind.MESSAGE, "error.unsupported")


LINK = "https://samples.example.com/beach.mp4"


@pytest.mark.parametrize("said", ["download", "Thanks", "我的视频"])
@pytest.mark.parametrize("is_hidden", [True, False])
async def test_words_with_a_link_are_a_request_and_no_action(
    received: Received, said: str, *, is_hidden: bool
) -> None:
    entities = [{"type": "text_link", "offset": 0, "length": len(said), "url": LINK}]
    sent = (said, {"entities": entities}) if is_hidden else (f"{said} {LINK}", {})
    (stored,) = await received(message(sent[0], PRIVATE, **{"from": ANN}, **sent[1]))
    job = (await received.job_queue.gathered(stored)).job
    assert (job.kind, job.payload_as(EditPayload).links) == (JobKind.EDIT, (LINK,))


def edited(text: str, **fields: Any) -> Json:
    """An edit of the message that :func:`message` makes; without a date if Telegram only tells of a reaction."""
    body = message(text, GROUP, **{"from": ANN, "edit_date": 60, **fields})
    return {"edited_message": body["message"]}


@pytest.mark.parametrize(
    "seen", ["a cat on a roof", "/edit", "/credits", "/edit@other_bot a cat on a roof", None]
)
@pytest.mark.parametrize("said", ["@{bot}把猫放到屋顶上", "/edit把猫放到屋顶上"])
async def test_an_added_mention_or_command_makes_a_request(
    received: Received, seen: str | None, said: str
) -> None:
    if seen is not None:
        await received(message(seen, GROUP, **{"from": ANN}))
    body = edited(said.format(bot=received.telegram.bot.username))
    (job,) = await received(body)
    assert (job.kind, (await received.job_queue.gathered(job)).job.prompt) == (JobKind.EDIT, "把猫放到屋顶上")
    assert await received(body) == []


async def test_an_edit_may_only_add_a_link_behind_words(received: Received) -> None:
    (stored,) = await received(message("cut this", PRIVATE, **{"from": ANN}))
    link = {"type": "text_link", "offset": 4, "length": 4, "url": LINK}
    body = message("cut this", PRIVATE, **{"from": ANN, "edit_date": 60, "entities": [link]})
    await received({"edited_message": body["message"]})
    job = (await received.job_queue.gathered(stored)).job
    assert (job.prompt, job.payload_as(EditPayload).links) == ("cut this", (LINK,))


async def test_an_added_command_in_a_caption_makes_a_request_with_its_file(received: Received) -> None:
    await received(message("", GROUP, caption="the beach", video=VIDEO, **{"from": ANN}))
    (job,) = await received(edited("", caption="/edit剪短", video=VIDEO))
    gathered = (await received.job_queue.gathered(job)).job
    assert (gathered.prompt, [file.file_id for file in gathered.files]) == ("剪短", ["post-file"])


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(edited("/credits"), id="nothing has changed"),
        pytest.param(edited("/edit a cat", edit_date=None), id="no edit of a person"),
        pytest.param(edited("/edit a cat", edit_date=1 + 86_401), id="an old message"),
        pytest.param(edited("/edit@other_bot a cat"), id="for another bot"),
        pytest.param(edited("a cat"), id="for nobody"),
        pytest.param(edited("/edit a cat", **{"from": OTHER_BOT}), id="by another bot"),
    ],
)
async def test_no_other_edit_makes_a_request(received: Received, edit: Json) -> None:
    await received(message("/credits", GROUP, **{"from": ANN}))
    assert await received(edit) == []


async def test_a_saved_request_runs_once_however_often_its_button_is_pressed(received: Received) -> None:
    (held,) = await received(message("a cat", PRIVATE, **{"from": ANN}))
    (job,) = await received(press(pack(RunSaved(held.id)), ANN, PRIVATE))
    assert (job.kind, job.prompt) == (JobKind.EDIT, "a cat")
    assert await received(press(pack(RunSaved(held.id)), ANN, PRIVATE)) == []
    assert await received.toast() == Words("en").plain("toast.sent_already")


async def test_a_request_that_has_its_upload_from_the_browser_is_not_sent_twice(received: Received) -> None:
    (held,) = await received(message("a cat", PRIVATE, **{"from": ANN}))
    await WaitingCheckpoints(received.job_queue, held).save(UploadUsed())
    assert await received(press(pack(RunSaved(held.id)), ANN, PRIVATE)) == []
    assert await received.toast() == Words("en").plain("toast.sent_already")


@pytest.mark.parametrize("text", ["/credits", "thanks"])
async def test_an_edit_that_changes_no_words_is_no_second_message(received: Received, text: str) -> None:
    said = message(text, PRIVATE, **{"from": ANN})
    assert len(await received(said)) == 1
    assert await received({"edited_message": {**said["message"], "edit_date": 60}}) == []


async def test_a_command_that_was_added_later_does_not_run(received: Received) -> None:
    await received(message("hello", GROUP, message_id=8, **{"from": ANN}))
    (job,) = await received(edited(f"/new@{received.telegram.bot.username}", message_id=8))
    assert said_key(job) == "edited.command"


@pytest.mark.parametrize("said", ["a cat on a roof", "/edit a cat on a roof"])
async def test_a_forwarded_prompt_is_only_offered(received: Received, said: str) -> None:
    (stored,) = await received(message(said, PRIVATE, forward_origin=FROM_BO, **{"from": ANN}))
    job = (await received.job_queue.gathered(stored)).job
    words = job.payload_as(EditPayload).text_not_asked_for  # The agent needs no command.
    assert (job.kind, job.prompt, words) == (JobKind.EDIT, "", "a cat on a roof")


def of_forwarded_album(number: int, chat: Json, **fields: Any) -> Json:
    """A video of an album that Ann forwards."""
    video = {**VIDEO, "file_id": f"file-{number}", "file_unique_id": f"u{number}"}
    album = {"media_group_id": "album", "forward_origin": FROM_BO, "video": video}
    return message("", chat, message_id=number, **{"from": ANN}, **album, **fields)


async def test_a_request_is_acknowledged_once_before_a_worker_has_it(received: Received) -> None:
    await received(of_forwarded_album(2, PRIVATE, caption="Look"), times=2)
    await received(of_forwarded_album(3, PRIVATE))  # It joins.
    await received(message("/credits", PRIVATE, message_id=4, **{"from": ANN}))
    reactions = await received.telegram.people.calls("setMessageReaction")
    assert [int(call["params"]["message_id"]) for call in reactions] == [2]


@pytest.mark.parametrize("chat", [PRIVATE, GROUP], ids=lambda chat: chat["type"])
async def test_a_forwarded_album_belongs_to_the_comment_above_it(received: Received, chat: Json) -> None:
    comment = message(f"@{received.telegram.bot.username} 加标题", chat, message_id=1, **{"from": ANN})
    jobs = [
        *await received(comment),
        *await received(of_forwarded_album(2, chat, caption="Big sale! https://shop.example.com/a.mp4")),
        *await received(of_forwarded_album(3, chat)),
    ]
    gathered = [(await received.job_queue.gathered(job)).job for job in jobs if job.kind is JobKind.EDIT]
    (job,) = [job for job in gathered if job.prompt]
    assert (job.prompt, [file.file_id for file in job.files]) == ("加标题", ["file-2", "file-3"])
    assert job.payload_as(EditPayload).links == ()


def press(data: str, sender: Json, chat: Json = GROUP) -> Json:
    shown = {"message_id": 9, "date": 1, "chat": chat, "text": "shown", "from": {**OTHER_BOT, "id": 1}}
    return {
        "callback_query": {"id": "q", "from": sender, "chat_instance": "c", "data": data, "message": shown}
    }


@pytest.mark.parametrize("is_bot_there", [True, False])
async def test_the_admins_of_a_channel_press_its_buttons_if_telegram_lists_them(
    received: Received, *, is_bot_there: bool
) -> None:
    ada, cy = [await received.telegram.people.person(name) for name in ("Ada", "Cy")]
    news = await received.telegram.people.new_chat(
        "channel", "News", ada, bot="administrator" if is_bot_there else ""
    )
    channel = {"id": news.id, "type": "channel", "title": "News"}
    (prompt,) = await received(message("/edit a cat", GROUP, **{"from": AS_CHANNEL, "sender_chat": channel}))
    for presser in (cy, ada):
        await received(press(f"1:cancel:{prompt.id}", {"id": presser.id, "is_bot": False, "first_name": "A"}))
        may = is_bot_there and presser is ada
        assert await received.toast() == Words("en").plain(
            "toast.cancelling" if may else "toast.not_channels"
        )


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param({"code": 429, "description": "Too Many Requests", "retry_after": 60}, id="later"),
        pytest.param({"code": 403, "description": "Forbidden: bot was kicked"}, id="refused"),
        pytest.param({"code": 400, "description": "Bad Request: chat not found"}, id="no such chat"),
        pytest.param({"code": 502, "description": "Bad Gateway"}, id="away"),
    ],
)
@pytest.mark.parametrize("action", ["cancel", "retry", "set", "language", "skill", "forget"])
async def test_nobody_is_an_admin_while_telegram_does_not_say_who_is(
    received: Received, action: str, refusal: Json
) -> None:
    (prompt,) = await received(message("/edit a cat", GROUP, **{"from": ANN}))
    chat = ChatKey(GROUP["id"])
    before = await received.chats.get(chat)
    await received.telegram.people.faults.error("getChatAdministrators", times=None, **refusal)
    value = {
        "cancel": prompt.id,
        "retry": prompt.id,
        "set": "0:auto_export",
        "language": "zh",
        "skill": "0" * 12,
    }
    assert await received(press(f"1:{action}:{value.get(action, '')}", BO)) == []
    told = {"cancel": NOT_YOURS, "retry": NOT_YOURS, "forget": ADMINS_ONLY}
    assert await received.toast() == told.get(action, SETTINGS_OF_ADMINS)
    assert await received.chats.get(chat) == before
    status = await received.job_queue.find(chat, prompt.id)
    assert status
    assert status.state is JobState.QUEUED
    assert await received.telegram.people.calls("getChatAdministrators")
    assert not await received.telegram.people.calls("editMessageText", "editMessageReplyMarkup")


async def test_a_setting_is_saved_without_a_job(received: Received) -> None:
    assert await received(press("1:set:0:auto_export", ANN, PRIVATE), times=2) == []
    assert await received.toast() == "Saved"
    assert not (await received.chats.get(ChatKey(PRIVATE["id"]))).auto_export


async def test_an_update_with_a_press_that_comes_twice_asks_once(received: Received) -> None:
    (job,) = await received(press("1:status", ANN, PRIVATE), times=2)
    assert job.kind is JobKind.STATUS
    (job,) = await received(press("1:next:calm_music", ANN, PRIVATE), times=2)
    assert job.kind is JobKind.EDIT


async def test_cancel_stops_ones_own_request_and_not_the_one_before_it(received: Received) -> None:
    await received(message("/edit a cat", GROUP, **{"from": ANN}))
    (own,) = await received(message("/edit a dog", GROUP, message_id=8, **{"from": BO}))
    (cancel,) = await received(message("/cancel", GROUP, message_id=9, **{"from": BO}))
    assert cancel.payload == CancelPayload(job_id=own.id)


async def test_cancel_that_comes_twice_stops_one_job(received: Received) -> None:
    waiting = [(await received(message("/new", PRIVATE, **{"from": ANN})))[0] for _ in range(3)]
    (job,) = await received(message("/cancel", PRIVATE, **{"from": ANN}), times=2)
    assert (job.kind, job.payload) == (JobKind.CANCEL, CancelPayload(job_id=waiting[0].id))
    left = await received.job_queue.current(waiting[0].chat, QueueName.MAIN)
    assert left == [one.id for one in waiting[1:]]


@pytest.mark.parametrize("fails_after", [0, 1, 2])
async def test_erasing_stops_all_that_was_asked_before_though_the_store_goes_away_in_between(
    received: Received, monkeypatch: pytest.MonkeyPatch, fails_after: int
) -> None:
    chat, job_queue = ChatKey(PRIVATE["id"]), received.job_queue
    earlier = [(await received(message("/new", PRIVATE, **{"from": ANN})))[0] for _ in range(3)]
    cancel, cancelled = job_queue.cancel, itertools.count()

    async def fails(*given: Any) -> Any:
        if next(cancelled) == fails_after:
            raise StoreAway
        return await cancel(*given)

    monkeypatch.setattr(job_queue, "cancel", fails)
    body = {"update_id": 1000, **press("1:forget:", ANN, PRIVATE)}
    with pytest.raises(StoreAway):
        await received.application.process_update(Update.de_json(body, received.telegram.bot))
    monkeypatch.undo()
    await received.application.process_update(Update.de_json(body, received.telegram.bot))
    (left,) = await job_queue.current(chat, QueueName.MAIN)
    assert left not in [job.id for job in earlier]


async def test_erasing_stops_the_last_request_first_and_can_be_asked_for_again(
    received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat, job_queue = ChatKey(PRIVATE["id"]), received.job_queue
    earlier = [(await received(message("/new", PRIVATE, **{"from": ANN})))[0].id for _ in range(2)]
    cancel = AsyncMock(wraps=job_queue.cancel)
    with monkeypatch.context() as watching:
        watching.setattr(job_queue, "cancel", cancel)
        (erase,) = await received(press("1:forget", ANN, PRIVATE))
    # Otherwise the next one would begin meanwhile.
    assert [call.args[2] for call in cancel.await_args_list] == earlier[::-1]
    await job_queue.cancel(chat, QueueName.MAIN, erase.id)
    (again,) = await received(press("1:forget", ANN, PRIVATE))
    assert again.kind is JobKind.FORGET


async def test_erasing_stops_all_that_was_asked_before_and_nothing_that_came_later(
    received: Received,
) -> None:
    chat, job_queue = ChatKey(PRIVATE["id"]), received.job_queue
    earlier = [(await received(message("/new", PRIVATE, **{"from": ANN})))[0] for _ in range(3)]
    running = await job_queue.claim(queue_id(chat, QueueName.MAIN), "ticket")
    assert running
    (erase,) = await received(press("1:forget", ANN, PRIVATE))
    assert erase.kind is JobKind.FORGET
    assert await received.toast() == Words("en").plain("toast.forgetting")
    (later,) = await received(message("/new", PRIVATE, **{"from": ANN}))
    assert await received(press("1:forget", ANN, PRIVATE)) == []
    assert await job_queue.current(chat, QueueName.MAIN) == [earlier[0].id, erase.id, later.id]
    assert await job_queue.save(running, {"any": 1}) == 2  # asked to stop
    await job_queue.finish(running, JobState.CANCELLED)
    begun = await job_queue.claim(queue_id(chat, QueueName.MAIN), "next")
    assert begun
    assert begun.job.id == erase.id
    await received(press("1:forget", ANN, PRIVATE))
    status = await job_queue.find(chat, later.id)
    assert status
    assert status.state is JobState.QUEUED


@pytest.mark.parametrize(
    "words", [{"text": "/login@other_bot nmv_tokenofmine"}, {"caption": "/x@other_bot nmv_tokenofmine"}]
)
async def test_a_token_in_a_command_for_another_bot_is_deleted(received: Received, words: Json) -> None:
    said = message("", GROUP, video=VIDEO, **{"from": ANN})
    said["message"].update(words)
    (job,) = await received(said)
    assert job.kind is JobKind.DELETE_TOKEN
    assert "nmv_" not in STORED_JOB.dump_json(job).decode()
    assert [call["params"]["message_id"] for call in await received.telegram.people.calls("deleteMessage")]


async def test_all_that_is_wrong_with_a_message_is_said_at_once(received: Received) -> None:
    photo = {"file_id": "photo", "file_unique_id": "p", "width": 40, "height": 30}
    caption = "/status http://192.168.0.1/clip.mp4 trim the clip"
    (job,) = await received(message("", PRIVATE, caption=caption, photo=[photo], **{"from": ANN}))
    refusal = job.payload_as(MessagePayload).message
    assert isinstance(refusal, ListMessage)
    said = [line.key for line in (refusal.heading, *refusal.lines)]
    assert said == ["link.private_address", "error.command_in_caption"]


async def test_a_full_queue_keeps_no_token_in_the_chat_and_no_job_from_being_stopped(
    received: Received,
) -> None:
    (running,) = await received(message("/new", PRIVATE, **{"from": ANN}))
    for number in range(50):
        body = {"update_id": 1000 + number, **message("/credits", PRIVATE, **{"from": ANN})}
        await received.application.process_update(Update.de_json(body, received.telegram.bot))
    jobs = await received(message("nmv_tokenofmine", PRIVATE, **{"from": ANN}))
    assert {job.kind for job in jobs} == {JobKind.DELETE_TOKEN, JobKind.LOGIN}
    (job,) = await received(message("/cancel", PRIVATE, **{"from": ANN}))
    assert job.payload == CancelPayload(job_id=running.id)
    # Erasing the chat stops the questions, but not what deletes a token.
    (erase,) = await received(press("1:forget:", ANN, PRIVATE))
    [hidden] = [job.id for job in jobs if job.kind is JobKind.DELETE_TOKEN]
    assert len(erase.payload_as(ForgetPayload).quick_job_ids) == 51
    assert hidden not in erase.payload_as(ForgetPayload).quick_job_ids


@pytest.mark.parametrize("refused", [1, 2])
async def test_a_token_is_deleted_though_there_is_room_for_nothing_else(
    received: Received, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    enqueue, calls = received.job_queue.enqueue, itertools.count()

    async def is_full(*given: Any, **also: Any) -> Any:
        if next(calls) < refused:
            raise QueueFull
        return await enqueue(*given, **also)

    monkeypatch.setattr(received.job_queue, "enqueue", is_full)
    jobs = await received(message("nmv_tokenofmine", PRIVATE, **{"from": ANN}))
    assert JobKind.DELETE_TOKEN in {job.kind for job in jobs}


async def test_a_reply_to_the_bots_own_video_needs_no_upload_however_large_it_is(
    received: Received, redis: Redis
) -> None:
    ours: Json = {
        "id": received.telegram.bot.id,
        "is_bot": True,
        "first_name": "Bot",
        "username": received.telegram.bot.username,
    }
    video = {**VIDEO, "file_size": 30_000_000}
    result = message("", PRIVATE, message_id=5, video=video, **{"from": ours})["message"]
    (job,) = await received(message("shorter", PRIVATE, reply_to_message=result, **{"from": ANN}))
    assert job.kind is JobKind.EDIT
    files: tuple[Attachment, ...] = (await received.job_queue.gathered(job)).job.files
    assert [(file.name, file.is_result) for file in files] == [("video_5.mp4", True)]
    # That of somebody else would have to be fetched.
    theirs = {**result, "from": ANN}
    (job,) = await received(message("shorter", PRIVATE, reply_to_message=theirs, **{"from": ANN}))
    assert job.kind is JobKind.MESSAGE


async def test_an_admin_turns_alerts_off_and_on_for_themselves(received: Received) -> None:
    for said, key in (
        ("/alerts", "alerts_on"),
        ("/alerts off", "alerts_off"),
        ("/alerts", "alerts_off"),
        ("/alerts ON", "alerts_on"),
    ):
        (job,) = await received(message(said, PRIVATE, **{"from": ANN}))
        assert said_key(job) == f"admin.{key}"


@pytest.mark.parametrize("said", ["/announce Send me your tokens", "/pause", "/ban 4711", "/stats"])
async def test_a_forwarded_order_of_somebody_else_is_not_obeyed_for_an_admin_either(
    received: Received, said: str
) -> None:
    (job,) = await received(message(said, PRIVATE, forward_origin=FROM_BO, **{"from": ANN}))
    assert (job.kind, said_key(job)) == (JobKind.MESSAGE, "error.forwarded_order")
    (job,) = await received(message("/stats", PRIVATE, **{"from": ANN}))
    assert job.kind is JobKind.STATS
