"""Sending once, even when the process dies between Telegram's deed and its answer.

Telegram has no way to say "send this unless you did already", and bots can't read a chat. But an **edit** tells
whether a message is there: to what it already says, it is refused as "not modified". So before a send the newest
known message number is saved; a start that finds this without an answer tries the numbers that came after it,
leaving out those known to be other messages, and sends again only when none of them is the lost one.

One window stays open, because nobody but Telegram can close it: a request that has reached Telegram and takes effect
only after both looks for it (``SETTLE_S`` apart) is sent a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from itertools import islice
from typing import Any

import structlog
from redis.asyncio import Redis
from telegram import Message
from telegram.error import BadRequest, NetworkError

from bot.jobs.checkpoints import Checkpoints
from bot.store import keys
from bot.telegram.sending.api_calls import OutcomeUnknown, TelegramCalls, is_unmodified
from bot.telegram.sending.rate_limiter import SendPriority

log = structlog.get_logger(__name__)

PROBE_LIMIT = 40
"""Most message numbers that are tried to find a lost one."""

PROBE_BEYOND = 5
"""Numbers tried past the newest known one: the lost message may be the newest of all."""

SETTLE_S = 2.0
"""Pause before the second look for a lost message: Telegram may be at work on the request still."""

LAST_WORD_S = 0.3
"""How long a send that is interrupted may still be answered: better than to look for its message later."""

SENDS_LIMIT = 3
"""How often a send is tried whose outcome stays unknown."""


class SentMessageLog:
    """Message numbers of a chat: the newest one seen, and which are accounted for.

    Private chats and basic groups share one row of numbers (the bot's mailbox); supergroups and channels count
    for themselves.

    Args:
        redis: Where the numbers are.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def note(self, chat_id: int, message_id: int) -> None:
        """A message with this number exists: somebody wrote it, or we did and know it."""
        key = keys.message_numbers_key(mailbox(chat_id))
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(key, {str(message_id): message_id})
            pipe.zremrangebyrank(key, 0, -keys.MESSAGE_NUMBERS_KEPT - 1)
            pipe.expire(key, keys.MESSAGE_NUMBERS_TTL_S)
            await pipe.execute()

    async def newest(self, chat_id: int) -> int:
        """The highest number seen; 0 when none was."""
        rows: list[Any] = await self._redis.zrange(keys.message_numbers_key(mailbox(chat_id)), -1, -1)
        return int(rows[0]) if rows else 0

    async def unaccounted(self, chat_id: int, after: int) -> list[int]:
        """Numbers past ``after`` that may be a lost message; the likelier the sooner they come after it."""
        key = keys.message_numbers_key(mailbox(chat_id))
        rows: list[Any] = await self._redis.zrangebyscore(key, f"({after}", "+inf")
        known = {int(row) for row in rows}
        end = max(known, default=after) + PROBE_BEYOND
        unknown = (number for number in range(after + 1, end + 1) if number not in known)
        return list(islice(unknown, PROBE_LIMIT))


def mailbox(chat_id: int) -> str:
    """Which row of message numbers a chat belongs to (supergroups' and channels' ids begin with -100)."""
    return str(chat_id) if chat_id < -1_000_000_000_000 else "own"


async def send_once(
    checkpoints: Checkpoints,
    slot: str,
    chat_id: int,
    telegram_calls: TelegramCalls,
    sent: SentMessageLog,
    send: Callable[[int], Awaitable[Message]],
    edit_to_same: Callable[[int, int], Awaitable[Any]],
    urgency: SendPriority = SendPriority.ANSWER,
    *,
    acquired: bool = False,
) -> dict[str, Any]:
    """Send a message unless this slot's message is in the chat already.

    Args:
        checkpoints: Remembers the slot across crashes.
        slot: Name of what is sent, unique within the job.
        chat_id: Where to.
        telegram_calls: Makes the calls.
        sent: Message numbers.
        send: Sends it to a chat id.
        edit_to_same: Edits (chat id, message id) to just what is sent.
        urgency: What it is.
        acquired: Its turn has been waited for already.

    Returns:
        ``{"message_id": …, "chat_id": …, "file_id": …}`` as saved, with the ``kind`` of a video or file whose id is
        known.

    Raises:
        ChatGone: Nobody there.
        OutcomeUnknown: Sent several times with no answer, and not found.
        TelegramError: Refused.
    """
    chat_id = await telegram_calls.address(chat_id)
    saved = checkpoints.get_value(slot)
    for _ in range(SENDS_LIMIT):
        if saved is not None and "message_id" in saved:
            # Perhaps the process died before it could note it: nobody may take it for a lost one.
            await sent.note(saved.get("chat_id", chat_id), saved["message_id"])
            return dict(saved)
        if saved is not None:
            found = await _look_twice(chat_id, saved["after"], telegram_calls, sent, edit_to_same)
            if found is not None:
                log.info("once.found_lost_message", slot=slot)
                await checkpoints.save_value(slot, found)
                # Only then: an attempt that ends in between leaves it to be found by the next.
                await sent.note(chat_id, found["message_id"])
                return found
        if not acquired:
            # Before anything is noted: who ends while it waits has nothing to look for.
            await telegram_calls.turn(chat_id, urgency)
        acquired = False
        saved = {"after": await sent.newest(chat_id)}
        await checkpoints.save_value(slot, saved)
        try:
            return await _to_its_answer(
                _send(checkpoints, slot, chat_id, telegram_calls, sent, send, urgency)
            )
        except OutcomeUnknown:
            log.warning("once.outcome_unknown", slot=slot)
    raise OutcomeUnknown(slot)


async def _send(
    checkpoints: Checkpoints,
    slot: str,
    chat_id: int,
    telegram_calls: TelegramCalls,
    sent: SentMessageLog,
    send: Callable[[int], Awaitable[Message]],
    urgency: SendPriority,
) -> dict[str, Any]:
    try:
        message = await telegram_calls.call(chat_id, send, repeatable=False, urgency=urgency, acquired=True)
    except OutcomeUnknown:
        raise
    except Exception:
        # Refused, or never sent: there is nothing to look for.
        await checkpoints.save_value(slot, None)
        raise
    done = _described(message)
    await checkpoints.save_value(slot, done)
    # Where it is now: a group may have become a supergroup, which counts for itself.
    await sent.note(message.chat.id, message.message_id)
    return done


async def _to_its_answer(sending: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    task = asyncio.create_task(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=LAST_WORD_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


async def _look_twice(
    chat_id: int,
    after: int,
    telegram_calls: TelegramCalls,
    sent: SentMessageLog,
    edit_to_same: Callable[[int, int], Awaitable[Any]],
) -> dict[str, Any] | None:
    found = await _find(chat_id, after, telegram_calls, sent, edit_to_same)
    if found is None:
        await telegram_calls.clock.sleep(SETTLE_S)
        found = await _find(chat_id, after, telegram_calls, sent, edit_to_same)
    return found


async def _find(
    chat_id: int,
    after: int,
    telegram_calls: TelegramCalls,
    sent: SentMessageLog,
    edit_to_same: Callable[[int, int], Awaitable[Any]],
) -> dict[str, Any] | None:
    for number in await sent.unaccounted(chat_id, after):
        try:
            answer = await telegram_calls.call(
                chat_id, partial(_flipped, edit_to_same, number), repeatable=True
            )
        except BadRequest as error:
            if not is_unmodified(error):
                continue  # Not there, not ours, or of another kind.
            answer = None
        except NetworkError:
            continue
        if isinstance(answer, Message):
            return _described(answer)
        return {"message_id": number, "chat_id": chat_id, "file_id": ""}
    return None


async def _flipped(edit: Callable[[int, int], Awaitable[Any]], message_id: int, chat_id: int) -> Any:
    return await edit(chat_id, message_id)


def _described(message: Message) -> dict[str, Any]:
    # With its chat: the number means another message, or none, once a group has become a supergroup.
    found = {"message_id": message.message_id, "chat_id": message.chat.id, "file_id": ""}
    # A video without sound becomes an animation, which Telegram describes as a document as well.
    for kind in ("video", "animation", "document"):
        media = getattr(message, kind)
        if media is not None:
            return {**found, "file_id": media.file_id, "kind": kind}
    return found
