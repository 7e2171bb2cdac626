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
from functools import partial
from typing import Any

import structlog
from telegram import Message, ReplyParameters
from telegram.error import BadRequest, NetworkError

from bot.jobs.checkpoints import Checkpoints, MessageSend, SentMessage
from bot.jobs.model import Job
from bot.telegram.sending.api_calls import OutcomeUnknown, TelegramCalls
from bot.telegram.sending.quoting import reply_to
from bot.telegram.sending.rate_limiter import Acquired, SendPriority
from bot.telegram.sending.refusals import Refusal, refusal_of
from bot.telegram.sending.sent_messages import SentMessageLog

log = structlog.get_logger(__name__)

SETTLE_S = 2.0
"""Pause before the second look for a lost message: Telegram may still be working on the request."""

ANSWER_GRACE_S = 0.3
"""How long an interrupted send may still be answered, which saves looking for its message later."""

SENDS_LIMIT = 3
"""How often a send is tried whose outcome stays unknown."""

NEWEST_S = 1.0
"""How long the newest known number may be read before a send; more of them later would hide the lost message."""

Send = Callable[[int, Acquired, ReplyParameters | None], Awaitable[Message]]
"""Sends a message, given its chat's id in Telegram, the rate limiter's permission, and how to quote the request."""


async def send_once(
    checkpoints: Checkpoints,
    idempotency_key: str,
    job: Job,
    telegram_calls: TelegramCalls,
    sent: SentMessageLog,
    send: Send,
    probe_edit: Callable[[int, int], Awaitable[Any]],
    priority: SendPriority = SendPriority.ANSWER,
    acquired: Acquired | None = None,
) -> SentMessage:
    """Send a message unless it is in the chat already.

    Args:
        checkpoints: Where the job's sends are saved.
        idempotency_key: What is sent; unique within the job.
        job: The job that it is about, whose chat it goes to.
        telegram_calls: Makes the calls.
        sent: Numbers of known messages.
        send: Sends the message, see `Send`.
        probe_edit: Edits a message, given the chat's id in Telegram and the message's number, to what is sent.
        priority: How urgent the message is.
        acquired: The rate limiter's permission, if the caller has waited for it.

    Raises:
        ChatGone: Nobody is there.
        OutcomeUnknown: Sent several times without an answer, and not found.
        TelegramError: Refused.
    """
    chat_id = await telegram_calls.telegram_chat_id(job.chat.chat_id)
    saved = checkpoints.load(MessageSend, idempotency_key)
    for _ in range(SENDS_LIMIT):
        if saved is not None and saved.sent is not None:
            # The process may have died before it noted the number.
            await sent.record(saved.sent.telegram_chat_id, saved.sent.message_id, job.chat, job.message_id)
            return saved.sent
        if saved is not None:
            found = await _find_with_retry(chat_id, saved.newest_before, telegram_calls, sent, probe_edit)
            if found is not None:
                log.info("send_once.found_lost_message", idempotency_key=idempotency_key)
                await checkpoints.save(saved.model_copy(update={"sent": found}), idempotency_key)
                # Noted last: if this attempt dies in between, the next one has to find the message again.
                await sent.record(chat_id, found.message_id, job.chat, job.message_id)
                return found
        # Before anything is saved: an attempt that ends while it waits has nothing to look for.
        permission, newest = await _acquire(chat_id, telegram_calls, sent, priority, acquired)
        acquired = None
        saved = MessageSend(newest_before=newest)
        _, reply = await asyncio.gather(
            checkpoints.save(saved, idempotency_key), reply_to(job, chat_id, checkpoints, sent)
        )

        send_there = partial(_send_to, send, chat_id, permission, reply)
        try:
            return await _wait_for_answer(
                _send(checkpoints, idempotency_key, saved, job, telegram_calls, sent, send_there)
            )
        except OutcomeUnknown:
            log.warning("send_once.outcome_unknown", idempotency_key=idempotency_key)
    raise OutcomeUnknown(idempotency_key)


async def _send_to(
    send: Send, quoted_in: int, permission: Acquired, reply: ReplyParameters | None, chat_id: int
) -> Message:
    # In the supergroup that a group has just become, the request has another number.
    return await send(chat_id, permission, reply if chat_id == quoted_in else None)


async def _acquire(
    chat_id: int,
    telegram_calls: TelegramCalls,
    sent: SentMessageLog,
    priority: SendPriority,
    acquired: Acquired | None,
) -> tuple[Acquired, int]:
    """Return the rate limiter's permission, and the highest number known right before the message is sent."""
    if acquired is not None:
        return acquired, await sent.newest(chat_id)
    began_s = telegram_calls.clock.monotonic_s()
    permission, newest = await asyncio.gather(telegram_calls.acquire(chat_id, priority), sent.newest(chat_id))
    if telegram_calls.clock.monotonic_s() - began_s > NEWEST_S:
        newest = await sent.newest(chat_id)
    return permission, newest


async def _send(
    checkpoints: Checkpoints,
    idempotency_key: str,
    saved: MessageSend,
    job: Job,
    telegram_calls: TelegramCalls,
    sent: SentMessageLog,
    send: Callable[[int], Awaitable[Message]],
) -> SentMessage:
    try:
        message = await telegram_calls.call(job.chat.chat_id, send, repeatable=False)
    except OutcomeUnknown:
        raise
    except Exception:
        # Refused, or never sent: there is nothing to look for.
        await checkpoints.delete(MessageSend, idempotency_key)
        raise
    done = sent_message(message)
    await checkpoints.save(saved.model_copy(update={"sent": done}), idempotency_key)
    # Where the message is now: a group may just have become a supergroup, which counts for itself.
    await sent.record(done.telegram_chat_id, done.message_id, job.chat, job.message_id)
    return done


async def _wait_for_answer(sending: Coroutine[Any, Any, SentMessage]) -> SentMessage:
    task = asyncio.create_task(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=ANSWER_GRACE_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


async def _find_with_retry(
    chat_id: int,
    after: int,
    telegram_calls: TelegramCalls,
    sent: SentMessageLog,
    probe_edit: Callable[[int, int], Awaitable[Any]],
) -> SentMessage | None:
    found = await _find(chat_id, after, telegram_calls, sent, probe_edit)
    if found is None:
        await telegram_calls.clock.sleep(SETTLE_S)
        found = await _find(chat_id, after, telegram_calls, sent, probe_edit)
    return found


async def _find(
    chat_id: int,
    after: int,
    telegram_calls: TelegramCalls,
    sent: SentMessageLog,
    probe_edit: Callable[[int, int], Awaitable[Any]],
) -> SentMessage | None:
    for message_id in await sent.unknown(chat_id, after):

        async def edit(telegram_chat_id: int, message_id: int = message_id) -> Any:
            return await probe_edit(telegram_chat_id, message_id)

        try:
            answer = await telegram_calls.call(chat_id, edit, repeatable=True)
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
