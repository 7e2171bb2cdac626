"""Begin an empty project."""

from dataclasses import replace

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import RunSaved
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, with_lines
from bot.jobs.model import JobKind, QueueName, follow_up_job_id, message_job
from bot.jobs.next_steps import how_to_begin
from bot.jobs.payloads import EditPayload, MessagePayload, NewPayload
from bot.jobs.ports import Topics
from bot.jobs.queue.job_queue import QueueFull
from bot.jobs.queue.quota_messages import quota_message
from bot.jobs.queue.quotas import QuotaExceeded
from bot.jobs.steps.gather import take_all
from bot.jobs.worker.attempt import Attempt
from bot.projects.projects import Projects
from bot.words import Words

_REQUEST = -1  # stands for the request in ids made from the job's, beside those of topics


class SessionForgotten(Checkpoint):
    """Saved when the old project is forgotten: another attempt must not forget a newer one."""

    name = "session_forgotten"


class TopicOpened(Checkpoint):
    """Saved when the project has a topic; an attempt that dies before leaves an empty one behind."""

    name = "topic_opened"
    topic_id: int = 0


class NewProject:
    """Begin an empty project with the next request: in a topic of its own where private chats have them, or here."""

    name = "new_project"

    def __init__(self, projects: Projects, topics: Topics) -> None:
        self._projects = projects
        self._topics = topics

    async def __call__(self, attempt: Attempt) -> None:
        await take_all(attempt)
        job = attempt.job
        is_followed = job.payload_as(NewPayload).is_followed
        has_request = bool(job.prompt or job.files or job.payload_as(NewPayload).links)
        begin = LocalizedMessage("new.done", {"begin": how_to_begin(job.chat)})
        if is_followed or has_request:
            begin = LocalizedMessage("new.begun")
        if (topic := await self._topic(attempt)) is not None:
            await self._projects.chats.update(topic, ChatFields(takes_name=True))
            await attempt.responder.send("new", LocalizedMessage("new.topic"))
            if has_request:
                return await _ask_in(attempt, topic)
            return await say_in_topic(attempt, topic, begin)
        if attempt.load(SessionForgotten) is None:
            await self._projects.leave(attempt.job.chat)
            await attempt.save(SessionForgotten())
        # What the agent asked about is gone with the project.
        if (job_id := await attempt.job_queue.questions.asking_job_id(attempt.job.chat)) is not None:
            await attempt.job_queue.cancel(attempt.job.chat, QueueName.MAIN, job_id)
        await attempt.responder.send("new", begin)
        if has_request:
            await _ask_in(attempt, job.chat)

    async def _topic(self, attempt: Attempt) -> ChatKey | None:
        """Return the topic of the new project; ``None`` if it begins here."""
        key = attempt.job.chat
        if (opened := attempt.load(TopicOpened)) is not None:
            return ChatKey(key.chat_id, opened.topic_id)
        if (
            attempt.job.payload_as(NewPayload).is_followed
            or attempt.load(SessionForgotten)
            or not await self._projects.chats.has_content(await self._projects.chats.get(key))
        ):
            return None
        topic = await self._topics.open(key, Words(attempt.job.language).plain("new.topic_name"))
        if topic is not None:
            await attempt.save(TopicOpened(topic_id=topic.topic_id or 0))
        return topic


async def _ask_in(attempt: Attempt, chat: ChatKey) -> None:
    """Store the request that came with ``/new``, once; where there is no room for it, offer it under a button."""
    job, asked = attempt.job, attempt.job.payload_as(NewPayload)
    edit = replace(
        job,
        id=follow_up_job_id(job.id, _REQUEST),
        chat=chat,
        kind=JobKind.EDIT,
        # Telegram refuses answers to a message of another topic.
        message_id=job.message_id if chat == job.chat else None,
        payload=EditPayload(links=asked.links, text_not_asked_for=asked.text_not_asked_for),
    )
    try:
        await attempt.job_queue.enqueue([edit], f"{job.id}:asked")
    except (QueueFull, QuotaExceeded) as refused:
        held_id = follow_up_job_id(job.id, chat.topic_id or 0)
        offer = _why_held(attempt, refused, Button("button.run_arrived", RunSaved(held_id)))
        held = message_job(
            chat,
            offer,
            requester_id=job.requester_id,
            language=job.language,
            asked_at=job.asked_at,
            job_id=held_id,
        )
        payload = MessagePayload(message=offer, links=asked.links)
        held = replace(held, prompt=job.prompt, files=job.files, payload=payload)
        try:
            await attempt.job_queue.enqueue([held], f"{job.id}:told")
        except QueueFull:  # Nor for that: the person still has their message.
            await attempt.responder.send("not_held", LocalizedMessage("error.queue_full"))


def _why_held(
    attempt: Attempt, refused: QueueFull | QuotaExceeded, button: Button
) -> LocalizedMessage | ListMessage:
    if isinstance(refused, QueueFull):
        return LocalizedMessage("new.held", buttons=(button,))
    over = quota_message(refused.warning, attempt.job_queue.quotas, is_over=True)
    return with_lines(over, (LocalizedMessage("new.held_until_reset"),), (button,))


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
        job_id=follow_up_job_id(job.id, topic.topic_id or 0),
    )
    await attempt.job_queue.enqueue([said], f"{job.id}:told")
