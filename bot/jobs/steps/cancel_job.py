"""Cancel another job of the chat."""

from collections.abc import Awaitable, Callable

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Job, JobState, QueueName
from bot.jobs.payloads import CancelPayload
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.worker.attempt import Attempt


class CancelJob:
    """Cancel the job that the payload names; idempotent.

    Args:
        job_queue: The chats' queues.
        close_position_message: Lets the message with a waiting job's position say that the job is stopped.
    """

    name = "cancel_job"

    def __init__(self, job_queue: JobQueue, close_position_message: Callable[[Job], Awaitable[None]]) -> None:
        self._job_queue = job_queue
        self._close_position_message = close_position_message

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        chat, payload = attempt.job.chat, attempt.job.payload_as(CancelPayload)
        status = await self._job_queue.find(chat, payload.job_id)
        was = await self._job_queue.cancel(chat, QueueName.MAIN, payload.job_id)
        if status is not None and was in (JobState.QUEUED, JobState.CANCELLED):
            await self._close_position_message(status.job)
        if not payload.is_silent:
            await attempt.responder.send("cancelled", LocalizedMessage("job.cancelled"))
