"""Cancel another job of the chat."""

from __future__ import annotations

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobState, QueueName
from bot.jobs.payloads import CancelPayload
from bot.jobs.ports import GroupAdmins
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.redraw import close_announcement
from bot.jobs.worker.attempt import Attempt, JobEnded


class CancelJob:
    """Cancel the job that the payload names; doing it twice is doing it once.

    Args:
        job_queue: The chats' queues.
        group_admins: Tells who is an admin.
    """

    name = "cancel_job"

    def __init__(self, job_queue: JobQueue, group_admins: GroupAdmins) -> None:
        self._job_queue = job_queue
        self._group_admins = group_admins

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        chat, payload = attempt.job.chat, attempt.job.payload_as(CancelPayload)
        if payload.only_admin and not await self._group_admins.is_admin(chat, attempt.job.owner_id):
            raise JobEnded(LocalizedMessage("toast.not_yours"), JobState.DONE)
        status = await self._job_queue.find(chat, payload.job_id)
        was = await self._job_queue.cancel(chat, QueueName.MAIN, payload.job_id)
        if status is not None and was in (JobState.QUEUED, JobState.CANCELLED):
            await close_announcement(self._job_queue, attempt.job, status.job)
        await attempt.responder.send("cancelled", LocalizedMessage("job.cancelled"))
