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
    """The system's clock."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        """Wait for ``duration_s`` seconds."""
        await asyncio.sleep(duration_s)
