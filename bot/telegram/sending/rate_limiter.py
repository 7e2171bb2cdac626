"""Telegram's limits on sending, counted in the store for all workers.

PTB passes every call but ``getUpdates`` through here, so that none bypasses the limits. Each limit is a bucket of
tokens, stored as the one moment at which it will be full again. A script looks at the bot's, the chat's and the group's
bucket at once and takes a token from all or from none, in one round trip; PTB's own ``AIORateLimiter`` counts for one
process only and knows no priorities.

An answer takes its tokens even if they come later, and keeps its place. What is less urgent takes a token only where
enough are left for the more urgent, and reserves nothing: thousands of waiting progress messages delay no answer.
"""

import asyncio
import math
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeAlias

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from telegram.constants import FloodLimit
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter
from telegram.ext import BaseRateLimiter

from bot.runtime import metrics
from bot.runtime.backoff import Backoff
from bot.runtime.clock import Clock
from bot.runtime.tracing import traced
from bot.store import keys
from bot.store.lua_script import LuaScript

log = structlog.get_logger(__name__)


class SendPriority(StrEnum):
    """What is sent first when not everything can be."""

    FREE = "free"  # not limited: deletions, answers to button presses, whatever only reads
    ANSWER = "answer"  # answers, errors, videos, and edits that a person asked for with a button
    PROGRESS = "progress"  # a job's progress message
    EDIT = "edit"  # its edits, of which only the newest matters


@dataclass(slots=True)
class SendPermit:
    """The rate limiter's permission to send once."""

    priority: SendPriority
    is_void: bool = False  # after a 429: the repeated call takes another


@dataclass(frozen=True, slots=True)
class InlineMessage:
    """A call about a message that Telegram names by its inline ID alone."""

    chat_id: int  # the id in Telegram of the chat that it is in
    priority: SendPriority


RateLimitArgs: TypeAlias = SendPriority | SendPermit | InlineMessage
"""What the bot's methods take as ``rate_limit_args``. Default: ``ANSWER`` for what is sent or edited, else ``FREE``."""

_LIMITED = ("send", "edit", "copy", "forward")
_UNLIMITED = ("sendChatAction",)

_NOT_PAUSING = ("get", "answer")  # endpoints whose 429 says nothing about sending to the chat


class EditPostponed(Exception):
    """An edit that has to wait for more urgent calls; by then there is a newer one.

    Args:
        wait_s: Seconds until it is worth asking again.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Bucket:
    """A limit as a bucket of tokens: each call takes one, and waits where none is left."""

    per_s: float  # tokens that come in a second
    burst: int  # tokens in a full bucket
    kept_from_progress: int = 0  # tokens that a new progress message leaves for answers
    kept_from_edits: int = 0  # tokens that an edit leaves for answers and new progress messages

    @property
    def token_ms(self) -> float:
        """How long one token takes to come."""
        return 1000 / self.per_s

    def room_ms(self, priority: SendPriority) -> float:
        """Return the longest time until the bucket is full at which a token may still be taken."""
        kept = {SendPriority.PROGRESS: self.kept_from_progress, SendPriority.EDIT: self.kept_from_edits}.get(
            priority, 0
        )
        return (self.burst - kept) * self.token_ms


_GROUP_BURST = 5


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How fast the bot sends.

    Telegram promises none of its limits. A group gets at most its 20 messages in any minute: 5 at once, and the 15
    whose tokens come in that time.
    """

    bot: Bucket = Bucket(
        per_s=FloodLimit.MESSAGES_PER_SECOND, burst=10, kept_from_progress=3, kept_from_edits=6
    )
    chat: Bucket = Bucket(per_s=FloodLimit.MESSAGES_PER_SECOND_PER_CHAT, burst=6, kept_from_edits=2)
    group: Bucket = Bucket(
        per_s=(FloodLimit.MESSAGES_PER_MINUTE_PER_GROUP - _GROUP_BURST) / 60,
        burst=_GROUP_BURST,
        kept_from_edits=3,
    )


EDITS_PER_S = 15.0
"""Edits of all progress messages of one process: the more messages, the less often each is edited."""

STORE_TIMEOUT_S = 1.0  # how long the store may take to answer; then this process counts for itself
STORE_RETRY_S = 5.0  # how long the store is left alone after it did not answer
MAX_OWN_BUCKETS = 10_000  # how many buckets of its own a process keeps before it forgets those that are full


@dataclass(frozen=True, slots=True)
class Reservation:
    """The outcome of asking for a token: one that may be used after a wait, or none yet."""

    granted: bool  # whether a token is taken, which an answer's always is
    wait_s: float  # seconds until it may be used; or, if none is taken, until it is worth asking again
    is_chat_limit: bool = False  # whether a limit of this chat causes the wait, which others don't share


class RateLimiter(BaseRateLimiter[RateLimitArgs]):
    """One process's share in the counting; given to PTB's ``ExtBot``.

    Args:
        redis: The store that all workers share.
        clock: Used to wait, and to count while the store is away.
        limits: How fast the bot may send.
        time_ms: Returns the time of day in ms. Default: the store's, the only one that all machines share; needed
            with a clock that is not the real one.
    """

    def __init__(
        self,
        redis: Redis,
        clock: Clock,
        limits: RateLimits | None = None,
        time_ms: Callable[[], float] | None = None,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._limits = limits or RateLimits()
        self._time_ms = time_ms
        self._reserve_script = LuaScript(redis, __package__, "reserve")
        self._pause_script = LuaScript(redis, __package__, "pause")
        self._progress_lock = asyncio.Lock()
        self._own: dict[str, float] = {}  # while the store is away: when each bucket is full, in ms
        self._store_retry_at_s = 0.0
        self.progress_messages = 0  # that this process edits; see `edit_pause_s`

    async def initialize(self) -> None:
        """Do nothing; the opener of the store closes it."""

    async def shutdown(self) -> None:
        """Do nothing; the opener of the store closes it."""

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: RateLimitArgs | None,
    ) -> Any:
        """Make a call when its chat's limits allow it; a 429 pauses that chat, for all workers.

        Raises:
            EditPostponed: An edit has to stand back.
            TelegramError: The call failed.
        """
        chat_id, has_permit = data.get("chat_id"), False
        match rate_limit_args:
            case SendPermit(priority=priority, is_void=is_void):
                has_permit = not is_void
            case InlineMessage(chat_id=chat_id, priority=priority):
                pass
            case _:
                is_limited = endpoint.startswith(_LIMITED) and endpoint not in _UNLIMITED
                priority = rate_limit_args or (SendPriority.ANSWER if is_limited else SendPriority.FREE)
        if not isinstance(chat_id, int):
            priority = SendPriority.FREE
        elif not has_permit:
            await self.acquire(chat_id, priority)
        try:
            with traced(f"telegram {endpoint}", priority=priority):
                result = await callback(*args, **kwargs)
        except RetryAfter as error:
            pause_s = wait_s(error)
            log.info("rate_limiter.asked_to_wait", chat=chat_id, endpoint=endpoint, wait_s=pause_s)
            metrics.SENDS.labels(priority, "asked_to_wait").inc()
            if isinstance(rate_limit_args, SendPermit):
                rate_limit_args.is_void = True
            if isinstance(chat_id, int) and not endpoint.startswith(_NOT_PAUSING):
                await self.pause(chat_id, pause_s)
            raise
        except (BadRequest, Forbidden):
            metrics.SENDS.labels(priority, "refused").inc()
            raise
        except NetworkError:
            metrics.SENDS.labels(priority, "lost").inc()
            raise
        metrics.SENDS.labels(priority, "ok").inc()
        return result

    @property
    def edit_pause_s(self) -> float:
        """Seconds between two edits of one progress message that leave room for those of all others."""
        return self.progress_messages / EDITS_PER_S

    async def acquire(self, chat_id: int, priority: SendPriority) -> SendPermit:
        """Wait until something may be sent.

        Args:
            chat_id: The chat's id in Telegram.
            priority: How urgent the message is.

        Returns:
            The permission, to be passed on as ``rate_limit_args`` of the one call that it is for.

        Raises:
            EditPostponed: An edit has to stand back.
        """
        began_s = self._clock.monotonic_s()
        match priority:
            case SendPriority.FREE:
                return SendPermit(priority)
            case SendPriority.EDIT:
                reservation = await self.reserve(chat_id, priority)
                if not reservation.granted:
                    metrics.EDITS_POSTPONED.inc()
                    raise EditPostponed(reservation.wait_s)
                return SendPermit(priority)
            case SendPriority.PROGRESS:
                await self._wait_in_line(chat_id)
            case SendPriority.ANSWER:
                while (pause_s := (await self.reserve(chat_id, priority)).wait_s) > 0:
                    await self._clock.sleep(pause_s)
                    # A pause that began meanwhile makes the token void that was reserved before it.
                    if not await self._is_paused(chat_id):
                        break
        metrics.SEND_WAIT.labels(priority).observe(self._clock.monotonic_s() - began_s)
        return SendPermit(priority)

    async def reserve(self, chat_id: int, priority: SendPriority) -> Reservation:
        """Ask for a token once, without waiting.

        For ``ANSWER`` a token is always taken, even one that comes later: wait ``wait_s`` before using it. Anything
        else gets a token only if it can be used at once.
        """
        buckets = self._buckets(chat_id)
        if self._clock.monotonic_s() >= self._store_retry_at_s:
            rooms = [
                {"token_ms": bucket.token_ms, "room_ms": bucket.room_ms(priority)} for _, bucket in buckets
            ]
            names = [keys.rate_limit_key("pause", chat_id), *(name for name, _ in buckets)]
            try:
                async with asyncio.timeout(STORE_TIMEOUT_S):
                    granted, wait_ms, is_chat_limit = await self._reserve_script(
                        names, **self._now(), reserves=priority is SendPriority.ANSWER, buckets=rooms
                    )
                return Reservation(bool(granted), wait_ms / 1000, bool(is_chat_limit))
            except (RedisError, TimeoutError):
                log.warning("rate_limiter.store_unreachable")
                self._store_retry_at_s = self._clock.monotonic_s() + STORE_RETRY_S
        return self._reserve_own(chat_id, priority)

    async def pause(self, chat_id: int, pause_s: float) -> None:
        """Stop all workers from sending to a chat for a while."""
        bucket = self._limits.chat
        rest_ms = (bucket.burst - 1) * bucket.token_ms
        names = [keys.rate_limit_key("pause", chat_id), keys.rate_limit_key("chat", chat_id)]
        # Also in this process's own count, in case the store is away.
        until_ms = (self._clock.monotonic_s() + pause_s) * 1000
        self._own |= dict(zip(names, (until_ms, until_ms + rest_ms), strict=True))
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await self._pause_script(
                    names, **self._now(), pause_ms=max(1, int(pause_s * 1000)), refill_ms=rest_ms
                )
        except (RedisError, TimeoutError):
            log.warning("rate_limiter.store_unreachable")

    async def _wait_in_line(self, chat_id: int) -> None:
        """Take a token for a progress message; only the first that waits in this process asks for one."""
        while True:
            async with self._progress_lock:
                while True:
                    reservation = await self.reserve(chat_id, SendPriority.PROGRESS)
                    if reservation.granted or reservation.is_chat_limit:
                        break
                    # Several processes ask: not all at the same moment.
                    await self._clock.sleep(reservation.wait_s * random.uniform(1, 2))  # noqa: S311 - no secret
            if reservation.granted:
                return
            await self._clock.sleep(reservation.wait_s)

    async def _is_paused(self, chat_id: int) -> bool:
        name = keys.rate_limit_key("pause", chat_id)
        if self._own.get(name, 0.0) > self._clock.monotonic_s() * 1000:
            return True
        if self._clock.monotonic_s() < self._store_retry_at_s:
            return False
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                until_ms = await self._redis.get(name)
            # By its own time the store has deleted a pause that is over.
            return until_ms is not None and (self._time_ms is None or float(until_ms) > self._time_ms())
        except (RedisError, TimeoutError):
            return False

    def _reserve_own(self, chat_id: int, priority: SendPriority) -> Reservation:
        """Do what the script does, with this process's own count."""
        now_ms = self._clock.monotonic_s() * 1000
        if len(self._own) > MAX_OWN_BUCKETS:
            self._own = {name: full_at_ms for name, full_at_ms in self._own.items() if full_at_ms > now_ms}
        full_at_ms: dict[str, float] = {}
        pause_ms = self._own.get(keys.rate_limit_key("pause", chat_id), 0.0) - now_ms
        waits_ms = []
        for name, bucket in self._buckets(chat_id):
            full_at_ms[name] = max(self._own.get(name, 0.0), now_ms) + bucket.token_ms
            waits_ms.append(full_at_ms[name] - now_ms - bucket.room_ms(priority))
        # In whole ms, as in the script; without what adding fractions leaves over.
        bot_ms, *chat_ms = (max(0, math.ceil(wait_ms - 0.001)) for wait_ms in (*waits_ms, pause_ms))
        longest_s = max(bot_ms, *chat_ms) / 1000
        if longest_s > 0 and priority is not SendPriority.ANSWER:
            return Reservation(granted=False, wait_s=longest_s, is_chat_limit=max(chat_ms) >= bot_ms)
        self._own |= full_at_ms
        return Reservation(granted=True, wait_s=longest_s)

    def _buckets(self, chat_id: int) -> list[tuple[str, Bucket]]:
        limits = self._limits
        buckets = [
            (keys.rate_limit_key("bot", 0), limits.bot),
            (keys.rate_limit_key("chat", chat_id), limits.chat),
        ]
        # Groups, supergroups and channels have negative ids.
        return [*buckets, (keys.rate_limit_key("group", chat_id), limits.group)] if chat_id < 0 else buckets

    def _now(self) -> dict[str, float]:
        return {} if self._time_ms is None else {"now_ms": self._time_ms()}


def pause_after_s(error: Exception, backoff: Backoff) -> float:
    """Return how many seconds to wait until a call that failed is made again."""
    pause_s = backoff.next_s()
    return wait_s(error) if isinstance(error, RetryAfter) else pause_s


def wait_s(error: RetryAfter) -> float:
    """Return how many seconds Telegram asks to wait."""
    after = error.retry_after
    return after.total_seconds() if isinstance(after, timedelta) else float(after)
