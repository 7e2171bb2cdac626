"""Stop every request before the one that erases the chat."""

from __future__ import annotations

from bot.jobs.model import QueueName
from bot.jobs.payloads import StopEarlierPayload
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.redraw import close_announcement, redraw
from bot.jobs.worker.attempt import Attempt


class StopEarlierJobs:
    """Stop all requests before the job that erases the chat, the last one first, so that none of them begins.

    Args:
        job_queue: The chats' queues.
    """

    name = "stop_earlier_jobs"

    def __init__(self, job_queue: JobQueue) -> None:
        self._job_queue = job_queue

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        chat, erase_id = attempt.job.chat, attempt.job.payload_as(StopEarlierPayload).erase_id
        if attempt.job.message_id is not None:
            await redraw(
                self._job_queue, attempt.job, "no_buttons", attempt.job.message_id, attempt.job.address
            )
        ids = await self._job_queue.current(chat, QueueName.MAIN)
        # It has begun, or is over: what waits now came later.
        before = ids[: ids.index(erase_id)] if erase_id in ids else []
        for job_id in reversed(before):
            status = await self._job_queue.find(chat, job_id)
            await self._job_queue.cancel(chat, QueueName.MAIN, job_id)
            if status is not None and status.place:
                await close_announcement(self._job_queue, attempt.job, status.job)
