"""What all handlers share: making jobs of updates and storing them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace

import structlog
from telegram import Message, Update

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Attachment, Job, JobKind, QueueName, new_job_id
from bot.jobs.payloads import Payload, PressPayload, SayPayload
from bot.jobs.queue.album import ArrivedPart
from bot.jobs.queue.job_queue import BotFull, JobQueue, QueueFull
from bot.jobs.queue.quotas import COUNTED, QuotaExceeded
from bot.runtime.clock import Clock
from bot.skills import Card, Cards
from bot.telegram.handlers.quota_messages import quota_exceeded, quota_warning
from bot.telegram.reading.senders import address_of, chat_key, language_code, owner_id
from bot.telegram.sending.send_once import SentMessageLog
from bot.words import language_of

log = structlog.get_logger(__name__)


class JobSubmitter:
    """Takes requests in.

    Args:
        job_queue: Where jobs go.
        chats: Language and settings of chats.
        sent: Is told every message number.
        cards: The skill cards.
        clock: Stamps jobs.
    """

    def __init__(
        self, job_queue: JobQueue, chats: Chats, sent: SentMessageLog, cards: Cards, clock: Clock
    ) -> None:
        self.job_queue = job_queue
        self.chats = chats
        self.cards = cards
        self._sent = sent
        self._clock = clock

    async def reply(self, update: Update, notice: LocalizedMessage) -> None:
        """Answer with a text."""
        await self.enqueue(
            update, [self.job(update, QueueName.QUICK, JobKind.SAY, payload=SayPayload(message=notice))]
        )

    async def enqueue(self, update: Update, jobs: Sequence[Job], arrival: ArrivedPart | None = None) -> None:
        """Store what an update asks for; it may be confirmed when this returns.

        Args:
            update: It.
            jobs: What it asks for.
            arrival: The part of a request that it brings; see ``JobQueue.accept``.
        """
        message = update.message
        notes = [] if message is None else [self.note(message)]
        if arrival is None or arrival.how != "beside":
            notes.append(self.chats.touch(jobs[0].chat))
        # Side by side: somebody waits for the first sign.
        jobs, _ = await asyncio.gather(self._in_languages(update, jobs), asyncio.gather(*notes))
        try:
            await self.job_queue.enqueue(jobs, update.update_id, arrival)
        except (QueueFull, QuotaExceeded) as error:
            log.warning("desk.refused", chat=str(jobs[0].chat), reason=str(error) or "lane full")
            notice = LocalizedMessage("error.all_busy" if isinstance(error, BotFull) else "error.queue_full")
            if isinstance(error, QuotaExceeded):
                notice = quota_exceeded(error.scarce, self.job_queue.quotas)
            refusal = await self._saying(update, notice)
            # What a press or a deletion asks for does not wait behind the others.
            at_once = [_without_success(job) for job in jobs if job.queue is QueueName.TAP]
            await self.job_queue.enqueue([*at_once, refusal], _refused(update, arrival))
            return
        if not any(job.kind in COUNTED for job in jobs):
            return
        told = [
            await self._saying(update, quota_warning(scarce, self.job_queue.quotas))
            for scarce in await self.job_queue.scarce(jobs[0].chat, update.update_id)
        ]
        if await self.job_queue.is_paused() and await self._is_waiting(jobs[-1]):
            told.append(await self._saying(update, LocalizedMessage("job.paused")))
        if told:
            with contextlib.suppress(QueueFull):
                await self.job_queue.enqueue(told, f"{update.update_id}:told")

    async def _is_waiting(self, job: Job) -> bool:
        """Whether a job was stored as one of its own: a part of a request may only have joined another."""
        return await self.job_queue.find(job.chat, job.id) is not None

    async def _saying(self, update: Update, notice: LocalizedMessage) -> Job:
        job = self.job(update, QueueName.QUICK, JobKind.SAY, payload=SayPayload(message=notice))
        return await self._in_language(update, job)

    async def packed(self, update: Update, job: Job) -> str:
        """A job that another one starts, if it finds that it may."""
        return (await self._in_language(update, job)).to_json()

    async def answer_unplaced(self, update: Update, toast: str) -> None:
        """Answer a press whose message can't be read any more: too old, or sent through another bot's results."""
        query = update.callback_query
        if query is None:
            return
        chat = query.message.chat.id if query.message is not None else query.from_user.id
        press = PressPayload(query_id=query.id, toast=toast)
        job = Job(
            id=new_job_id(),
            chat=ChatKey(chat),
            queue=QueueName.TAP,
            kind=JobKind.TAP,
            owner_id=query.from_user.id,
            message_id=None,
            language="en",
            asked_at=self._clock.now(),
            payload=press,
        )
        with contextlib.suppress(QueueFull):
            await self.job_queue.enqueue([await self._in_language(update, job)], update.update_id)

    async def _in_languages(self, update: Update, jobs: Sequence[Job]) -> list[Job]:
        return [await self._in_language(update, job) for job in jobs]

    async def _in_language(self, update: Update, job: Job) -> Job:
        return replace(job, language=await self.language_in(update, job.chat))

    async def turn_away(self, update: Update, answer: LocalizedMessage | str) -> None:
        """Answer somebody who may not use the bot; nothing is kept but the answer itself, and that not for long.

        Args:
            update: Of theirs.
            answer: A text, or for a pressed button a toast's key.
        """
        if isinstance(answer, LocalizedMessage):
            job = self.job(update, QueueName.QUICK, JobKind.SAY, payload=SayPayload(message=answer))
        else:
            query = update.callback_query
            press = PressPayload(query_id=query.id if query else "", toast=answer)
            job = self.job(update, QueueName.TAP, JobKind.TAP, payload=press)
        job = replace(job, language=await self.language_in(update, job.chat))
        with contextlib.suppress(QueueFull):  # Pressed over and over: there is an answer on its way.
            await self.job_queue.enqueue([job], update.update_id)

    async def note(self, message: Message) -> None:
        """Remember that a message with this number exists, and that somebody needs what it answers to or pins."""
        await self._sent.note(address_of(message.chat), message.message_id)
        for needed in (message.reply_to_message, message.pinned_message):
            if needed is not None:
                await self.chats.mark_used(chat_key(message), address_of(message.chat), needed.message_id)

    def job(
        self,
        update: Update,
        queue: QueueName,
        kind: JobKind,
        *,
        text: str = "",
        files: tuple[Attachment, ...] = (),
        payload: Payload | None = None,
        message_id: int | None = None,
    ) -> Job:
        """A job of whoever caused an update, for the chat where that was."""
        query = update.callback_query
        message = query.message if query is not None else update.message or update.edited_message
        if not isinstance(message, Message):
            raise TypeError("an update without a message is no job")
        asked_by_message = message.message_id if query is None else None
        return Job(
            id=new_job_id(),
            chat=chat_key(message),
            queue=queue,
            kind=kind,
            owner_id=owner_id(update),
            message_id=message_id or asked_by_message,
            language=language_of(language_code(update.effective_user)),
            text=text,
            files=files,
            payload=payload,
            asked_at=self._clock.now(),
            address=address_of(message.chat),
            chat_title=message.chat.title or "",
        )

    async def language_in(self, update: Update, chat: ChatKey) -> str:
        """What the chat chose, else the asker's."""
        return language_of((await self.chats.get(chat)).language or language_code(update.effective_user))

    async def card(self, update: Update, message: Message) -> Card:
        """The chat's active card."""
        chat = await self.chats.get(chat_key(message))
        return self.cards.active(chat.skill, await self.language_in(update, chat.key))


def _without_success(job: Job) -> Job:
    """A press whose request finds no place any more: its button stays as it is, and no toast claims anything."""
    if job.kind is not JobKind.TAP:
        return job
    press = job.payload_as(PressPayload)
    return replace(job, payload=press.model_copy(update={"toast": "", "redraw": ""}))


def _refused(update: Update, arrival: ArrivedPart | None) -> int | str:
    """The name of a refusal, under which it is told once: for all of what came together."""
    if arrival is None or not (arrival.part.album or arrival.part.is_forwarded):
        return update.update_id
    return f"refused:{arrival.part.album or arrival.part.sent_at}"
