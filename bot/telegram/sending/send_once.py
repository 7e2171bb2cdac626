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
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from itertools import islice
from typing import Any

import structlog
from redis.asyncio import Redis
from telegram import Message, ReplyParameters
from telegram.error import BadRequest, NetworkError

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import Checkpoints, Gathered, MessageSend, SentMessage
from bot.jobs.model import Job
from bot.store import keys
from bot.telegram.sending.api_calls import OutcomeUnknown, TelegramCalls
from bot.telegram.sending.rate_limiter import Acquired, SendPriority
from bot.telegram.sending.refusals import Refusal, refusal_of

log = structlog.get_logger(__name__)

PROBE_LIMIT = 40
"""How many message numbers are tried to find a lost message."""

PROBE_AHEAD = 5
"""How many numbers above the newest known one are tried: the lost message may be the newest of all."""

SETTLE_S = 2.0
"""Pause before the second look for a lost message: Telegram may still be working on the request."""

ANSWER_GRACE_S = 0.3
"""How long an interrupted send may still be answered, which saves looking for its message later."""

SENDS_LIMIT = 3
"""How often a send is tried whose outcome stays unknown."""


class SentMessageLog:
    """Message numbers of a chat: the newest known one, and which belong to known messages.

    Private chats and basic groups share one sequence of numbers, the bot's own; supergroups and channels count
    for themselves.

    Args:
        redis: The store that holds the numbers.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def record(
        self,
        telegram_chat_id: int,
        message_id: int,
        chat: ChatKey,
        request_id: int | None = None,
        content: str | None = None,
    ) -> None:
        """Record that a message is known, so that nobody takes it for a lost one.

        Args:
            telegram_chat_id: The id that its chat has in Telegram.
            message_id: The message.
            chat: The chat and topic that it is in.
            request_id: The message with the request that it answers; by default it is a request itself.
            content: What `JobReader.seen` returns of it; empty if no edit may make it a request, as it did something
                else. ``None`` for a message of the bot.
        """
        key = keys.message_numbers_key(number_sequence(telegram_chat_id))
        latest = keys.latest_messages_key(str(chat))
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(key, {str(message_id): message_id})
            pipe.zremrangebyrank(key, 0, -keys.MESSAGE_NUMBERS_KEPT - 1)
            pipe.expire(key, keys.MESSAGE_NUMBERS_TTL_S)
            if chat.is_private:
                pipe.zadd(latest, {str(request_id or message_id): message_id}, gt=True)
                pipe.zremrangebyrank(latest, 0, -keys.LATEST_MESSAGES_KEPT - 1)
                pipe.expire(latest, keys.MESSAGE_NUMBERS_TTL_S)
            if content is not None:
                pipe.set(keys.seen_key(str(chat), telegram_chat_id, message_id), content, ex=keys.SEEN_TTL_S)
            await pipe.execute()

    async def is_followed(self, chat: ChatKey, message_id: int, but_by: int | None = None) -> bool:
        """Return whether another message came after one in a private chat.

        Args:
            chat: The chat and topic.
            message_id: The message.
            but_by: The message with a request whose answers don't count.
        """
        rows: list[Any] = await self._redis.zrangebyscore(
            keys.latest_messages_key(str(chat)), f"({message_id}", "+inf"
        )
        return any(row != str(but_by) for row in rows)

    async def newest(self, chat_id: int) -> int:
        """Return the highest known number, or 0."""
        rows: list[Any] = await self._redis.zrange(keys.message_numbers_key(number_sequence(chat_id)), -1, -1)
        return int(rows[0]) if rows else 0

    async def unknown(self, chat_id: int, after: int) -> list[int]:
        """Return the numbers above ``after`` that may be a lost message, the likeliest first."""
        key = keys.message_numbers_key(number_sequence(chat_id))
        rows: list[Any] = await self._redis.zrangebyscore(key, f"({after}", "+inf")
        known = {int(row) for row in rows}
        end = max(known, default=after) + PROBE_AHEAD
        unknown = (number for number in range(after + 1, end + 1) if number not in known)
        return list(islice(unknown, PROBE_LIMIT))


def number_sequence(chat_id: int) -> str:
    """Return which sequence of message numbers a chat belongs to: ids of supergroups and channels begin with -100."""
    return str(chat_id) if chat_id < -1_000_000_000_000 else "own"


@dataclass(frozen=True, slots=True)
class JobSender:
    """Sends the messages of one job to its chat, each of them once."""

    job: Job  # the job
    checkpoints: Checkpoints  # where its sends are saved
    telegram_calls: TelegramCalls  # makes the calls
    sent: SentMessageLog  # numbers of known messages

    async def send(
        self,
        idempotency_key: str,
        send: Callable[[int, Acquired], Awaitable[Message]],
        probe_edit: Callable[[int, int], Awaitable[Any]],
        priority: SendPriority = SendPriority.ANSWER,
        acquired: Acquired | None = None,
    ) -> SentMessage:
        """Send a message unless it is in the chat already.

        Args:
            idempotency_key: What is sent; unique within the job.
            send: Sends the message, given the chat's id in Telegram and the rate limiter's permission.
            probe_edit: Edits a message, given the chat's id in Telegram and the message's number, to what is sent.
            priority: How urgent the message is.
            acquired: The rate limiter's permission, if the caller has waited for it.

        Raises:
            ChatGone: Nobody is there.
            OutcomeUnknown: Sent several times without an answer, and not found.
            TelegramError: Refused.
        """
        chat_id = await self.telegram_calls.telegram_chat_id(self.job.chat.chat_id)
        saved = self.checkpoints.load(MessageSend, idempotency_key)
        for _ in range(SENDS_LIMIT):
            if saved is not None and saved.sent is not None:
                await self._record(saved.sent)  # The process may have died before it noted the number.
                return saved.sent
            if saved is not None:
                found = await self._find(chat_id, saved.newest_before, probe_edit)
                if found is None:
                    await self.telegram_calls.clock.sleep(SETTLE_S)
                    found = await self._find(chat_id, saved.newest_before, probe_edit)
                if found is not None:
                    log.info("send_once.found_lost_message", idempotency_key=idempotency_key)
                    await self.checkpoints.save(saved.model_copy(update={"sent": found}), idempotency_key)
                    # Noted last: if this attempt dies in between, the next one has to find the message again.
                    await self._record(found)
                    return found
            # Before anything is saved: an attempt that ends while it waits has nothing to look for.
            permission = acquired or await self.telegram_calls.acquire(chat_id, priority)
            acquired = None
            saved = MessageSend(newest_before=await self.sent.newest(chat_id))
            await self.checkpoints.save(saved, idempotency_key)
            try:
                return await _wait_for_answer(self._send(idempotency_key, saved, send, permission))
            except OutcomeUnknown:
                log.warning("send_once.outcome_unknown", idempotency_key=idempotency_key)
        raise OutcomeUnknown(idempotency_key)

    async def place(self, telegram_chat_id: int, *, is_reply: bool = True) -> dict[str, Any]:
        """Return the parameters that say where in the chat a message goes, and what it quotes."""
        quoted = await self._quote(telegram_chat_id) if is_reply else None
        return {"message_thread_id": self.job.chat.topic_id, "reply_parameters": quoted}

    async def _quote(self, telegram_chat_id: int) -> ReplyParameters | None:
        """Return how to quote the request.

        Not in a private chat where nothing else came in between; if the request has no message; and if it was made
        before the group became this supergroup.
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

    async def _record(self, done: SentMessage) -> None:
        # Where the message is: a group may just have become a supergroup, which counts for itself.
        await self.sent.record(done.telegram_chat_id, done.message_id, self.job.chat, self.job.message_id)

    async def _send(
        self,
        idempotency_key: str,
        saved: MessageSend,
        send: Callable[[int, Acquired], Awaitable[Message]],
        permission: Acquired,
    ) -> SentMessage:
        try:
            message = await self.telegram_calls.call(
                self.job.chat.chat_id, lambda chat_id: send(chat_id, permission), repeatable=False
            )
        except OutcomeUnknown:
            raise
        except Exception:
            # Refused, or never sent: there is nothing to look for.
            await self.checkpoints.delete(MessageSend, idempotency_key)
            raise
        done = sent_message(message)
        await self.checkpoints.save(saved.model_copy(update={"sent": done}), idempotency_key)
        await self._record(done)
        return done

    async def _find(
        self, chat_id: int, after: int, probe_edit: Callable[[int, int], Awaitable[Any]]
    ) -> SentMessage | None:
        for message_id in await self.sent.unknown(chat_id, after):

            async def edit(telegram_chat_id: int, message_id: int = message_id) -> Any:
                return await probe_edit(telegram_chat_id, message_id)

            try:
                answer = await self.telegram_calls.call(chat_id, edit, repeatable=True)
            except BadRequest as error:
                if refusal_of(error) is not Refusal.UNMODIFIED:
                    continue  # No such message, somebody else's, or of another kind.
                answer = None
            except NetworkError:
                continue
            if isinstance(answer, Message):
                return sent_message(answer)
            return SentMessage(message_id=message_id, telegram_chat_id=chat_id)
        return None


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
            return sent.model_copy(update={"file_id": media.file_id, "kind": kind, "picture_id": picture_id})
    return sent
