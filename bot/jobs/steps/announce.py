"""Announce a text of the operator to all chats with running or waiting jobs."""

import contextlib
from typing import NamedTuple

import structlog

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import message_job
from bot.jobs.payloads import AnnouncePayload
from bot.jobs.queue.job_queue import QueueFull
from bot.jobs.worker.attempt import Attempt

log = structlog.get_logger(__name__)


class ChatToTell(NamedTuple):
    """A chat that gets the text."""

    chat: str  # its stored ``ChatKey``
    language: str


class ChatsToTell(Checkpoint):
    """Saved before the first chat is notified."""

    name = "chats_to_tell"
    chats: tuple[ChatToTell, ...] = ()


class Announce:
    """Send the text in the payload to every such chat, once however often the job starts."""

    name = "announce"

    async def __call__(self, attempt: Attempt) -> None:
        saved = attempt.load(ChatsToTell)
        if saved is None:
            active = await attempt.job_queue.statistics.active_chats()
            saved = ChatsToTell(chats=tuple(ChatToTell(str(one.chat), one.language) for one in active))
            await attempt.save(saved)
        job = attempt.job
        text = job.payload_as(AnnouncePayload).message
        for chat, language in saved.chats:
            said = message_job(
                ChatKey.parse(chat),
                text,
                requester_id=job.requester_id,
                language=language,
                asked_at=job.asked_at,
            )
            with contextlib.suppress(QueueFull):  # A person asks faster than can be answered.
                await attempt.job_queue.enqueue([said], f"{job.id}:word")
        log.info("announce.sent", chats=len(saved.chats))
        await attempt.responder.send(
            "announced", LocalizedMessage("admin.announced", {"n": len(saved.chats)})
        )
