"""Times of a timeline: their format, the distance of the ruler's ticks, and the positions of segments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from bot.nemo.drafts import Segment

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Span:
    """The position of a segment in time, as far as it is known."""

    segment: Segment  # the segment
    position: int  # its position on the track, from 1
    start_ms: float  # its start in the draft, else the end of the segment before
    end_ms: float  # its end in the draft, else an equal share of the free time


def format_time(at_ms: int, total_ms: int) -> str:
    """Format a time as fits the timeline's length: ``3.5s``, ``1:05``, ``1:00:05``."""
    if total_ms < _MINUTE:
        return f"{_seconds(at_ms, total_ms)}s"
    minutes, ms = divmod(at_ms, _MINUTE)
    if total_ms < _HOUR:
        seconds = _seconds(ms, total_ms)
        return f"{minutes}:{seconds.zfill(4 if '.' in seconds else 2)}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{ms // _SECOND:02}"


def format_range(start_ms: int, end_ms: int, total_ms: int) -> str:
    """Format a range in the same way: ``0–3.5s``."""
    start, end = format_time(start_ms, total_ms), format_time(end_ms, total_ms)
    return end if start == end else f"{start.removesuffix('s')}–{end}"


def _seconds(ms: int, total_ms: int) -> str:
    places = 1 if total_ms >= 2 * _SECOND else 3
    # Truncated, not rounded: a time just before the minute must not be shown as the minute.
    unit = 10 ** (3 - places)
    value = f"{ms // unit * unit / _SECOND:.{places}f}"
    return value.rstrip("0").removesuffix(".")


def step_ms(shortest_ms: float) -> int:
    """Return the shortest round step that is at least this long."""
    return next(step for step in _steps() if step >= shortest_ms)


def _steps() -> Iterator[int]:
    for power in range(3):
        yield from (factor * 10**power for factor in (1, 2, 5))
    yield from (factor * _SECOND for factor in (1, 2, 5, 10, 15, 30))
    yield from (factor * _MINUTE for factor in (1, 2, 5, 10, 15, 30))
    yield from (factor * _HOUR for factor in (1, 2, 3, 6, 12))
    for power in count():
        yield from (factor * 10**power * _DAY for factor in (1, 2, 5))


def known_end_ms(segments: Sequence[Segment]) -> int:
    """Return the time at which a track's segments end at the earliest."""
    cursor = latest = 0
    for segment in segments:
        start = cursor if segment.start_ms is None else segment.start_ms
        cursor = start + (segment.duration_ms or 0)
        latest = max(latest, cursor)
    return latest


def spans(segments: Sequence[Segment], total_ms: int) -> list[Span]:
    """Return the positions of a track's segments, including those without times.

    Args:
        segments: The segments in the draft's order.
        total_ms: The timeline's length.
    """
    horizon: list[int] = []
    shares: list[int] = []
    free_until, share = total_ms, 0
    for segment in reversed(segments):
        share = share + 1 if segment.duration_ms is None else 0
        horizon.append(free_until)
        shares.append(max(share, 1))
        if segment.start_ms is not None:
            free_until, share = segment.start_ms, 0
        elif segment.duration_ms is not None:
            free_until = max(free_until - segment.duration_ms, 0)
    horizon.reverse()
    shares.reverse()
    result: list[Span] = []
    cursor = 0.0
    for position, segment in enumerate(segments, 1):
        start = cursor if segment.start_ms is None else float(segment.start_ms)
        if segment.duration_ms is not None:
            cursor = start + segment.duration_ms
        else:
            free = max(horizon[position - 1] - start, 0.0)
            cursor = start + free / shares[position - 1]
        # What lies before the timeline's start is not visible.
        cursor = max(cursor, 0.0)
        result.append(Span(segment, position, max(start, 0.0), cursor))
    return result
