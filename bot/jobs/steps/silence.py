"""How long a stream of the agent has been silent."""

from __future__ import annotations

from bot.runtime.clock import Clock


class Silence:
    """Measures the silence, and the length of the whole stream.

    Args:
        clock: Source of time; tests pass a manual one.
        silent_s: How long nothing but keep-alives may come, in seconds.
        total_s: How long the stream may take in all, in seconds.
    """

    def __init__(self, clock: Clock, silent_s: float, total_s: float) -> None:
        self._clock = clock
        self._silent_s = silent_s
        self._total_s = total_s
        self._began_s = self._last_s = clock.monotonic_s()

    def end(self) -> None:
        """Note that something other than a keep-alive came."""
        self._last_s = self._clock.monotonic_s()

    async def wait_until_too_long(self) -> None:
        """Return when there has been only silence for too long, or the stream takes too long in all."""
        while True:
            end_s = min(self._last_s + self._silent_s, self._began_s + self._total_s)
            left_s = end_s - self._clock.monotonic_s()
            if left_s <= 0:
                return
            await self._clock.sleep(left_s)
