"""Go back to a project of the chat's list."""

from bot.chats.key import ChatKey
from bot.chats.project_list import ListedProject
from bot.jobs.buttons import Export
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, Param
from bot.jobs.model import JobState, QueueName
from bot.jobs.payloads import OpenProjectPayload
from bot.jobs.ports import Topics
from bot.jobs.project_views import name_of
from bot.jobs.steps.new_project import say_in_topic
from bot.jobs.steps.timeline import timeline
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.projects.projects import LossReason, ProjectLoss, Projects


class OpeningProject(Checkpoint):
    """Saved before the chat gets another project: an attempt that was superseded stops here."""

    name = "opening_project"


class OpenProject:
    """Make a project of the chat's list its current one, and show its timeline; or lead to the topic that has it."""

    name = "open_project"

    def __init__(self, projects: Projects, topics: Topics) -> None:
        self._projects = projects
        self._topics = topics

    async def __call__(self, attempt: Attempt) -> None:
        key, projects = attempt.job.chat, self._projects
        mark = attempt.job.payload_as(OpenProjectPayload).mark
        project = await projects.chats.project_list.find(key, mark)
        if project is None:
            raise JobEnded(LocalizedMessage("projects.gone"), JobState.DONE)
        await attempt.save(OpeningProject())
        name: dict[str, Param] = {"name": name_of(project)}
        if await self._is_elsewhere(key, project):
            here = LocalizedMessage("projects.here", name)
            await attempt.responder.send("opened", LocalizedMessage("projects.in_topic", name))
            return await say_in_topic(attempt, ChatKey(key.chat_id, project.topic_id), here)
        # What the agent asked about is not in the project that follows.
        if (job_id := await attempt.job_queue.questions.asking_job_id(key)) is not None:
            await attempt.job_queue.cancel(key, QueueName.MAIN, job_id)
        if not await projects.go_back(key, project):
            await attempt.lost.end(ProjectLoss(project.session_id, LossReason.OTHER_ACCOUNT))
        state = await projects.get_state(attempt.job, attempt.lost.end)
        heading, tracks = timeline(state.draft, key)
        buttons = (Button("button.export", Export()),) if tracks else ()
        opened = ListMessage(LocalizedMessage("projects.opened", name), (heading, *tracks), buttons)
        return await attempt.responder.send("opened", opened)

    async def _is_elsewhere(self, key: ChatKey, project: ListedProject) -> bool:
        """Return whether a project is the current one of another topic, which is still there."""
        home = ChatKey(key.chat_id, project.topic_id)
        if home == key or (await self._projects.chats.get(home)).session_id != project.session_id:
            return False
        return await self._topics.rename(home, project.name)
