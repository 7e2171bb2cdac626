"""The positions of a track's segments in time, for pictures and lists alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.nemo.drafts import Segment


@dataclass(frozen=True, slots=True)
class Span:
    """The position of a segment in time, as far as it is known."""

    segment: Segment  # the segment
    position: int  # its position on the track, from 1
    start_ms: float  # its start in the draft, else the end of the segment before
    end_ms: float  # its end in the draft, else an equal share of the free time


def known_end_ms(segments: Sequence[Segment]) -> int:
    """Return the time at which a track's segments end at the earliest."""
    cursor = latest = 0
    for segment in segments:
        start = cursor if segment.start_ms is None else segment.start_ms
        cursor = start + (segment.duration_ms or 0)
        latest = max(latest, cursor)
    return latest


def spans_of(segments: Sequence[Segment], total_ms: int) -> list[Span]:
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
