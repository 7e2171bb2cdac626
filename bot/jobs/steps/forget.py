"""Erase all that is kept of a chat."""

import structlog

from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import QueueName
from bot.jobs.payloads import ForgetPayload
from bot.jobs.queue.erase_chat import ChatEraser
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.worker.attempt import Attempt

log = structlog.get_logger(__name__)

PAUSE_S = 0.5  # between two looks whether a question that may still write has been answered


class ForgetWaits(Checkpoint):
    """Saved before each pause: the attempt stops here if it was cancelled, or if another worker has the job."""

    name = "forget_waits"


class Forget:
    """Erase the chat, once however often the job starts.

    The job waits in the main queue, so that no edit runs meanwhile. Questions that its payload names, which were asked
    before it, are stopped.
    """

    name = "forget"

    def __init__(self, job_queue: JobQueue, eraser: ChatEraser) -> None:
        self._job_queue = job_queue
        self._eraser = eraser

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        for job_id in attempt.job.payload_as(ForgetPayload).quick_job_ids:
            await self._job_queue.cancel(attempt.job.chat, QueueName.QUICK, job_id)
        while not await self._eraser.erase(attempt.claimed):
            await _pause(attempt)
        log.info("chat.forgotten")
        await attempt.responder.send("forgotten", LocalizedMessage("forget.done"))


async def _pause(attempt: Attempt) -> None:
    await attempt.save(ForgetWaits())
    await attempt.clock.sleep(PAUSE_S)
