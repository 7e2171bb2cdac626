"""Clocks of tests: one that stands still until a test moves it on, and a fast one."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

SETTLE_TURNS = 30
"""Turns of the event loop that woken tasks get, so that what needs no network is done when a test goes on."""

PATIENCE_S = 60.0
"""Real seconds after which something that was waited for counts as not coming."""


IDLE_S = 0.0052
"""CPU time of :func:`_calculate` on the idle machine on which the tests' bounds on CPU time were measured."""


def slowness() -> float:
    """Return how many times longer a calculation takes, in CPU time, than on an idle machine.

    Neighbours on the same core double what everything takes, and change from one moment to the next: the slowest of
    many rounds counts. Multiply a bound that was exceeded by it.
    """
    return max(1.0, max(_calculate() for _ in range(30)) / IDLE_S)


def _calculate() -> float:
    began_s = time.thread_time()
    text = json.dumps([{"id": number, "name": f"clip {number}", "start": number} for number in range(1000)])
    for _ in range(4):
        json.dumps(json.loads(text))
        sorted(text.split(","))
    return time.thread_time() - began_s


class HandClock:
    """Implements ``bot.runtime.clock.Clock``; its time passes in ``advance`` alone."""

    def __init__(self) -> None:
        self._start = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
        self._passed_s = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._changed = asyncio.Event()
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed_s)

    def monotonic_s(self) -> float:
        return 1000.0 + self._passed_s

    def set_wall(self, by_s: float) -> None:
        """Set the time of day forward or back, as an operator or a time server does; measured time goes on."""
        self._start += timedelta(seconds=by_s)

    async def sleep(self, duration_s: float) -> None:
        waker = asyncio.get_running_loop().create_future()
        entry = (self._passed_s + duration_s, waker)
        self._sleepers.append(entry)
        self.slept.append(duration_s)
        self._changed.set()
        try:
            if duration_s <= 0:
                return await asyncio.sleep(0)
            await waker
        finally:
            self._sleepers.remove(entry)

    async def advance(self, duration_s: float) -> None:
        """Let time pass: each sleeper wakes at its own moment, in order, and goes on before the next one."""
        end_s = self._passed_s + duration_s
        await settle()
        while due := [entry for entry in self._sleepers if entry[0] <= end_s and not entry[1].done()]:
            at_s, waker = min(due, key=lambda entry: entry[0])
            self._passed_s = max(self._passed_s, at_s)
            waker.set_result(None)
            await settle()
        self._passed_s = end_s
        await settle()

    @property
    def left_s(self) -> list[float]:
        """How long each sleeper still has, the shortest first."""
        return sorted(at_s - self._passed_s for at_s, waker in self._sleepers if not waker.done())

    async def asleep(self, *, at_least_s: float = 0.0, count: int = 1) -> None:
        """Wait until so many tasks sleep for so long, at least.

        Raises:
            TimeoutError: They do not.
        """
        async with asyncio.timeout(PATIENCE_S):
            while sum(1 for left_s in self.left_s if left_s >= at_least_s) < count:
                self._changed.clear()
                await self._changed.wait()


async def settle() -> None:
    """Let every task that can go on without network go on."""
    for _ in range(SETTLE_TURNS):
        await asyncio.sleep(0)


async def eventually(holds: Callable[[], object], what: str = "") -> None:
    """Wait until a condition holds that nothing tells of.

    Raises:
        TimeoutError: It never did.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise TimeoutError(what or "the condition never held") from None


async def passing(clock: HandClock, work: Coroutine[Any, Any, T], step_s: float = 0.5) -> T:
    """Do something while time passes, so that its pauses cost nothing.

    Raises:
        TimeoutError: It did not end in real time.
    """
    task = asyncio.create_task(work)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not task.done():
                await asyncio.wait({task}, timeout=0.003)
                if clock.left_s:
                    await clock.advance(step_s)
        return await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class FastClock:
    """A clock that runs faster than the system's.

    Args:
        speed: Its seconds in a real second.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began, self._began_s = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        return self._began + timedelta(seconds=(time.monotonic() - self._began_s) * self._speed)

    def monotonic_s(self) -> float:
        return time.monotonic() * self._speed

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s / self._speed)
