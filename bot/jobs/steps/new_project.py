"""Begin an empty project."""

from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import QueueName
from bot.jobs.next_steps import how_to_begin
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.worker.attempt import Attempt
from bot.projects.projects import Projects


class SessionForgotten(Checkpoint):
    """Saved when the old project is forgotten: another attempt must not forget one that was made since."""

    name = "session_forgotten"


class NewProject:
    """Let the chat's next request begin an empty project."""

    name = "new_project"

    def __init__(self, projects: Projects, job_queue: JobQueue) -> None:
        self._projects = projects
        self._job_queue = job_queue

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        if attempt.load(SessionForgotten) is None:
            await self._projects.leave(attempt.job.chat)
            await attempt.save(SessionForgotten())
        # What the agent asked about is gone with the project.
        if (job_id := await self._job_queue.questions.job_id(attempt.job.chat)) is not None:
            await self._job_queue.cancel(attempt.job.chat, QueueName.MAIN, job_id)
        begin = how_to_begin(attempt.job.chat)
        await attempt.responder.send("new", LocalizedMessage("new.done", {"begin": begin}))
