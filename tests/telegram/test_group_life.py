"""Groups: the introduction, who may change the settings, and who may begin a new project."""

import inspect
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock

import pytest
from telegram import ChatMemberAdministrator, User

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.chats.project_list import ListedProject, project_mark
from bot.jobs.buttons import Retry, RunEdited, RunSaved, pack
from bot.jobs.checkpoints import FILES, AgentAnswered, Uploaded
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import JobKind, JobState, message_job
from bot.jobs.payloads import EditPayload, MessagePayload, NewPayload, OpenProjectPayload
from bot.jobs.queue.tickets import queue_id
from bot.jobs.queue.waiting_checkpoints import WaitingCheckpoints
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.receiving.receiver import UpdateReceiver
from bot.words import Words
from tests.telegram.test_forged_presses import stored
from tests.telegram.test_handlers import (
    ANN,
    OLD_BUTTON,
    PRIVATE,
    SETTINGS_OF_ADMINS,
    VIDEO,
    Json,
    Received,
    docket,
    message,
    press,
    received,
    said_key,
)

__all__ = ["docket", "received"]  # fixtures

ADMIN_RIGHTS = [
    name
    for name, parameter in inspect.signature(ChatMemberAdministrator).parameters.items()
    if parameter.default is inspect.Parameter.empty and name not in ("user", "api_kwargs")
]
KEY = ChatKey(-1001000000001)


async def club(received: Received) -> tuple[Json, Json, Json, Json]:
    """Return a group with its creator and two members."""
    people = received.telegram.people
    ann, bo, cy = [await people.person(name) for name in ("Ann", "Bo", "Cy")]
    group = await people.new_chat("supergroup", "Club", ann, bo, cy)
    return {"id": group.id, "type": "supergroup", "title": "Club"}, ann.json, bo.json, cy.json


def joined(
    received: Received, *, before: str = "left", now: str = "member", kind: str = "supergroup"
) -> Json:
    bot = {"id": received.telegram.bot.id, "is_bot": True, "first_name": "Bot"}

    def member(status: str) -> Json:
        return {
            "status": status,
            "user": bot,
            **dict.fromkeys(ADMIN_RIGHTS if status == "administrator" else (), False),
        }

    change = {
        "chat": {"id": KEY.chat_id, "type": kind, "title": "Club"},
        "from": ANN,
        "date": 1,
        "old_chat_member": member(before),
        "new_chat_member": member(now),
    }
    return {"my_chat_member": change}


def said(payload: Any) -> str:
    assert isinstance(payload, MessagePayload)
    message = payload.message.heading if isinstance(payload.message, ListMessage) else payload.message
    return message.key


async def test_a_group_is_told_once_how_to_use_the_bot(received: Received) -> None:
    (hello,) = await received(joined(received))
    assert (hello.chat, hello.kind, hello.message_id) == (KEY, JobKind.MESSAGE, None)
    assert said(hello.payload) == "group.hello_privacy"
    assert await received(joined(received, before="member", now="administrator")) == []


async def test_an_admin_hears_everything(received: Received) -> None:
    (hello,) = await received(joined(received, now="administrator"))
    assert said(hello.payload) == "group.hello"


@pytest.mark.parametrize("kind", ["private", "channel"])
async def test_only_groups_are_introduced(received: Received, kind: str) -> None:
    assert await received(joined(received, kind=kind)) == []


@pytest.mark.parametrize("banned", [99, KEY.chat_id])
async def test_whoever_was_banned_is_not_introduced(received: Received, banned: int) -> None:
    body = joined(received)
    body["my_chat_member"]["from"] = {**ANN, "id": 99}
    await received.access.ban(banned)
    assert await received(body) == []
    await received.access.unban(banned)
    assert await received(body) != []


async def test_help_in_a_group_speaks_of_groups(received: Received) -> None:
    (group,) = await received(message("/help", **{"from": ANN}))
    (private,) = await received(message("/help", PRIVATE, **{"from": ANN}))
    assert (said(group.payload), said(private.payload)) == ("help.group", "help.private")


async def test_admins_open_the_settings_to_everyone(received: Received) -> None:
    group, ann, bo, _ = await club(received)
    chat = ChatKey(group["id"])
    for data in ("set:0:auto_export", "set:1:members_may_change", "language:zh"):
        await received(press(f"1:{data}", bo, group))
        assert await received.toast() == SETTINGS_OF_ADMINS, data
    (refused,) = await received(message("/skill sora-video-generation", group, **{"from": bo}))
    assert said(refused.payload) == "error.admins_only"
    assert (await received.chats.get(chat)).skill is None
    await received(press("1:set:1:members_may_change", ann, group))
    await received(press("1:set:0:auto_export", bo, group))
    assert not (await received.chats.get(chat)).auto_export
    await received(message("/skill sora-video-generation", group, **{"from": bo}))
    assert (await received.chats.get(chat)).skill == "sora-video-generation"
    # What opened them is not theirs to close.
    await received(press("1:set:0:members_may_change", bo, group))
    assert await received.toast() == SETTINGS_OF_ADMINS


async def test_new_asks_where_there_is_a_project(received: Received) -> None:
    (empty,) = await received(message("/new", PRIVATE, **{"from": ANN}))
    assert empty.kind is JobKind.NEW
    await received.chats.update(ChatKey(PRIVATE["id"]), ChatFields(session_id="sess_1"))
    (still_empty,) = await received(message("/new", PRIVATE, message_id=8, **{"from": ANN}))
    assert still_empty.kind is JobKind.NEW
    await received.chats.update(ChatKey(PRIVATE["id"]), ChatFields(answer_session_id="sess_1"))
    (asked,) = await received(message("/new", PRIVATE, message_id=9, **{"from": ANN}))
    assert said(asked.payload) == "new.sure"
    (in_words,) = await received(message("new project", PRIVATE, message_id=10, **{"from": ANN}))
    assert said(in_words.payload) == "new.sure"
    assert await received(press("1:keep_project", ANN, PRIVATE)) == []
    assert await received.toast() == Words("en").plain("toast.project_kept")


async def test_what_comes_with_new_is_the_first_request_in_it(received: Received) -> None:
    key = ChatKey(PRIVATE["id"])
    await received.chats.update(key, ChatFields(session_id="sess_1", answer_session_id="sess_1"))
    (clip,) = await received(message("", PRIVATE, video=VIDEO, **{"from": ANN}))
    # It was sent within a moment of the clip, but is no comment on it.
    words = await received(message("/new a cat", PRIVATE, message_id=8, **{"from": ANN}))
    caption = message("", PRIVATE, caption="/new 剪短", video=VIDEO, message_id=9, **{"from": ANN})
    for jobs, prompt, files in ((words, "a cat", 0), (await received(caption), "剪短", 1)):
        edit, new = sorted(jobs, key=lambda job: job.kind)
        assert (new.kind, new.payload_as(NewPayload).is_followed) == (JobKind.NEW, True)
        gathered = (await received.job_queue.gathered(edit)).job
        assert (gathered.prompt, len(gathered.files)) == (prompt, files)
    assert (await received.job_queue.gathered(clip)).job.prompt == ""


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        ({"text": "/edit it"}, True),
        ({"text": "@{bot} cut it"}, True),
        ({"caption": "@{bot}把它剪短", "video": VIDEO}, True),
        ({"text": "cut it", "reply_to_message": {"from": {"is_bot": True, "first_name": "Bot"}}}, True),
        ({"text": "/edit it", "entities": [{"type": "bold"}]}, True),  # Telegram has not said where.
        ({"text": "/roll it"}, False),
        ({"text": "/edit@other_bot it"}, False),
        ({"text": "cut it"}, False),
        ({"text": "cut it", "reply_to_message": {"from": ANN}}, False),
    ],
)
async def test_a_fault_of_the_bot_is_told_in_a_group_if_the_message_was_for_it(
    received: Received, monkeypatch: pytest.MonkeyPatch, said: Json, answers: bool
) -> None:
    bot = received.telegram.bot.bot
    receiver = UpdateReceiver(received.application, received.telegram.clock, AsyncMock(), AsyncMock())
    monkeypatch.setattr(JobSubmitter, "read", AsyncMock(side_effect=ZeroDivisionError))
    body = {**message("", **{"from": ANN})["message"], **said}
    for words in body.keys() & {"text", "caption"}:
        body[words] = body[words].format(bot=bot.username)
    if (replied := body.get("reply_to_message")) is not None:
        sender = {"id": bot.id, **replied["from"]}
        body["reply_to_message"] = {**message("")["message"], "message_id": 3, "text": "Done", "from": sender}
    await receiver.receive_one({"update_id": 900, "message": body})
    told = [said_key(job) for job in await stored(received)]
    assert told == (["error.not_handled"] if answers else [])


async def test_an_album_whose_caption_begins_a_project_goes_to_it_as_a_whole(received: Received) -> None:
    album = {"video": VIDEO, "media_group_id": "1", "from": ANN}
    (first,) = await received(message("", PRIVATE, **album))
    jobs = await received(message("", PRIVATE, caption="/new a clip", message_id=8, **album))
    (edit,) = (job for job in jobs if job.kind is JobKind.EDIT)
    assert len((await received.job_queue.gathered(edit)).job.files) == 2
    claimed = await received.job_queue.claim(queue_id(first.chat, first.queue), "ticket")
    assert claimed is not None
    assert (claimed.job.id, claimed.cancelled) == (first.id, True)


@pytest.mark.parametrize("stopped", ["command", JobKind.NEW, JobKind.EDIT])
async def test_what_comes_with_new_is_stopped_with_it(received: Received, stopped: str) -> None:
    jobs = await received(message("/new a cat", PRIVATE, **{"from": ANN}))
    if stopped == "command":
        await received(message("/cancel", PRIVATE, message_id=8, **{"from": ANN}))
    else:
        (job,) = (job for job in jobs if job.kind == stopped)
        await received(press(f"1:cancel:{job.id}", ANN, PRIVATE))
    # Without the new project it would change the present one.
    for job in jobs:
        status = await received.job_queue.find(job.chat, job.id)
        assert status is not None
        assert status.state is JobState.CANCELLED, job.kind


async def test_a_stopped_new_is_run_again_with_what_came_with_it(received: Received) -> None:
    jobs = await received(message("/new a cat", PRIVATE, **{"from": ANN}))
    (edit,) = (job for job in jobs if job.kind is JobKind.EDIT)
    await received(message("/cancel", PRIVATE, message_id=8, **{"from": ANN}))
    (again,) = await received(press(pack(Retry(edit.id)), ANN, PRIVATE))
    assert (again.kind, again.prompt) == (JobKind.NEW, "a cat")
    body = message("/new a dog", PRIVATE, **{"from": ANN, "edit_date": 60})
    (offer,) = await received({"edited_message": body["message"]})
    (edited,) = await received(press(pack(RunEdited(offer.id)), ANN, PRIVATE))
    assert (edited.kind, edited.prompt) == (JobKind.NEW, "a dog")


async def test_an_edit_of_new_changes_the_waiting_request(received: Received) -> None:
    jobs = await received(message("/new a cat", PRIVATE, **{"from": ANN}))
    edit, new = sorted(jobs, key=lambda job: job.kind)
    body = message("/new a dog", PRIVATE, **{"from": ANN, "edit_date": 60})
    assert await received({"edited_message": body["message"]}) == []
    changed = (await received.job_queue.gathered(edit)).job
    assert (changed.prompt, changed.payload_as(EditPayload).new_job_id) == ("a dog", new.id)


async def test_an_edit_of_new_changes_the_waiting_request_where_projects_have_topics(
    received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = User(1, "Bot", is_bot=True, username="edit_bot", has_topics_enabled=True)
    monkeypatch.setattr(type(received.telegram.bot), "bot", topics)
    key = ChatKey(PRIVATE["id"])
    await received.chats.update(key, ChatFields(session_id="sess_1", answer_session_id="sess_1"))
    (new,) = await received(message("/new a cat", PRIVATE, **{"from": ANN}))
    body = message("/new a dog", PRIVATE, **{"from": ANN, "edit_date": 60})
    assert await received({"edited_message": body["message"]}) == []
    status = await received.job_queue.find(key, new.id)
    assert status is not None
    assert (status.job.prompt, status.state, status.position) == ("a dog", JobState.QUEUED, 1)
    assert await received({"edited_message": {**body["message"], "edit_date": 70}}) == []
    claimed = await received.job_queue.claim(queue_id(key, new.queue), "ticket")
    assert claimed is not None
    await received.job_queue.close(claimed, claimed.gathered.version)
    body = message("/new a cow", PRIVATE, **{"from": ANN, "edit_date": 80})
    (offer,) = await received({"edited_message": body["message"]})
    (again,) = await received(press(pack(RunEdited(offer.id)), ANN, PRIVATE))
    # In the project here it would change what isn't meant.
    assert (again.kind, again.prompt) == (JobKind.NEW, "a cow")


async def test_a_request_does_not_become_new_by_an_edit(received: Received) -> None:
    await received(message("a cat", PRIVATE, **{"from": ANN}))
    body = message("/new a dog", PRIVATE, **{"from": ANN, "edit_date": 60})
    (refused,) = await received({"edited_message": body["message"]})
    assert said(refused.payload) == "edited.command"


async def test_a_held_request_keeps_its_links(received: Received) -> None:
    link = "https://media.example/a.mp4"
    job = message_job(
        ChatKey(PRIVATE["id"]),
        LocalizedMessage("new.held"),
        requester_id=ANN["id"],
        language="en",
        asked_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    held = replace(job, payload=MessagePayload(message=LocalizedMessage("new.held"), links=(link,)))
    await received.job_queue.enqueue([held], "told")
    claimed = await received.job_queue.claim(queue_id(held.chat, held.queue), "ticket")
    assert claimed is not None
    await received.job_queue.finish(claimed, JobState.DONE)
    run = await received(press(pack(RunSaved(held.id)), ANN, PRIVATE))
    (edit,) = (one for one in run if one.kind is JobKind.EDIT)
    assert edit.payload_as(EditPayload).links == (link,)


@pytest.mark.parametrize("words", ["project", "please", "ok", "👍", "yes", "…"])
async def test_new_with_words_that_ask_for_nothing_is_new_alone(received: Received, words: str) -> None:
    (job,) = await received(message(f"/new {words}", PRIVATE, **{"from": ANN}))
    assert job.kind is JobKind.NEW
    assert not job.payload_as(NewPayload).is_followed


async def test_new_that_is_pressed_twice_begins_one_project(received: Received) -> None:
    (job,) = await received(press("1:new", ANN, PRIVATE))
    assert job.kind is JobKind.NEW
    assert await received(press("1:new", ANN, PRIVATE)) == []
    assert await received.toast() == OLD_BUTTON


async def test_the_last_editor_or_an_admin_begins_a_groups_new_project(received: Received) -> None:
    group, ann, bo, cy = await club(received)
    (edit,) = await received(message("/edit a cat", group, **{"from": bo}))
    claimed = await received.job_queue.claim(queue_id(edit.chat, edit.queue), "ticket")
    assert claimed
    await received.job_queue.save(claimed, {AgentAnswered.name: AgentAnswered().model_dump(mode="json")})
    await received.job_queue.finish(claimed, JobState.DONE)
    await received.chats.update(
        edit.chat, ChatFields(session_id="s", answer_job_id=edit.id, answer_session_id="s")
    )
    (refused,) = await received(message("/new@sandbox_bot a dog", group, message_id=9, **{"from": cy}))
    assert said(refused.payload) == "new.not_yours"
    assert await received(press("1:new", cy, group)) == []
    assert await received.toast() == Words("en").plain("new.not_yours")
    (by_editor,) = await received(press("1:new", bo, group))
    assert by_editor.kind is JobKind.NEW
    by_admin = press("1:new", ann, group)
    by_admin["callback_query"]["message"]["message_id"] += 1
    (job,) = await received(by_admin)
    assert job.kind is JobKind.NEW


@pytest.mark.parametrize(
    ("said", "session_id", "is_request"),
    [
        ("Shall I go on?", "s", True),
        ("要继续吗？", "s", True),
        ("It is done.", "s", False),
        ("Shall I?", "old", False),
    ],
)
async def test_a_thumb_is_a_request_only_where_the_agent_asks_in_this_project(
    received: Received, said: str, session_id: str, is_request: bool
) -> None:
    (edit,) = await received(message("a cat", PRIVATE, **{"from": ANN}))
    claimed = await received.job_queue.claim(queue_id(edit.chat, edit.queue), "t")
    assert claimed is not None
    answered = AgentAnswered(text=said)
    await WaitingCheckpoints(received.job_queue, edit).save(answered)
    await received.job_queue.finish(claimed, JobState.DONE)
    fields = ChatFields(session_id="s", answer_job_id=edit.id, answer_session_id=session_id)
    await received.chats.update(edit.chat, fields)
    (job,) = await received(message("👍", PRIVATE, **{"from": ANN}))
    assert (job.kind is JobKind.EDIT) is is_request


async def test_a_request_that_an_admin_runs_stays_its_askers(received: Received) -> None:
    group, ann, bo, _ = await club(received)
    (held,) = await received(message("/edit a cat", group, **{"from": bo}))
    (run,) = await received(press(pack(RunSaved(held.id)), ann, group))
    assert (run.prompt, run.requester_id, run.message_id) == ("a cat", bo["id"], held.message_id)


async def test_an_edited_request_that_an_admin_runs_stays_its_askers_and_uploads_nothing_again(
    received: Received,
) -> None:
    group, ann, bo, _ = await club(received)
    said_by_bo = {"video": VIDEO, "from": bo}
    (asked,) = await received(message("", group, caption="/edit a cat", **said_by_bo))
    await received.chats.update(asked.chat, ChatFields(session_id="first"))
    uploaded = Uploaded(session_id="first", sources={VIDEO["file_id"]: None})
    await WaitingCheckpoints(received.job_queue, asked).save(uploaded, FILES)
    await received.job_queue.cancel(asked.chat, asked.queue, asked.id)
    edit = message("", group, caption="/edit a dog", edit_date=60, **said_by_bo)
    (offer,) = await received({"edited_message": edit["message"]})
    assert [file.file_id for file in offer.files] == [VIDEO["file_id"]]
    (run,) = await received(press(pack(RunEdited(offer.id)), ann, group))
    assert (run.prompt, run.files, run.requester_id) == ("a dog", (), bo["id"])


async def test_a_file_that_takes_the_place_of_one_is_offered_without_words_and_after_the_end_too(
    received: Received,
) -> None:
    (asked,) = await received(message("", PRIVATE, video=VIDEO, **{"from": ANN}))
    await received.job_queue.cancel(asked.chat, asked.queue, asked.id)
    other = {**VIDEO, "file_id": "other", "file_unique_id": "another"}
    edit = message("", PRIVATE, video=other, edit_date=60, **{"from": ANN})
    (offer,) = await received({"edited_message": edit["message"]})
    said = offer.payload_as(MessagePayload).message
    assert isinstance(said, LocalizedMessage)
    assert said.key == "edited.file_no_words"
    assert [file.file_id for file in offer.files] == ["other"]


async def test_forget_can_be_left(received: Received) -> None:
    assert await received(press("1:keep_chat", ANN, PRIVATE)) == []
    assert await received.toast() == Words("en").plain("toast.chat_kept")


async def test_the_last_editor_or_an_admin_switches_a_groups_project(received: Received) -> None:
    group, ann, bo, cy = await club(received)
    chat = ChatKey(group["id"])
    (edit,) = await received(message("/edit trim it", group, **{"from": bo}))
    await received.chats.update(chat, ChatFields(answer_job_id=edit.id))
    await received.chats.project_list.save(chat, ListedProject(session_id="s", used_at=edit.asked_at))
    mark = project_mark("s")
    assert await received(press(f"1:open_project:{mark}", cy, group)) == []
    assert await received.toast() == Words("en").plain("projects.not_yours")
    for who in (bo, ann):
        (job,) = await received(press(f"1:open_project:{mark}", who, group))
        assert (job.kind, job.payload) == (JobKind.OPEN_PROJECT, OpenProjectPayload(mark=mark))


async def test_admins_rename_and_delete_a_groups_projects(received: Received) -> None:
    group, ann, bo, _ = await club(received)
    chat = ChatKey(group["id"])
    for name in ("one", "two"):
        await received.chats.project_list.save(
            chat, ListedProject(session_id=name, name=name, used_at=datetime.now(UTC))
        )
    await received.chats.update(chat, ChatFields(session_id="two"))
    (refused,) = await received(message("/rename Ours", group, **{"from": bo}))
    assert said(refused.payload) == "error.admins_only"
    (renamed,) = await received(message("/rename Our  film", group, message_id=8, **{"from": ann}))
    assert said(renamed.payload) == "projects.renamed"
    assert {one.name for one in await received.chats.project_list.all(chat)} == {"one", "Our film"}
    for data, who, toast in (
        ("delete_project:1:", bo, "toast.admins_only"),
        ("delete_project:1:", ann, "toast.project_deleted"),
        ("delete_project:1:", ann, "projects.gone"),
    ):
        await received(press(f"1:{data}{project_mark('one')}", who, group))
        assert await received.toast() == Words("en").plain(toast), toast
    await received(press(f"1:delete_project:1:{project_mark('two')}", ann, group))
    assert await received.toast() == Words("en").plain("projects.is_present")
    assert [one.name for one in await received.chats.project_list.all(chat)] == ["Our film"]


async def test_without_a_project_there_is_nothing_to_rename(received: Received) -> None:
    (how,) = await received(message("/rename", PRIVATE, **{"from": ANN}))
    (none,) = await received(message("/rename Lake", PRIVATE, message_id=8, **{"from": ANN}))
    assert (said(how.payload), said(none.payload)) == ("projects.rename", "projects.none")
