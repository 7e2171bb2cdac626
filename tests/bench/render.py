"""What the bot adds to a render: from the moment it is done to the one the bot sees it, for renders of 5 to 300 s.

In virtual time: the bot's own plan of looks, `next_poll_s`, against renders that report their progress in steps, or not
at all. A look takes as long as a quick call does. The goal is 2 s or 10 % of the render, whichever is more.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.jobs.steps.export import RenderLimits
from bot.nemo.render_answers import next_poll_s
from tests.bench.table import Figure, alone

LENGTHS_S = range(5, 301)
CALL_S = 0.2
STEP = 5  # percent between two values of a reported progress


async def measure() -> list[Figure]:
    """The largest share of what is allowed that the bot adds."""
    return [
        alone(
            f"render of 5 to 300 s {which}: what the bot adds at most, of the 2 s or 10 % allowed",
            [max(added_s(length, reports=reports) / max(2.0, 0.1 * length) for length in LENGTHS_S)],
            unit="",
            goal=1.0,
        )
        for reports, which in ((True, "that reports its progress"), (False, "that reports none"))
    ]


def added_s(length_s: float, *, reports: bool) -> float:
    """Return how long after a render's end the bot sees it."""
    *_, last = looks(length_s, reports=reports)
    return last - length_s


def looks(length_s: float, *, reports: bool) -> Iterator[float]:
    """Yield when the bot looks at a render, in seconds since its start, up to the look that finds it done."""
    at_s, polls, progress = 0.0, 0, None
    while at_s < length_s:
        at_s += next_poll_s(polls, at_s, progress, RenderLimits().poll_s) + CALL_S
        polls += 1
        if reports:
            progress = min(100, int(100 * at_s / length_s) // STEP * STEP)
        yield at_s
