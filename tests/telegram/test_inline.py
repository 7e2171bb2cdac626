"""Inline mode: whose videos are offered, and what the words become that somebody types."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from telegram import InlineKeyboardButton

from bot.chats.key import ChatKey
from bot.chats.project_list import ListedProject, project_mark
from bot.chats.versions import ResultKind, Version
from bot.jobs.messages import Button
from bot.jobs.model import JobKind
from bot.jobs.payloads import EditPayload
from bot.jobs.versions import SHARED, shared_as
from bot.telegram.sending.keyboards import keyboard
from bot.words import Words
from tests.telegram.test_handlers import ANN, PRIVATE, Json, Received, docket, message, received

__all__ = ["docket", "received"]  # fixtures

KEY, TOPIC, NOW = ChatKey(ANN["id"]), ChatKey(ANN["id"], 7), datetime.now(UTC)
MARK = project_mark("session")
BO: Json = {"id": 4712, "is_bot": False, "first_name": "Bo"}


async def a_project(received: Received, key: ChatKey, *kinds: ResultKind, session: str = "session") -> None:
    """Let a chat have a project with a video for each of these kinds."""
    await received.chats.project_list.save(key, ListedProject(session_id=session, name="Beach", used_at=NOW))
    for number, kind in enumerate(kinds, 1):
        version = Version(
            number=1,
            job_id=f"{number}",
            words=f"request {number}",
            made_at=NOW + timedelta(seconds=number),
            draft_digest=f"{number}",
            file_id=f"{session}-{number}",
            kind=kind,
        )
        await received.chats.versions.add(key, project_mark(session), version)


async def offered(received: Received, typed: str, who: Json = ANN) -> Json:
    """Return what the bot answers to what somebody types."""
    query = {"id": "1", "from": who, "query": typed, "offset": "", "chat_type": "group"}
    assert await received({"inline_query": query}) == []
    calls = await received.telegram.people.calls("answerInlineQuery", state=["ok", "error"])
    # PTB sends values that are no texts as JSON.
    params = {**calls[-1]["params"], "inline_query_id": ""}
    return {name: json.loads(value) if value else value for name, value in params.items()}


async def test_everyone_finds_the_videos_of_their_own_private_chat(received: Received) -> None:
    await a_project(received, KEY, "video", "animation", "document")
    answer = await offered(received, " ")
    assert (answer["cache_time"], answer["is_personal"]) == (0, True)
    shown: list[tuple[Any, ...]] = [(one["type"], one["id"], one["title"]) for one in answer["results"]]
    assert shown == [
        ("document", f"{MARK}-3", "request 3"),
        ("mpeg4_gif", f"{MARK}-2", "request 2"),
        ("video", f"{MARK}-1", "request 1"),
    ]
    assert answer["results"][2]["video_file_id"] == "session-1"
    assert (await offered(received, "", BO))["results"] == []


async def test_a_video_that_comes_twice_is_offered_once(received: Received) -> None:
    await a_project(received, KEY, "video", "video")
    same = (await received.chats.versions.all(KEY, MARK))[0]
    await received.chats.versions.add(KEY, MARK, same.model_copy(update={"job_id": "undo"}))
    assert [one["id"] for one in (await offered(received, ""))["results"]] == [f"{MARK}-3", f"{MARK}-2"]


async def test_a_shared_video_is_found_in_its_topic_and_for_its_person_alone(received: Received) -> None:
    await a_project(received, TOPIC, "video", "video")
    version = (await received.chats.versions.all(TOPIC, MARK))[0]
    typed = shared_as(TOPIC, version, MARK)
    assert [one["id"] for one in (await offered(received, typed))["results"]] == [f"{MARK}-1"]
    assert (await offered(received, typed, BO))["results"] == []
    assert (await offered(received, f"{MARK}-9"))["results"] == []
    assert shared_as(ChatKey(-5), version, MARK) == ""
    assert SHARED.fullmatch(shared_as(KEY, version, MARK))


async def test_other_words_begin_a_request_in_private(received: Received) -> None:
    await a_project(received, KEY, "video")
    answer = await offered(received, "trim my clip")
    assert answer["results"] == []
    assert answer["button"] == {"text": "▶️ trim my clip", "start_parameter": "inline"}
    (job,) = await received(message("/start inline", PRIVATE, **{"from": ANN}), times=2)
    (again,) = await received(message("/start inline", PRIVATE, **{"from": ANN}))
    assert again.kind is not JobKind.EDIT
    assert (job.kind, job.prompt) == (JobKind.EDIT, "trim my clip")
    assert job.payload_as(EditPayload).needs_clip


@pytest.mark.parametrize(
    ("typed", "kind", "prompt"),
    [
        ("make a cat", JobKind.EDIT, "make a cat"),
        ("/edit make a cat", JobKind.EDIT, "make a cat"),
        ("credits", JobKind.CREDITS, ""),
        ("/credits", JobKind.CREDITS, ""),
        ("删除所有数据", JobKind.MESSAGE, ""),
        ("谢谢", JobKind.MESSAGE, ""),
        ("trim https://youtu.be/abc", JobKind.MESSAGE, "trim"),
        ("/start inline", JobKind.SKILL, ""),
    ],
)
async def test_words_mean_what_they_mean_in_private(
    received: Received, typed: str, kind: JobKind, prompt: str
) -> None:
    await offered(received, typed)
    (stored,) = await received(message("/start inline", PRIVATE, **{"from": ANN}), times=2)
    job = (await received.job_queue.gathered(stored)).job
    assert (job.kind, job.prompt) == (kind, prompt)


@pytest.mark.parametrize("typed", ["", f"{MARK}-1"])
async def test_without_words_start_only_begins(received: Received, typed: str) -> None:
    await offered(received, "make a cat")
    answer = await offered(received, typed)
    assert answer["button"]["text"] == Words("en").plain("inline.open")
    (job,) = await received(message("/start inline", PRIVATE, **{"from": ANN}))
    assert job.kind is JobKind.SKILL


async def test_whoever_may_not_use_the_bot_is_offered_nothing(received: Received) -> None:
    await a_project(received, ChatKey(BO["id"]), "video")
    await received.access.ban(BO["id"])
    assert (await offered(received, "", BO))["results"] == []
    assert (await offered(received, "make a cat", BO))["button"]["text"] == Words("en").plain("inline.open")
    assert await received.chats.inline_requests.get(BO["id"]) == ""


def test_the_share_button_opens_the_choice_of_a_chat() -> None:
    markup = keyboard([Button("button.share", share=f"{MARK}-1")], Words("en"))
    assert markup is not None
    ((button,),) = markup.inline_keyboard
    assert isinstance(button, InlineKeyboardButton)
    assert button.switch_inline_query_chosen_chat is not None
    assert button.switch_inline_query_chosen_chat.query == f"{MARK}-1"
