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

LOOK_S = 0.002
"""Real seconds of one look at whether the process is idle."""

IDLE_CPU_S = 0.0005
"""Processor seconds that an idle process takes in one look; the look itself is among them."""

IDLE_CPU_WITH_PING_S = 0.0012
"""The same for a look that begins with a ``PING``."""

LEAST_SKIP_S, SKIP_PER_SPEED_S = 1.0, 0.01
"""Longest time that is skipped at once, in the clock's seconds, for a low speed and in proportion to a high one: what
runs in another process, or by real time as docket does, has some milliseconds for each."""


class SkippingClock:
    """A clock that goes while the process works, and jumps to the next timer while it is idle.

    Timers keep their order and their distances, but a poll every 30 s costs some milliseconds. Work is measured in
    processor time, so that a busy machine makes a conversation slower, but changes nothing of what happens in it.

    Args:
        speed: How many of its seconds pass in one of work.
        starts_at: Which time of day it is at the beginning.
    """

    def __init__(self, speed: float, starts_at: datetime) -> None:
        self._speed = speed
        self._starts_at = starts_at
        self._began_s = time.process_time()
        self._skipped_s = 0.0
        self._holders = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        """The time of day."""
        return self._starts_at + timedelta(seconds=self.monotonic_s())

    def monotonic_s(self) -> float:
        """Seconds since the beginning."""
        return self._at_s(time.process_time())

    def _at_s(self, cpu_s: float) -> float:
        return (cpu_s - self._began_s) * self._speed + self._skipped_s

    async def sleep(self, duration_s: float) -> None:
        """Wait for ``duration_s`` of this clock's seconds, which pass while :meth:`running` is entered."""
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        waker = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.monotonic_s() + duration_s, next(self._numbers), waker))
        await waker

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Skip nothing in this block: what is done in it happens at one moment, however long it takes."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1

    @contextlib.asynccontextmanager
    async def running(self, catch_up: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Let time pass while the block runs.

        Args:
            catch_up: Returns when all that was asked of the store before has been answered: a ``PING``.
        """
        task = asyncio.create_task(self._run(catch_up), name="clock")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, catch_up: Callable[[], Awaitable[object]]) -> None:
        # One reading a look: the system adds up the time of all threads for each, which takes up to 15 µs.
        cpu_s = time.process_time()
        while True:
            self._wake(cpu_s)
            looked_s, cpu_s = cpu_s, await self._look()
            if cpu_s - looked_s >= IDLE_CPU_S:
                continue
            looked_s, cpu_s = cpu_s, await self._look(catch_up)
            if cpu_s - looked_s < IDLE_CPU_WITH_PING_S and not self._holders:
                left_s = self._wake(cpu_s)
                if math.isfinite(left_s):
                    self._skipped_s += min(left_s, max(LEAST_SKIP_S, SKIP_PER_SPEED_S * self._speed))
                    cpu_s = time.process_time()  # later than the timer, whatever the sum was rounded to

    def _wake(self, cpu_s: float) -> float:
        """Wake those whose time has come, and return how long the next one still sleeps."""
        now_s = self._at_s(cpu_s)
        while self._sleepers:
            due_s, _, waker = self._sleepers[0]
            if not waker.done() and due_s > now_s:
                return due_s - now_s
            heapq.heappop(self._sleepers)
            if not waker.done():
                waker.set_result(None)
        return math.inf

    async def _look(self, catch_up: Callable[[], Awaitable[object]] | None = None) -> float:
        """Return how much processor time the process has taken, a moment later."""
        if catch_up is not None:
            with contextlib.suppress(Exception):  # A store that is away answers nobody.
                await catch_up()
        await asyncio.sleep(LOOK_S)
        return time.process_time()
