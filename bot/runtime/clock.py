"""The clock that code which waits or stamps times gets passed, so that tests pass in milliseconds."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back, to measure durations."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait for ``duration_s`` seconds."""
        ...


class SystemClock:
    """The real clock, optionally sped up.

    Args:
        speed: Its seconds in a real second. The sandbox plays conversations with a high speed, so that a poll every
            30 s takes a fraction of that.
        starts_at: Its first time; the system's by default.
    """

    def __init__(self, speed: float = 1.0, starts_at: datetime | None = None) -> None:
        self._speed = speed
        self._is_real = speed == 1.0 and starts_at is None
        self._started = starts_at or datetime.now(UTC)
        self._started_s = time.monotonic()

    @property
    def is_real(self) -> bool:
        """Return whether it shows the system's time."""
        return self._is_real

    def now(self) -> datetime:
        """Return the current time, aware, in UTC; counted from when this clock was made unless it is real."""
        if self._is_real:
            return datetime.now(UTC)
        elapsed_s = (time.monotonic() - self._started_s) * self._speed
        return datetime.fromtimestamp(self._started.timestamp() + elapsed_s, UTC)

    def monotonic_s(self) -> float:
        """Return monotonic seconds, multiplied by the speed."""
        return time.monotonic() * self._speed

    async def sleep(self, duration_s: float) -> None:
        """Wait for ``duration_s`` of this clock's seconds."""
        await asyncio.sleep(duration_s / self._speed)
