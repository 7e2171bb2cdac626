"""What all handlers share: making jobs of updates and storing them."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from telegram import ChatMemberUpdated, Message, Update, User

from bot.chats.chats import Chat, Chats
from bot.chats.key import ChatKey
from bot.job_types import QUEUES
from bot.jobs.checkpoints import AgentAnswered
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import ACKNOWLEDGED, Attachment, Job, JobKind, message_job, new_job_id
from bot.jobs.payloads import MessagePayload, Payload
from bot.jobs.queue.album import ArrivedPart
from bot.jobs.queue.job_queue import BotFull, Enqueued, JobQueue, PersonFull, QueueFull
from bot.jobs.queue.quota_messages import quota_message
from bot.jobs.queue.quotas import COUNTED, QuotaExceeded
from bot.runtime.clock import Clock
from bot.skills.cards import SkillCard, SkillCards
from bot.telegram.reading.addressing import chat_key_of, language_code, requester_id_of, telegram_chat_id_of
from bot.telegram.reading.request import Request, digest_of, read_request
from bot.telegram.receiving.application import AnyApplication
from bot.telegram.sending.activity_signals import ActivitySignals
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.sent_messages import SentMessageLog
from bot.words import language_of

log = structlog.get_logger(__name__)

_FULL: dict[type[Exception], str] = {BotFull: "error.all_busy", PersonFull: "error.queue_full_person"}
"""Texts for full queues other than the chat's own."""

ANSWER_MARK = "="
"""Prefix of what is recorded of a message that answered a question: no edit makes it a request."""


@dataclass(frozen=True, slots=True)
class JobSubmitter:
    """Stores the jobs of updates, and acknowledges requests at once, whether or not a worker is free."""

    job_queue: JobQueue
    chats: Chats
    sent: SentMessageLog
    cards: SkillCards
    clock: Clock
    application: AnyApplication
    telegram_calls: TelegramCalls

    async def reply(self, update: Update, message: LocalizedMessage | ListMessage) -> None:
        """Answer with a text."""
        await self.submit(update, JobKind.MESSAGE, MessagePayload(message=message))

    async def send_to_joined_chat(
        self, update: Update, change: ChatMemberUpdated, text: LocalizedMessage
    ) -> None:
        """Say something in a chat that the bot has joined."""
        job = message_job(
            ChatKey(change.chat.id),
            text,
            requester_id=change.from_user.id,
            language=language_of(language_code(change.from_user)),
            asked_at=self.clock.now(),
        )
        with contextlib.suppress(QueueFull):
            await self.job_queue.enqueue([job], update.update_id)

    async def submit(self, update: Update, kind: JobKind, payload: Payload | None = None) -> bool:
        """Store one job; see :meth:`enqueue`."""
        return await self.enqueue(update, [self.job(update, kind, payload=payload)])

    async def enqueue(self, update: Update, jobs: Sequence[Job], arrival: ArrivedPart | None = None) -> bool:
        """Store what an update asks for; it may be confirmed when this returns.

        Args:
            update: The update being handled.
            jobs: The jobs that it asks for.
            arrival: The part of a request that it brings; see ``JobQueue.enqueue``.

        Returns:
            Whether they are stored now for the first time. If there is no room for them, or a quota is used up, the
            chat is notified instead.
        """
        jobs = await self.localize_jobs(update, jobs)
        message = update.message
        records: list[Coroutine[Any, Any, None]] = [] if message is None else [self.record(message)]
        if arrival is None or arrival.kind != "unaddressed":
            records.append(self.chats.extend_ttl(jobs[0].chat))
        enqueued: Enqueued
        try:
            # In one round trip: a person waits for the first sign.
            enqueued, *_ = await asyncio.gather(
                self.job_queue.enqueue(
                    jobs, update.update_id, arrival, on_begun=lambda: self._acknowledge(update, jobs)
                ),
                *records,
            )
        except (QueueFull, QuotaExceeded) as error:
            log.warning("submit.refused", chat=str(jobs[0].chat), reason=str(error) or "queue full")
            no_room = self.no_room_message(error)
            # A message with a token is deleted all the same.
            urgent = [job for job in jobs if job.kind is JobKind.DELETE_TOKEN]
            mark = _refusal_mark(update, arrival)
            try:
                await self.job_queue.enqueue([*urgent, await self._saying(update, no_room)], mark)
            except QueueFull:
                # Asked over and over: enough answers are on their way.
                if urgent:
                    await self.job_queue.enqueue(urgent, mark)
            return False
        if any(job.kind in COUNTED for job in jobs):
            await self._warn(update, jobs[-1], enqueued)
        return enqueued.is_new

    def _acknowledge(self, update: Update, jobs: Sequence[Job]) -> None:
        """React to a request in the background; a crash may lose the reaction."""
        for job in jobs:
            if job.kind in ACKNOWLEDGED:
                signals = ActivitySignals(job, self.telegram_calls)
                self.application.create_task(signals.acknowledge(), update, name="acknowledge")

    def no_room_message(self, error: QueueFull | QuotaExceeded) -> LocalizedMessage:
        """Return the message that says why there is no room for a job."""
        if isinstance(error, QuotaExceeded):
            return quota_message(error.warning, self.job_queue.quotas, is_over=True)
        return LocalizedMessage(_FULL.get(type(error), "error.queue_full"))

    async def _warn(self, update: Update, job: Job, enqueued: Enqueued) -> None:
        """Warn about an accepted request: little is left of a quota, or new jobs are not begun."""
        warnings = [
            await self._saying(update, quota_message(warning, self.job_queue.quotas, is_over=False))
            for warning in enqueued.warnings
        ]
        # A part of a request may only have joined another job, which may have begun.
        if enqueued.is_paused and await self.job_queue.find(job.chat, job.id) is not None:
            warnings.append(await self._saying(update, LocalizedMessage("job.paused")))
        if warnings:
            with contextlib.suppress(QueueFull):
                await self.job_queue.enqueue(warnings, f"{update.update_id}:told")

    async def _saying(self, update: Update, message: LocalizedMessage) -> Job:
        job = self.job(update, JobKind.MESSAGE, payload=MessagePayload(message=message))
        return (await self.localize_jobs(update, [job]))[0]

    async def localize_jobs(self, update: Update, jobs: Sequence[Job]) -> list[Job]:
        """Return jobs in the language that their chat has chosen, or else in the sender's."""
        codes = [await self._chat_language_code(update, job.chat) for job in jobs]
        return [
            replace(job, language=language_of(code), language_code=code)
            for job, code in zip(jobs, codes, strict=True)
        ]

    async def reply_alone(
        self, update: Update, message: LocalizedMessage, mark: int | str | None = None
    ) -> None:
        """Answer an update; nothing but the answer is stored, and only for a short time.

        Args:
            update: The update.
            message: The answer.
            mark: The name under which it is sent once; by default the update's number.
        """
        with contextlib.suppress(QueueFull):  # Asked over and over: an answer is on its way.
            await self.job_queue.enqueue([await self._saying(update, message)], mark or update.update_id)

    async def record(self, message: Message, mark: str = "") -> None:
        """Record a message, and that a person still needs the message that it replies to or pins.

        Args:
            message: The message.
            mark: ``ANSWER_MARK`` if it answered a question, ``BARE_ANSWER`` if it answers nothing.
        """
        telegram_chat_id, key = telegram_chat_id_of(message.chat), chat_key_of(message)
        digest = f"{mark}{digest_of(message)}"
        await self.sent.record(telegram_chat_id, message.message_id, key, content=digest)
        for needed in (message.reply_to_message, message.pinned_message):
            if needed is not None:
                await self.chats.mark_result_in_use(key, telegram_chat_id, needed.message_id)

    async def record_decision(self, message: Message) -> None:
        """Record that a message of the bot asks for no decision any more."""
        await self.sent.mark_decided(
            telegram_chat_id_of(message.chat), message.message_id, chat_key_of(message)
        )

    async def read(self, message: Message, bot: User) -> Request:
        """Read what a message asks for."""
        return read_request(message, bot, agent_knows_replied=await self._agent_knows_replied(message))

    async def _agent_knows_replied(self, message: Message) -> bool:
        """Return whether the agent knows the words of the message that this one answers.

        It does if it has said them last, or was asked for something with them.
        """
        replied = message.reply_to_message
        if replied is None:
            return False
        telegram_chat_id, key = telegram_chat_id_of(message.chat), chat_key_of(message)
        chat = await self.chats.get(key)
        if chat.is_latest_result(telegram_chat_id, replied.message_id):
            return chat.result_session_id == chat.session_id
        answered = await self.latest_answer(chat)
        if answered is not None and _is_said(replied.text or replied.caption or "", answered.text):
            return True
        asked = await self.job_queue.find_by_message(key, telegram_chat_id, replied.message_id)
        return asked is not None

    async def latest_answer(self, chat: Chat) -> AgentAnswered | None:
        """Return what the agent answered last in a chat's current project, if that is still known."""
        if chat.answer_job_id is None or chat.answer_session_id != chat.session_id:
            return None
        status = await self.job_queue.find(chat.key, chat.answer_job_id)
        return None if status is None else await self.job_queue.load_checkpoint(status.job, AgentAnswered)

    def job(
        self,
        update: Update,
        kind: JobKind,
        *,
        prompt: str = "",
        files: tuple[Attachment, ...] = (),
        payload: Payload | None = None,
        message_id: int | None = None,
    ) -> Job:
        """Make a job of the person who caused an update, for the chat of the update.

        Args:
            update: The update being handled.
            kind: What the job is for.
            prompt: What is asked for in words, without command.
            files: The files of the request.
            payload: What else the kind needs.
            message_id: The message that answers reply to; by default the one that the update brings.
        """
        query = update.callback_query
        message = query.message if query is not None else update.message or update.edited_message
        if not isinstance(message, Message):
            raise TypeError("an update without a message is no job")
        asked_by_message = message.message_id if query is None else None
        return Job(
            id=new_job_id(),
            chat=chat_key_of(message),
            queue=QUEUES[kind],
            kind=kind,
            requester_id=requester_id_of(update),
            message_id=message_id or asked_by_message,
            language=language_of(language_code(update.effective_user)),
            prompt=prompt,
            files=files,
            payload=payload,
            asked_at=self.clock.now(),
            telegram_chat_id=telegram_chat_id_of(message.chat),
            chat_title=message.chat.title or "",
            is_press=query is not None,
        )

    async def chat_language(self, update: Update, chat: ChatKey) -> str:
        """Return the language that the chat has chosen, or else that of the person who caused the update."""
        return language_of(await self._chat_language_code(update, chat))

    async def _chat_language_code(self, update: Update, chat: ChatKey) -> str:
        read = await self.chat(update, chat)
        return read.language or language_code(update.effective_user) or ""

    async def chat(self, update: Update, key: ChatKey) -> Chat:
        """Return what is known of a chat; an update's handlers share one reading for a moment."""
        return await self.chats.get_for(_UpdateReader(f"update:{update.update_id}", key))

    async def card(self, update: Update, message: Message) -> SkillCard:
        """Return the chat's active skill card."""
        chat = await self.chat(update, chat_key_of(message))
        return self.cards.active(chat.skill, await self.chat_language(update, chat.key))


@dataclass(frozen=True, slots=True)
class _UpdateReader:
    """An update whose handlers share what one of them has read of its chat."""

    id: str
    chat: ChatKey


def _refusal_mark(update: Update, arrival: ArrivedPart | None) -> int | str:
    """Return the name under which a refusal is sent once: for all parts that came together."""
    if arrival is None or not (arrival.part.album or arrival.part.is_forwarded):
        return update.update_id
    return f"refused:{arrival.part.album or arrival.part.sent_at}"


def _is_said(shown: str, answer: str) -> bool:
    """Return whether a message shows an answer, or a part of it, whatever its formatting."""
    first, second = ("".join(filter(str.isalnum, text)) for text in (shown, answer))
    return bool(first and second) and (first in second or second in first)
