"""Announce a text of the operator to all chats with running or waiting jobs."""

import contextlib
from dataclasses import replace

import structlog

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobKind, QueueName, new_job_id
from bot.jobs.payloads import AnnouncePayload, SayPayload
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.jobs.worker.attempt import Attempt

log = structlog.get_logger(__name__)


class ChatsToTell(Checkpoint):
    """Saved before the first chat is told."""

    name = "chats_to_tell"
    chats: tuple[tuple[str, str], ...] = ()  # the stored ``ChatKey`` of each, and its language


class Announce:
    """Send the text in the payload to every such chat, once however often the job starts."""

    name = "announce"

    def __init__(self, job_queue: JobQueue) -> None:
        self._job_queue = job_queue

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        saved = attempt.load(ChatsToTell)
        if saved is None:
            active = await self._job_queue.statistics.active_chats()
            saved = ChatsToTell(chats=tuple((str(one.chat), one.language) for one in active))
            await attempt.save(saved)
        payload = SayPayload(message=attempt.job.payload_as(AnnouncePayload).message)
        for chat, language in saved.chats:
            message = replace(
                attempt.job,
                id=new_job_id(),
                chat=ChatKey.parse(chat),
                queue=QueueName.QUICK,
                kind=JobKind.SAY,
                payload=payload,
                message_id=None,
                language=language,
            )
            with contextlib.suppress(QueueFull):  # Somebody asks faster than can be answered.
                await self._job_queue.enqueue([message], f"{attempt.job.id}:word")
        log.info("announce.sent", chats=len(saved.chats))
        await attempt.responder.send(
            "announced", LocalizedMessage("admin.announced", {"n": len(saved.chats)})
        )
