"""Sending once, even when the process dies between a send and its answer.

Telegram has no idempotency keys, and bots can't read a chat. But an **edit** tells whether a message is there: an edit
to what it already says is refused as "not modified". So the newest known message number is saved before a send. An
attempt that finds this without an answer tries the numbers after it, except those of known messages, and sends again
only if none of them is the lost one.

One window stays open, because only Telegram can close it: a request that takes effect only after both looks for its
message (``SETTLE_S`` apart) is sent a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import structlog
from redis.exceptions import RedisError
from telegram import Message, ReplyParameters
from telegram.error import BadRequest, NetworkError

from bot.jobs.checkpoints import Checkpoints, Gathered, MessageSend, SentMessage
from bot.jobs.model import ACKNOWLEDGED, Job
from bot.telegram.sending.api_calls import OutcomeUnknown, TelegramCalls
from bot.telegram.sending.message_fields import MessageFields
from bot.telegram.sending.rate_limiter import SendPermit, SendPriority
from bot.telegram.sending.send_refusals import SendRefusal, send_in_best_form, send_refusal_of
from bot.telegram.sending.sent_messages import SentMessageLog
from bot.words import Words

log = structlog.get_logger(__name__)

SETTLE_S = 2.0
"""Pause before the second look for a lost message: Telegram may still be working on the request."""

ANSWER_GRACE_S = 0.3
"""How long an interrupted send may still be answered, which saves looking for its message later."""

SENDS_LIMIT = 3
"""How often a send is tried whose outcome stays unknown."""

NEWEST_S = 1.0
"""How long the newest known number may be read before a send; more of them later would hide the lost message."""

Call: TypeAlias = Callable[..., Awaitable[Any]]
"""A method of the bot, with the parameters that are the same in each form of a message."""


@dataclass(slots=True)
class JobSender:
    """Sends the messages of one job to its chat, each of them once."""

    job: Job  # the job
    checkpoints: Checkpoints  # where its sends are saved
    telegram_calls: TelegramCalls  # makes the calls
    sent: SentMessageLog  # numbers of known messages
    language_of: Callable[[Job], Awaitable[str | None]] | None = (
        None  # reads the language that its chat has chosen
    )

    async def renew_language(self) -> None:
        """Go on in the language that the chat has chosen while the job runs, or waits; short jobs need no look."""
        if self.language_of is None or self.job.kind not in ACKNOWLEDGED:
            return
        with contextlib.suppress(RedisError):  # The words before are better than an end of what is shown.
            if language := await self.language_of(self.job):
                self.job = replace(self.job, language=language)

    @property
    def words(self) -> Words:
        """The texts in the chat's language."""
        return Words(self.job.language)

    async def send(
        self,
        idempotency_key: str,
        fields: MessageFields,
        send: Call,
        edit: Call,
        *,
        priority: SendPriority = SendPriority.ANSWER,
        permit: SendPermit | None = None,
        is_reply: bool = True,
        plain_in_the_end: bool = False,
    ) -> SentMessage:
        """Send a message unless it is in the chat already.

        Args:
            idempotency_key: What is sent; unique within the job.
            fields: Parameters of both calls that are left out if Telegram refuses them, see `send_in_best_form`.
            send: Sends the message.
            edit: Edits a message to what is sent.
            priority: How urgent the message is.
            permit: The rate limiter's permission, if the caller has waited for it.
            is_reply: Whether it may quote the request.
            plain_in_the_end: Whether the plainest form is tried at last.

        Raises:
            ChatGone: Nobody is there.
            OutcomeUnknown: Sent several times without an answer, and not found.
            TelegramError: Refused.
        """
        chat_id = await self.telegram_calls.telegram_ids.telegram_chat_id(self.job.chat.chat_id)
        saved = self.checkpoints.load(MessageSend, idempotency_key)
        for _ in range(SENDS_LIMIT):
            if saved is not None and saved.sent is not None:
                await self.record(saved.sent)  # The process may have died before it noted the number.
                return saved.sent
            if saved is not None:
                found = await self._find(chat_id, saved.newest_before, edit, fields)
                if found is None:
                    await self.telegram_calls.clock.sleep(SETTLE_S)
                    found = await self._find(chat_id, saved.newest_before, edit, fields)
                if found is not None:
                    log.info("send_once.found_lost_message", idempotency_key=idempotency_key)
                    await self.checkpoints.save(saved.changed(sent=found), idempotency_key)
                    # Noted last: if this attempt dies in between, the next one has to find the message again.
                    await self.record(found)
                    return found
            # Before anything is saved: an attempt that ends while it waits has nothing to look for.
            permission, newest = await self._acquire(chat_id, priority, permit)
            permit = None
            saved = MessageSend(newest_before=newest)
            _, reply = await asyncio.gather(
                self.checkpoints.save(saved, idempotency_key), self._reply_to(chat_id)
            )
            sending = self._send(
                idempotency_key,
                saved,
                partial(send, rate_limit_args=permission),
                replace(fields, reply_parameters=reply if is_reply else None),
                chat_id,
                plain_in_the_end=plain_in_the_end,
            )
            try:
                return await _wait_for_answer(sending)
            except OutcomeUnknown:
                log.warning("send_once.outcome_unknown", idempotency_key=idempotency_key)
        raise OutcomeUnknown(idempotency_key)

    async def record(self, done: SentMessage, content: str | None = None) -> None:
        """Record that a message was sent; see ``SentMessageLog.record``."""
        # Where the message is: a group may just have become a supergroup, which counts for itself.
        job = self.job
        await self.sent.record(done.telegram_chat_id, done.message_id, job.chat, job.message_id, content)

    async def _acquire(
        self, chat_id: int, priority: SendPriority, permit: SendPermit | None
    ) -> tuple[SendPermit, int]:
        """Return the rate limiter's permission, and the highest number known right before the message is sent."""
        if permit is not None:
            return permit, await self.sent.newest(chat_id)
        clock = self.telegram_calls.clock
        began_s = clock.monotonic_s()
        permission, newest = await asyncio.gather(
            self.telegram_calls.acquire(chat_id, priority), self.sent.newest(chat_id)
        )
        if clock.monotonic_s() - began_s > NEWEST_S:
            newest = await self.sent.newest(chat_id)
        return permission, newest

    async def _reply_to(self, telegram_chat_id: int) -> ReplyParameters | None:
        """Return how to quote the request.

        Returns:
            ``None`` in a private chat if nothing else came in between, if the request has no message, and if it was
            made before the group became this supergroup.
        """
        job = self.job
        if job.message_id is None or job.telegram_chat_id != telegram_chat_id:
            return None
        if job.chat.is_private:
            gathered = self.checkpoints.load(Gathered) or Gathered()
            parts = (file.message_id or 0 for file in job.files)
            last = max(job.message_id, gathered.last_message_id, *parts)
            if not await self.sent.is_followed(job.chat, last, but_by=job.message_id):
                return None
        return ReplyParameters(job.message_id, allow_sending_without_reply=True)

    async def _send(
        self,
        idempotency_key: str,
        saved: MessageSend,
        send: Call,
        fields: MessageFields,
        quoted_in: int,
        *,
        plain_in_the_end: bool,
    ) -> SentMessage:
        async def call(chat_id: int) -> Message:
            # In the supergroup that a group has just become, the request has another number.
            reply = fields.reply_parameters if chat_id == quoted_in else None
            topic_id = self.job.chat.topic_id
            placed = replace(fields, message_thread_id=topic_id, reply_parameters=reply)
            message: Message = await send_in_best_form(
                partial(send, chat_id), placed, plain_in_the_end=plain_in_the_end
            )
            return message

        try:
            message = await self.telegram_calls.call(self.job.chat.chat_id, call, repeatable=False)
        except OutcomeUnknown:
            raise
        except Exception:
            # Refused or never sent: the next attempt needn't look for it.
            await self.checkpoints.delete(MessageSend, idempotency_key)
            raise
        done = sent_message(message)
        await self.checkpoints.save(saved.changed(sent=done), idempotency_key)
        await self.record(done)
        return done

    async def _find(self, chat_id: int, after: int, edit: Call, fields: MessageFields) -> SentMessage | None:
        fields = replace(fields, thumbnail=None, cover=None)
        for message_id in await self.sent.unknown(chat_id, after):
            call = partial(edit, message_id=message_id, rate_limit_args=SendPriority.FREE)
            try:
                answer = await self.telegram_calls.call(
                    chat_id, partial(_edit_to_same, call, fields), repeatable=True
                )
            except BadRequest as error:
                if send_refusal_of(error) is not SendRefusal.UNMODIFIED:
                    continue  # No such message, another person's, or of another kind.
                answer = None
            except NetworkError:
                continue
            if isinstance(answer, Message):
                return sent_message(answer)
            return SentMessage(message_id=message_id, telegram_chat_id=chat_id)
        return None


async def _edit_to_same(edit: Call, fields: MessageFields, chat_id: int) -> Message | bool:
    answer: Message | bool = await send_in_best_form(partial(edit, chat_id=chat_id), fields)
    return answer


async def _wait_for_answer(sending: Coroutine[Any, Any, SentMessage]) -> SentMessage:
    task = asyncio.create_task(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=ANSWER_GRACE_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


def sent_message(message: Message) -> SentMessage:
    """Return what is kept of a message that was sent."""
    sent = SentMessage(message_id=message.message_id, telegram_chat_id=message.chat.id)
    # A video without sound becomes an animation, which Telegram describes as a document as well.
    for kind in ("video", "animation", "document"):
        media = getattr(message, kind)
        if media is not None:
            pictures = [media.thumbnail, *(getattr(media, "cover", None) or ())]
            picture_id = next((one.file_id for one in reversed(pictures) if one is not None), "")
            return sent.changed(file_id=media.file_id, kind=kind, picture_id=picture_id)
    return sent
