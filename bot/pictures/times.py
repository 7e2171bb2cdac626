"""Times of a timeline: their format and the distance of the ruler's ticks."""

from collections.abc import Iterator
from itertools import count

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def format_time(at_ms: int, total_ms: int, seconds_unit: str) -> str:
    """Format a time as fits the timeline's length: ``3.5 s``, ``1:05``, ``1:00:05``."""
    if total_ms < _MINUTE:
        return f"{_seconds(at_ms, total_ms)}{seconds_unit}"
    minutes, ms = divmod(at_ms, _MINUTE)
    if total_ms < _HOUR:
        seconds = _seconds(ms, total_ms)
        return f"{minutes}:{seconds.zfill(4 if '.' in seconds else 2)}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{ms // _SECOND:02}"


def format_range(start_ms: int, end_ms: int, total_ms: int, seconds_unit: str) -> str:
    """Format a range in the same way: ``0–3.5 s``."""
    start, end = (format_time(at_ms, total_ms, seconds_unit) for at_ms in (start_ms, end_ms))
    return end if start == end else f"{start.removesuffix(seconds_unit)}–{end}"


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
