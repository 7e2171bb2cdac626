"""Show the timeline, and what runs and waits."""

from bot.jobs.buttons import Export
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, TimelinePicture
from bot.jobs.model import Job, JobState, QueueName
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.steps.lost_project import LostProjectHandler
from bot.jobs.steps.service_errors import ended_by
from bot.jobs.steps.timeline import timeline
from bot.jobs.worker.attempt import Attempt
from bot.nemo.errors import NemoError
from bot.projects.projects import Projects


class ShowStatus:
    """Answer what is on the timeline, what runs and what waits."""

    name = "show_status"

    def __init__(self, projects: Projects, job_queue: JobQueue) -> None:
        self._projects = projects
        self._job_queue = job_queue

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        projects, draft = self._projects, None
        if await projects.is_set_up(attempt.job.chat):
            try:
                state = await projects.get_state(attempt.job, LostProjectHandler(projects, attempt).tell)
            except NemoError as error:
                raise await ended_by(projects, attempt.job, error) from error
            draft = state.draft
        heading, tracks = timeline(draft, attempt.job.chat)
        work = await self._work(attempt.job)
        if draft is None or not draft.is_ready:
            return await attempt.responder.send("status", ListMessage(heading, (*tracks, *work)))
        credits_line = await self._credits(attempt)
        caption = ListMessage(heading, (*tracks, *work, *credits_line), (Button("button.export", Export()),))
        return await attempt.responder.send("status", TimelinePicture(draft, caption))

    async def _credits(self, attempt: Attempt) -> tuple[LocalizedMessage, ...]:
        """Return a line with the credits, in private; the answer does not wait for it."""
        if not attempt.job.chat.is_private:
            return ()
        try:
            credits_ = await self._projects.call(
                attempt.job,
                lambda p: self._projects.nemo.get_credits(p.credentials),
                on_loss=LostProjectHandler(self._projects, attempt).tell,
            )
        except NemoError:
            return ()
        return (LocalizedMessage("status.credits", {"available": round(credits_.available or 0)}),)

    async def _work(self, job: Job) -> tuple[LocalizedMessage, ...]:
        job_ids = await self._job_queue.current(job.chat, QueueName.MAIN)
        if not job_ids:
            return (LocalizedMessage("status.idle"),)
        if await self._job_queue.is_paused():
            first = await self._job_queue.find(job.chat, job_ids[0])
            if first is not None and first.state is JobState.QUEUED:
                return (LocalizedMessage("status.paused", {"n": len(job_ids)}),)
        lines = [LocalizedMessage("status.working")]
        if len(job_ids) > 1:
            lines.append(LocalizedMessage("status.waiting", {"n": len(job_ids) - 1}))
        return tuple(lines)
