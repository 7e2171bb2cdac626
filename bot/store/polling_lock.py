"""A lease on something that only one process may do at a time.

Whoever holds it renews it; a holder that falls silent loses it after ``ttl_s``, by the store's clock for all others and
by its own for itself, which began to count earlier. Each holder has a term, a number higher than any before, and can
neither renew nor give back the lease of another term.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

RENEWALS = 4
"""How often a lease is renewed in its lifetime."""

TRY_EVERY_S = 0.5
"""Pause between two tries of whoever waits for a lease."""

GIVE_BACK_S = 1.0
"""For a lease to be given back at the end; a store that is away forgets it by itself."""

_TAKE = """
-- KEYS: lease, term.  ARGV: holder, ttl in ms.
local held = redis.call('GET', KEYS[1])
-- One's own: the client sends a command again whose answer was lost.
if held and string.sub(held, -#ARGV[1]) ~= ARGV[1] then return 0 end
local term = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], term .. ' ' .. ARGV[1], 'PX', ARGV[2])
return term
"""

_RENEW = """
-- KEYS: lease.  ARGV: term and holder, ttl in ms.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

_GIVE_BACK = """
-- KEYS: lease.  ARGV: term and holder.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class PollingLock:
    """One process's part in a lease.

    Args:
        redis: The store.
        key: Of the lease.
        term_key: Counts its holders.
        ttl_s: Seconds, in real time, after which a silent holder loses it.
    """

    def __init__(self, redis: Redis, key: str, term_key: str, ttl_s: float) -> None:
        self._redis = redis
        self._keys = (key, term_key)
        self._ttl_s = ttl_s
        self._me = uuid4().hex
        self._value = ""
        self._until_s = 0.0
        self._take = redis.register_script(_TAKE)
        self._renew = redis.register_script(_RENEW)
        self._give_back = redis.register_script(_GIVE_BACK)

    @property
    def is_held(self) -> bool:
        """Whether this process holds it, for certain."""
        return self._value != "" and time.monotonic() < self._until_s

    async def while_held(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease and do the work as long as it is held, again and again; for ever, or until it fails.

        The work is cancelled when the lease is lost. When this is cancelled, the lease is given back.
        """
        while True:
            term = await self._acquire()
            log.info("lease.taken", lease=self._keys[0], term=term)
            working = asyncio.ensure_future(work())
            keeping = asyncio.create_task(self._keep(), name=f"lease:{self._keys[0]}")
            try:
                await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    return working.result()
                log.warning("lease.lost", lease=self._keys[0], term=term)
            finally:
                for task in (working, keeping):
                    task.cancel()
                # First the work ends, then another may begin it.
                await asyncio.gather(working, keeping, return_exceptions=True)
                await self._let_go()

    async def _acquire(self) -> int:
        told = ""
        while True:
            asked_s = time.monotonic()
            try:
                term = int(await self._take(keys=self._keys, args=[self._me, int(self._ttl_s * 1000)]))
            except RedisError as error:
                if told != "away":
                    log.warning("lease.store_away", lease=self._keys[0], error=type(error).__name__)
                    told = "away"
            else:
                if term:
                    self._value, self._until_s = f"{term} {self._me}", asked_s + self._ttl_s
                    return term
                if told != "taken":
                    log.info("lease.standing_by", lease=self._keys[0])
                    told = "taken"
            await asyncio.sleep(TRY_EVERY_S)

    async def _keep(self) -> None:
        """Renew until it is lost."""
        while (left_s := self._until_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, self._ttl_s / RENEWALS))
            asked_s = time.monotonic()
            # The store's client tries for longer than a lease lasts.
            with contextlib.suppress(RedisError, TimeoutError):
                async with asyncio.timeout(max(0.0, self._until_s - asked_s)):
                    lasts_ms = int(self._ttl_s * 1000)
                    if not await self._renew(keys=self._keys[:1], args=[self._value, lasts_ms]):
                        return
                    self._until_s = asked_s + self._ttl_s

    async def _let_go(self) -> None:
        value, self._value = self._value, ""
        with contextlib.suppress(RedisError, TimeoutError):
            async with asyncio.timeout(GIVE_BACK_S):
                await self._give_back(keys=self._keys[:1], args=[value])
