"""The bar of a progress message: how far the job is, and about how long its stage still takes.

The formula of the time left is ``left_s`` in ``jobs/queue/usual_times.py``. The service's percentage of a render comes
from ``jobs/steps/export.py`` (``_poll``). When the message is edited is decided in ``progress_message.py``.
"""

import math

from bot.jobs.messages import Progress
from bot.jobs.queue.usual_times import left_s, rounded_s
from bot.runtime.clock import Clock

USUAL_SHARE = 0.6
"""How much of a stage the bar has covered when its usual time is over."""

SLOWEST = 1.7
"""Multiple of the usual time up to which the bar moves evenly; after that ever more slowly, never to the end."""

OVERDUE_FACTOR = 1.25
MIN_SHOWN_DELAY_S = 10.0
"""A stage is shown as taking longer than usual after this multiple of the longest estimate and this time on top."""

_SLOWEST_SHARE = 0.97

LEAST_SHOWN_S = 3.0
"""A time left below this is not shown: the stage is about to end."""


class ProgressBar:
    """Follows what is reported, moves on by itself in between, and never goes back."""

    def __init__(self, progress: Progress, clock: Clock) -> None:
        self._clock = clock
        self._progress = progress
        self._furthest = self._start = progress.fraction
        self._since_s = clock.monotonic_s()

    def set(self, progress: Progress) -> None:
        """Go on from where the bar is, as the newest progress says."""
        old, self._furthest = self._progress, self.fraction()
        movement = (progress.fraction, progress.until, progress.expected_s)
        if movement != (old.fraction, old.until, old.expected_s):
            self._since_s = self._clock.monotonic_s()
            self._furthest = max(self._furthest, progress.fraction)
            self._start = self._furthest
        self._progress = progress

    def fraction(self) -> float:
        """Return how much of the whole job is done, 0 to 1."""
        progress = self._progress
        if progress.expected_s <= 0 or progress.until <= self._start:
            return self._furthest
        share = share_after(self._in_stage_s / progress.expected_s)
        return max(self._furthest, self._start + (progress.until - self._start) * share)

    def left_s(self) -> float | None:
        """Return about how many seconds the stage still takes.

        Returns:
            ``None`` if it isn't known or hardly worth telling; 0.0 if it takes longer than usual.
        """
        progress, in_stage_s = self._progress, self._in_stage_s
        if not progress.estimates_s:
            return None
        left = left_s(progress.estimates_s, in_stage_s)
        if left >= LEAST_SHOWN_S:
            return rounded_s(left)
        return 0.0 if in_stage_s > OVERDUE_FACTOR * max(progress.estimates_s) + MIN_SHOWN_DELAY_S else None

    @property
    def _in_stage_s(self) -> float:
        return self._clock.monotonic_s() - self._since_s


def share_after(usual_times: float) -> float:
    """Return how much of a stage the bar has covered after a multiple of its usual time."""
    if usual_times <= 1:
        return USUAL_SHARE * usual_times
    speed = (_SLOWEST_SHARE - USUAL_SHARE) / (SLOWEST - 1)
    if usual_times <= SLOWEST:
        return USUAL_SHARE + speed * (usual_times - 1)
    return 1 - (1 - _SLOWEST_SHARE) * math.exp(SLOWEST - usual_times)
