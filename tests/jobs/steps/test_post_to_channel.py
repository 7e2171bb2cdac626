"""Posting to a channel, one job a question, and at most one post."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.chats.key import ChatKey
from bot.jobs.buttons import Post
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobKind
from bot.jobs.payloads import PostPayload
from bot.jobs.ports import ChatGone, FileGone
from bot.jobs.steps.post_to_channel import PostToChannel
from bot.jobs.worker.attempt import Attempt, JobEnded
from tests.jobs.steps.conftest import Rig, a_file, again

BEACHES, SEAS = -1001, -1002
APPROVED = {"channel_id": BEACHES, "title": "Beaches", "caption": "<b>Sea</b>", "is_approved": True}


@dataclass
class Admins:
    """Where both may post."""

    open_channels: set[int] = field(default_factory=lambda: {BEACHES})

    async def may_post(self, channel_id: int, user_id: int) -> bool:
        return channel_id in self.open_channels

    async def is_admin(self, chat: ChatKey, user_id: int) -> bool:
        raise NotImplementedError


def attempt_at(rig: Rig, **post: Any) -> Attempt:
    return rig.attempt(rig.job(kind=JobKind.POST, files=(a_file(),), payload=PostPayload(**post)))


async def take(rig: Rig, attempt: Attempt, admins: Admins | None = None) -> LocalizedMessage:
    """Take the step, and return the text that it sent last or ended with."""
    try:
        await PostToChannel(rig.projects.chats, admins or Admins())(attempt)
    except JobEnded as end:
        message = end.message
    else:
        message = list(rig.responder.sent.values())[-1]
    assert isinstance(message, LocalizedMessage)
    return message


async def test_of_several_channels_those_are_offered_where_both_may_post(rig: Rig) -> None:
    for channel_id in (BEACHES, SEAS):
        await rig.projects.chats.channels.save(rig.job().requester_id, channel_id, "title")
    attempt = attempt_at(rig)
    asked = await take(rig, attempt)
    assert (asked.key, [one.action for one in asked.buttons]) == (
        "post.where",
        [Post(str(BEACHES), attempt.job.id), Post("drop", attempt.job.id)],
    )
    assert (await take(rig, attempt_at(rig), Admins(set()))).key == "post.nowhere"


async def test_the_caption_is_awaited_before_it_is_asked_for(rig: Rig) -> None:
    attempt = attempt_at(rig, channel_id=BEACHES, title="Beaches")
    assert (await take(rig, attempt)).key == "post.caption"
    chat = await rig.projects.chats.get(attempt.job.chat)
    assert chat.caption_job_id == attempt.job.id


async def test_a_preview_comes_before_the_post(rig: Rig) -> None:
    assert (await take(rig, attempt_at(rig, **APPROVED | {"is_approved": False}))).key == "post.sure"
    assert rig.responder.again == {"preview": (a_file().file_id, "<b>Sea</b>")}
    assert rig.responder.posted == []
    done = await take(rig, attempt_at(rig, **APPROVED))
    assert (done.key, done.buttons[0].url) == ("post.done", "https://t.me/c/9/1")
    assert rig.responder.posted == [(BEACHES, a_file().file_id, "<b>Sea</b>")]


async def test_a_post_whose_answer_never_came_is_not_repeated_by_itself(rig: Rig) -> None:
    rig.responder.post_result = None
    attempt = attempt_at(rig, **APPROVED)
    assert (await take(rig, attempt)).key == "post.unknown"
    told = await take(rig, again(attempt))
    assert (told.key, [one.action for one in told.buttons]) == (
        "post.unknown",
        [Post("again", attempt.job.id)],
    )
    assert len(rig.responder.posted) == 1


async def test_a_post_whose_process_ends_meanwhile_is_not_repeated_by_itself(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ending(*_: object) -> str:
        raise asyncio.CancelledError

    attempt = attempt_at(rig, **APPROVED)
    monkeypatch.setattr(rig.responder, "post", ending)
    with pytest.raises(asyncio.CancelledError):
        await take(rig, attempt)
    monkeypatch.undo()
    assert (await take(rig, again(attempt))).key == "post.unknown"
    assert rig.responder.posted == []


async def test_a_post_that_is_there_is_told_again_and_not_posted_again(rig: Rig) -> None:
    attempt = attempt_at(rig, **APPROVED)
    await take(rig, attempt)
    assert (await take(rig, again(attempt), Admins(set()))).key == "post.done"
    assert len(rig.responder.posted) == 1


@pytest.mark.parametrize(
    ("error", "key"), [(ChatGone("kicked"), "post.not_allowed"), (FileGone("wrong"), "post.file_gone")]
)
async def test_a_refused_post_may_be_tried_again(rig: Rig, error: Exception, key: str) -> None:
    rig.responder.post_result = error
    attempt = attempt_at(rig, **APPROVED)
    assert (await take(rig, attempt)).key == key
    rig.responder.post_result = "https://t.me/c/9/2"
    assert (await take(rig, again(attempt))).key == "post.done"


async def test_whoever_lost_the_right_posts_nothing(rig: Rig) -> None:
    for post in (APPROVED, {**APPROVED, "caption": None}, {**APPROVED, "is_approved": False}):
        assert (await take(rig, attempt_at(rig, **post), Admins(set()))).key == "post.not_allowed"
    assert (rig.responder.posted, rig.responder.again) == ([], {})
    rig.responder.gone_file_ids = {a_file().file_id}
    assert (await take(rig, attempt_at(rig, **APPROVED | {"is_approved": False}))).key == "post.file_gone"
