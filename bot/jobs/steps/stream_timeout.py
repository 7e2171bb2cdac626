"""The timeout of the agent's stream: of its silences, and of the whole.

``agent_turn.py`` reads the stream, and recovers after a timeout; ``turn_draft.py`` then waits for the draft.
"""

from __future__ import annotations

from bot.runtime.clock import Clock


class StreamTimeout:
    """Times out a stream that is silent for too long, or takes too long in all.

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

    def reset(self) -> None:
        """Begin the silence anew, as something other than a keep-alive came; the time in all goes on."""
        self._last_s = self._clock.monotonic_s()

    async def wait_until_over(self) -> None:
        """Return when the stream has been silent for too long, or takes too long in all."""
        while True:
            end_s = min(self._last_s + self._silent_s, self._began_s + self._total_s)
            left_s = end_s - self._clock.monotonic_s()
            if left_s <= 0:
                return
            await self._clock.sleep(left_s)
