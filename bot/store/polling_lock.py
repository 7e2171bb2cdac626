"""The lock on what only one process may do at a time, such as polling Telegram.

The holder renews it; a holder that falls silent loses it after ``ttl_s``, by the store's clock. The holder counts from
the moment it asked, so it stops working before another process can begin.

Processes with another store don't see the lock: a program that polls with the same token is noticed in
``telegram/receiving/receiver.py``, by Telegram's answer 409.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog
from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

from bot.runtime.tasks import cancel

log = structlog.get_logger(__name__)

RENEWALS = 4  # how often the lock is renewed in its lifetime
RETRY_S = 0.5  # pause between two attempts to acquire the lock
RELEASE_TIMEOUT_S = 1.0  # a lock that can't be released in this time expires by itself


class PollingLock:
    """Run work in one process of many, and in another one soon after that process died.

    Args:
        redis: The store.
        key: The lock's key.
        ttl_s: Seconds, in real time, after which a silent holder loses the lock.
    """

    def __init__(self, redis: Redis, key: str, ttl_s: float) -> None:
        self._lock = Lock(redis, key, timeout=ttl_s, blocking=False, thread_local=False)
        self._log = log.bind(key=key)
        self._ttl_s = ttl_s
        self._held_until_s = 0.0

    @property
    def is_held(self) -> bool:
        """Return whether this process certainly holds the lock."""
        return time.monotonic() < self._held_until_s

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work whenever this process holds the lock, until the work ends or fails.

        The work is cancelled when the lock is lost, and started again when it is back. The lock is released at the end
        and when this is cancelled.
        """
        while True:
            await self._acquire()
            self._log.info("polling_lock.acquired")
            working = asyncio.ensure_future(work())
            renewing = asyncio.create_task(self._renew_until_lost(), name="polling-lock")
            try:
                await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    return working.result()
                self._log.warning("polling_lock.lost")
            finally:
                # Another process may begin only after the work has ended here.
                await cancel(working, renewing)
                await self._release()

    async def _acquire(self) -> None:
        reported = ""
        while True:
            asked_s = time.monotonic()
            try:
                # Sent twice because its answer was lost, it meets this process's own lock, which soon expires.
                if await self._lock.acquire():
                    self._held_until_s = asked_s + self._ttl_s
                    return
                reason = "held_elsewhere"
            except RedisError as error:
                reason = type(error).__name__
            if reason != reported:
                self._log.info("polling_lock.waiting", reason=reason)
                reported = reason
            await asyncio.sleep(RETRY_S)

    async def _renew_until_lost(self) -> None:
        while (left_s := self._held_until_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, self._ttl_s / RENEWALS))
            asked_s = time.monotonic()
            try:
                # The store's client retries for longer than the lock lasts.
                async with asyncio.timeout(max(0.0, self._held_until_s - asked_s)):
                    await self._lock.reacquire()
                self._held_until_s = asked_s + self._ttl_s
            except LockError:
                return
            except (RedisError, TimeoutError):
                continue

    async def _release(self) -> None:
        self._held_until_s = 0.0
        with contextlib.suppress(RedisError, TimeoutError):
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                await self._lock.release()
