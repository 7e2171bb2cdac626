"""A clock for conversations that skips the time in which everybody waits."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime, timedelta

from bot.runtime.clock import SystemClock

LOOK_S = 0.002
"""Real seconds of one look at whether the process is idle."""

LATE_S = 0.005
"""A look that took longer shows nothing: the machine was busy with something else."""

IDLE_CPU_S = 0.0005
"""Processor seconds that an idle process takes in one look; the look itself is among them."""

MAX_SKIP_S = 10.0
"""Longest piece of time that is skipped at once, in the clock's seconds: what still runs in another process (a
decoder, the store) has a few milliseconds for each."""


class SkippingClock(SystemClock):
    """A clock with a speed, which also jumps to the next sleeper while somebody waits and the process is idle.

    Timers keep their order and their distances, but a poll every 30 s costs some milliseconds.

    Args:
        speed: How many of its seconds pass in a real one while the process works.
        starts_at: Which time of day it is at the beginning.
    """

    def __init__(self, speed: float, starts_at: datetime) -> None:
        super().__init__(speed, starts_at)
        self._speed_of_work = speed
        self._skipped_s = 0.0
        self._waiting = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        """The time of day."""
        return super().now() + timedelta(seconds=self._skipped_s)

    def monotonic_s(self) -> float:
        """Monotonic seconds, with what was skipped."""
        return super().monotonic_s() + self._skipped_s

    async def sleep(self, duration_s: float) -> None:
        """Wait for ``duration_s`` of this clock's seconds; :meth:`running` ends it."""
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        waker = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.monotonic_s() + duration_s, next(self._numbers), waker))
        await waker

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Allow time to be skipped: whoever enters the block does nothing in it but wait for others."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    @contextlib.asynccontextmanager
    async def running(self, catch_up: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Let time pass while the block runs.

        Args:
            catch_up: Returns when everything that was asked of other processes before has been answered; a ``PING``
                to the store, which answers in order.
        """
        task = asyncio.create_task(self._run(catch_up), name="clock")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for _, _, waker in self._sleepers:
                if not waker.done():
                    waker.set_result(None)

    async def _run(self, catch_up: Callable[[], Awaitable[object]]) -> None:
        while True:
            left_s = self._wake()
            if await self._is_idle(left_s) and self._waiting:
                with contextlib.suppress(Exception):  # A conversation may take the store away.
                    await catch_up()
                if await self._is_idle(left_s) and self._waiting:
                    left_s = self._wake()
                    self._skipped_s += min(left_s, MAX_SKIP_S) if math.isfinite(left_s) else 0.0

    def _wake(self) -> float:
        """Wake those whose time has come, and return how long the next one still sleeps."""
        now_s = self.monotonic_s()
        while self._sleepers:
            due_s, _, waker = self._sleepers[0]
            if not waker.done() and due_s > now_s:
                return due_s - now_s
            heapq.heappop(self._sleepers)
            if not waker.done():
                waker.set_result(None)
        return math.inf

    async def _is_idle(self, left_s: float) -> bool:
        """Look on for a moment, at most until the next sleeper's time, and return whether nothing happened."""
        began_s, cpu_s = time.monotonic(), time.process_time()
        real_left_s = left_s / self._speed_of_work
        await asyncio.sleep(min(LOOK_S, real_left_s))
        return (
            real_left_s > LOOK_S
            and time.monotonic() - began_s < LATE_S
            and time.process_time() - cpu_s < IDLE_CPU_S
        )
