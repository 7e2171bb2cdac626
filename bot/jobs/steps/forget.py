"""Erase all that is kept of a chat.

What is erased is listed in ``jobs/queue/erase_chat.py``; what stays, in its script ``lua/erase_chat.lua`` and in
``KEPT_WHEN_ERASED`` of ``store/keys.py``.
"""

import structlog

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobState, QueueName
from bot.jobs.payloads import ForgetPayload
from bot.jobs.queue.erase_chat import ChatEraser
from bot.jobs.worker.attempt import Attempt

log = structlog.get_logger(__name__)

PAUSE_S = 0.5  # between two looks whether a question that may still write has been answered


class ForgetWaits(Checkpoint):
    """Saved before each pause: the attempt stops here if it was cancelled, or if another worker has the job."""

    name = "forget_waits"


class Forget:
    """Erase the chat, once however often the job starts.

    The job waits in the main queue, so that no edit runs meanwhile. Questions that its payload names, which were asked
    before it, are stopped. In a private chat all topics are erased, and the account, which they share, at the end.
    """

    name = "forget"

    def __init__(self, eraser: ChatEraser) -> None:
        self._eraser = eraser

    async def __call__(self, attempt: Attempt) -> None:
        payload = attempt.job.payload_as(ForgetPayload)
        for job_id in payload.quick_job_ids:
            await attempt.job_queue.cancel(attempt.job.chat, QueueName.QUICK, job_id)
        for topic in map(ChatKey.parse, payload.topics):
            while await _is_erasing(attempt, topic):
                await _pause(attempt)
        while not await self._eraser.erase(attempt.claimed):
            await _pause(attempt)
        log.info("chat.forgotten")
        if not payload.is_silent:
            await attempt.responder.send("forgotten", LocalizedMessage("forget.done"))


async def _is_erasing(attempt: Attempt, topic: ChatKey) -> bool:
    status = await attempt.job_queue.find(topic, attempt.job.id)
    return status is not None and status.state in (JobState.QUEUED, JobState.RUNNING)


async def _pause(attempt: Attempt) -> None:
    await attempt.save(ForgetWaits())
    await attempt.clock.sleep(PAUSE_S)
