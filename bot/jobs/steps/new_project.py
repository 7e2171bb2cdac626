"""Begin an empty project."""

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import QueueName, follow_up_id, message_job
from bot.jobs.next_steps import how_to_begin
from bot.jobs.ports import Topics
from bot.jobs.worker.attempt import Attempt
from bot.projects.projects import Projects
from bot.words import Words


class SessionForgotten(Checkpoint):
    """Saved when the old project is forgotten: another attempt must not forget a newer one."""

    name = "session_forgotten"


class TopicOpened(Checkpoint):
    """Saved when the project has a topic; an attempt that dies before leaves an empty one behind."""

    name = "topic_opened"
    topic_id: int = 0


class NewProject:
    """Let the next request begin an empty project: of a topic of its own where private chats have them, or here."""

    name = "new_project"

    def __init__(self, projects: Projects, topics: Topics) -> None:
        self._projects = projects
        self._topics = topics

    async def __call__(self, attempt: Attempt) -> None:
        begin = LocalizedMessage("new.done", {"begin": how_to_begin(attempt.job.chat)})
        if (topic := await self._topic(attempt)) is not None:
            await self._projects.chats.update(topic, ChatFields(takes_name=True))
            await attempt.responder.send("new", LocalizedMessage("new.topic"))
            return await say_in_topic(attempt, topic, begin)
        if attempt.load(SessionForgotten) is None:
            await self._projects.leave(attempt.job.chat)
            await attempt.save(SessionForgotten())
        # What the agent asked about is gone with the project.
        if (job_id := await attempt.job_queue.questions.job_id(attempt.job.chat)) is not None:
            await attempt.job_queue.cancel(attempt.job.chat, QueueName.MAIN, job_id)
        return await attempt.responder.send("new", begin)

    async def _topic(self, attempt: Attempt) -> ChatKey | None:
        """Return the topic of the new project; ``None`` if it begins here."""
        key = attempt.job.chat
        if (opened := attempt.load(TopicOpened)) is not None:
            return ChatKey(key.chat_id, opened.topic_id)
        if attempt.load(SessionForgotten) or not await self._projects.chats.has_content(
            await self._projects.chats.get(key)
        ):
            return None
        topic = await self._topics.open(key, Words(attempt.job.language).plain("new.topic_name"))
        if topic is not None:
            await attempt.save(TopicOpened(topic_id=topic.topic_id or 0))
        return topic


async def say_in_topic(attempt: Attempt, topic: ChatKey, message: LocalizedMessage) -> None:
    """Say something in another topic of a job's chat, once.

    It comes last in its step: of two messages on their way to a chat, a lost one may be taken for the other.
    """
    job = attempt.job
    said = message_job(
        topic,
        message,
        requester_id=job.requester_id,
        language=job.language,
        asked_at=job.asked_at,
        job_id=follow_up_id(job.id, topic.topic_id or 0),
    )
    await attempt.job_queue.enqueue([said], f"{job.id}:told")
