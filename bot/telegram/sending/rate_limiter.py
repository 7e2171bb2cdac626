"""Telegram's flood limits, counted in the store for all workers: who may send now, and who has to wait for how long.

Each limit is a bucket of tokens, kept as the one moment at which it will be full again. A script looks at the bot's,
the chat's and the group's at once and takes from all or from none, in one round trip; libraries take from a key at a
time, and know no urgency.

What is urgent books its turn, also one that lies ahead, and keeps its place. What is less so takes a token only where
enough are left for the more urgent, and books nothing: thousands of live messages that wait hold up no answer.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.runtime import metrics
from bot.runtime.clock import Clock
from bot.store import keys

log = structlog.get_logger(__name__)


class SendPriority(StrEnum):
    """What is sent first when not all can be."""

    FREE = "free"  # not counted by Telegram: deletions, answers to presses, whatever only reads
    ANSWER = "answer"  # answers, errors, videos, and edits that somebody asked for by a press
    LIVE = "live"  # a job's first sign
    EDIT = "edit"  # its next ones, of which only the newest is worth anything


@dataclass(frozen=True, slots=True)
class Bucket:
    """A limit.

    Args:
        per_s: Tokens a second.
        burst: Tokens when it is full.
        progress_message: Tokens that a new live message leaves for answers.
        edit: Tokens that an edit leaves for answers and new live messages.
    """

    per_s: float
    burst: int
    progress_message: int = 0
    edit: int = 0

    @property
    def each_ms(self) -> float:
        """Time for one token to come."""
        return 1000 / self.per_s

    def room_ms(self, urgency: SendPriority) -> float:
        """How far ahead of now the moment of being full may lie for a token to be there."""
        kept = {SendPriority.LIVE: self.progress_message, SendPriority.EDIT: self.edit}.get(urgency, 0)
        return (self.burst - kept) * self.each_ms


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How fast the bot sends.

    Telegram names about 30 messages a second for the bot, one a second in a chat and 20 a minute in a group, and
    promises none of it. In no minute does a group get more than its 20: 5 at once, and 15 that come in.
    """

    bot: Bucket = Bucket(per_s=30, burst=10, progress_message=3, edit=6)
    chat: Bucket = Bucket(per_s=1, burst=6, edit=2)
    group: Bucket = Bucket(per_s=15 / 60, burst=5, edit=3)


EDITS_PER_S = 15
"""Edits of all live messages of one process: with more of them each is edited less often."""

STORE_S = 1.0
"""For the store to answer; then this process counts for itself."""

STORE_AGAIN_S = 5.0
"""For so long the store is not asked after it did not answer."""

FORGET_AT = 10_000
"""Buckets of its own after which a process forgets those that are full."""

_TAKE = """
-- KEYS: pause, then buckets.  ARGV: now in ms or '', 1 to book a turn ahead, then per bucket: ms a token, room in ms.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local wait = 0
local own = math.max(0, (tonumber(redis.call('GET', KEYS[1])) or 0) - now)
local full = {}
for i = 2, #KEYS do
  local each, room = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  full[i] = math.max(tonumber(redis.call('GET', KEYS[i])) or 0, now) + each
  local lacks = full[i] - now - room
  -- The first is the bot's; the others, and the pause, concern this chat alone.
  if i == 2 then wait = math.max(wait, lacks) else own = math.max(own, lacks) end
end
if ARGV[2] == '0' and (wait > 0 or own > 0) then
  return {0, math.ceil(math.max(wait, own)), own >= wait and 1 or 0}
end
for i = 2, #KEYS do
  redis.call('SET', KEYS[i], string.format('%.0f', full[i]), 'PX', math.ceil(full[i] - now) + 1000)
end
return {1, math.ceil(math.max(wait, own)), 0}
"""

_PAUSE = """
-- KEYS: pause, the chat's bucket.  ARGV: now in ms or '', wait in ms, ms that the bucket's other tokens take to come.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local till = now + ARGV[2]
redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', ARGV[2])
-- One token when the pause ends, so that what waited for it does not come all at once.
redis.call('SET', KEYS[2], string.format('%.0f', till + ARGV[3]), 'PX', math.ceil(ARGV[2] + ARGV[3]) + 1000)
"""


@dataclass(frozen=True, slots=True)
class Permit:
    """What came of asking.

    Args:
        granted: Whether a token is taken.
        wait_s: Seconds until it may be used; or, without one, until it is worth asking again.
        is_chats: The wait is the chat's own: others need not wait.
    """

    granted: bool
    wait_s: float
    is_chats: bool = False


class RateLimiter:
    """One process's part in the counting.

    Args:
        redis: The store.
        clock: For waiting, and for counting while the store is away.
        pace: The limits.
        time_ms: Time of day in ms. Default: the store's, the only one that all machines share; a clock that is not
            the real one has to be given here.
    """

    def __init__(
        self,
        redis: Redis,
        clock: Clock,
        pace: RateLimits | None = None,
        time_ms: Callable[[], float] | None = None,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._pace = pace or RateLimits()
        self._time_ms = time_ms
        self._take = redis.register_script(_TAKE)
        self._set_pause = redis.register_script(_PAUSE)
        self._line = asyncio.Lock()
        self._own: dict[str, float] = {}
        self._ask_store_at_s = 0.0
        self.live_messages = 0

    @property
    def edit_pause_s(self) -> float:
        """Seconds between two edits of one live message that leave room for those of all others."""
        return self.live_messages / EDITS_PER_S

    async def turn(self, chat_id: int, urgency: SendPriority) -> None:
        """Wait until something may be sent.

        Args:
            chat_id: Where to.
            urgency: What it is; not an edit, see :meth:`ask`.
        """
        if urgency is SendPriority.FREE:
            return
        began_s = self._clock.monotonic_s()
        if urgency is SendPriority.LIVE:
            await self._in_line(chat_id)
        else:
            await self._booked(chat_id, urgency)
        metrics.SEND_WAIT.labels(urgency).observe(self._clock.monotonic_s() - began_s)

    async def _booked(self, chat_id: int, urgency: SendPriority) -> None:
        while (wait_s := (await self.ask(chat_id, urgency)).wait_s) > 0:
            await self._clock.sleep(wait_s)
            if not await self._is_paused(chat_id):
                return

    async def ask(self, chat_id: int, urgency: SendPriority) -> Permit:
        """Ask once, without waiting."""
        buckets = self._buckets(chat_id)
        now_s = self._clock.monotonic_s()
        if now_s >= self._ask_store_at_s:
            arguments: list[str | float] = [self._now(), int(urgency is SendPriority.ANSWER)]
            for _, bucket in buckets:
                arguments += [bucket.each_ms, bucket.room_ms(urgency)]
            names = [keys.flood_key("pause", chat_id), *(name for name, _ in buckets)]
            try:
                async with asyncio.timeout(STORE_S):
                    granted, wait_ms, is_chats = await self._take(keys=names, args=arguments)
                return Permit(bool(granted), wait_ms / 1000, bool(is_chats))
            except (RedisError, TimeoutError):
                log.warning("flood.store_away")
                self._ask_store_at_s = self._clock.monotonic_s() + STORE_AGAIN_S
        return self._ask_here(chat_id, urgency)

    async def pause(self, chat_id: int, wait_s: float) -> None:
        """Telegram asks to leave a chat alone for so long: all workers do."""
        bucket = self._pace.chat
        rest_ms = (bucket.burst - 1) * bucket.each_ms
        # Also here, for the case that the store is away.
        till_ms = self._clock.monotonic_s() * 1000 + wait_s * 1000
        self._own[keys.flood_key("pause", chat_id)] = till_ms
        self._own[keys.flood_key("chat", chat_id)] = till_ms + rest_ms
        names = [keys.flood_key("pause", chat_id), keys.flood_key("chat", chat_id)]
        try:
            async with asyncio.timeout(STORE_S):
                await self._set_pause(keys=names, args=[self._now(), max(1, int(wait_s * 1000)), rest_ms])
        except (RedisError, TimeoutError):
            log.warning("flood.store_away")

    async def _in_line(self, chat_id: int) -> None:
        """One after the other within this process: only the first in line asks, however many wait."""
        while True:
            async with self._line:
                while (
                    not (permit := await self.ask(chat_id, SendPriority.LIVE)).granted and not permit.is_chats
                ):
                    # Several processes ask: not all at the same moment.
                    await self._clock.sleep(permit.wait_s * random.uniform(1, 2))  # noqa: S311 - no secret
            if permit.granted:
                return
            await self._clock.sleep(permit.wait_s)

    async def _is_paused(self, chat_id: int) -> bool:
        name = keys.flood_key("pause", chat_id)
        if self._own.get(name, 0.0) > self._clock.monotonic_s() * 1000:
            return True
        if self._clock.monotonic_s() < self._ask_store_at_s:
            return False
        try:
            async with asyncio.timeout(STORE_S):
                till_ms = await self._redis.get(name)
            # The store lets it go by its own time.
            return till_ms is not None and (self._time_ms is None or float(till_ms) > self._time_ms())
        except (RedisError, TimeoutError):
            return False

    def _ask_here(self, chat_id: int, urgency: SendPriority) -> Permit:
        """The same as the script, by this process's own count."""
        now_ms = self._clock.monotonic_s() * 1000
        if len(self._own) > FORGET_AT:
            self._own = {name: full_ms for name, full_ms in self._own.items() if full_ms > now_ms}
        full: dict[str, float] = {}
        waits_ms = [self._own.get(keys.flood_key("pause", chat_id), 0.0) - now_ms]
        for name, bucket in self._buckets(chat_id):
            full[name] = max(self._own.get(name, 0.0), now_ms) + bucket.each_ms
            waits_ms.append(full[name] - now_ms - bucket.room_ms(urgency))
        wait_s = max(0, math.ceil(max(waits_ms) - 0.001)) / 1000  # whole ms, as of the script
        if wait_s > 0 and urgency is not SendPriority.ANSWER:
            return Permit(granted=False, wait_s=wait_s, is_chats=max(waits_ms) != waits_ms[1])
        self._own |= full
        return Permit(granted=True, wait_s=wait_s)

    def _buckets(self, chat_id: int) -> list[tuple[str, Bucket]]:
        pace = self._pace
        found = [
            (keys.flood_key("bot", 0), pace.bot),
            (keys.flood_key("chat", chat_id), pace.chat),
        ]
        # Groups, supergroups and channels have negative ids.
        return [*found, (keys.flood_key("group", chat_id), pace.group)] if chat_id < 0 else found

    def _now(self) -> str | float:
        return "" if self._time_ms is None else self._time_ms()
