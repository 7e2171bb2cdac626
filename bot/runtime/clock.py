"""Time as something that is passed in, so that ten minutes are tested in a millisecond."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What code that waits or stamps times needs of the world."""

    def now(self) -> datetime:
        """The time of day, UTC and aware."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never run backwards, for measuring."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait; cancellable."""
        ...


class SystemClock:
    """The real clock, optionally sped up.

    Args:
        speed: How many of its seconds pass in a real one. The sandbox plays conversations with a large
            value, so that a poll every 30 s costs a fraction of that.
        starts_at: Which time of day it is at the beginning; that of the machine when left out.
    """

    def __init__(self, speed: float = 1.0, starts_at: datetime | None = None) -> None:
        self._speed = speed
        self._is_real = speed == 1.0 and starts_at is None
        self._started = starts_at or datetime.now(UTC)
        self._started_s = time.monotonic()

    @property
    def is_real(self) -> bool:
        """Whether its time is everybody's."""
        return self._is_real

    def now(self) -> datetime:
        """The time of day; counted from the moment this clock was made, unless it is everybody's."""
        if self._is_real:
            return datetime.now(UTC)
        elapsed_s = (time.monotonic() - self._started_s) * self._speed
        return datetime.fromtimestamp(self._started.timestamp() + elapsed_s, UTC)

    def monotonic_s(self) -> float:
        """Monotonic seconds, multiplied by the speed."""
        return time.monotonic() * self._speed

    async def sleep(self, duration_s: float) -> None:
        """Wait for ``duration_s`` of this clock's seconds."""
        await asyncio.sleep(duration_s / self._speed)
