"""A track's segments as blocks: in rows, each with as much of its name and times as there is room for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from bot.nemo.drafts import Segment, Track, TrackKind
from bot.pictures import lettering, times
from bot.pictures.boxes import Block, Box, Line, line

NAME_PX: Final = 38
TIME_PX: Final = 32
ROW_PX: Final = 100
ROW_GAP_PX: Final = 8
BLOCK_GAP_PX: Final = 4
MIN_BLOCK_PX: Final = 12
METER_PX: Final = 12
METER_INSET_PX: Final = 8

_PAD = 14
_BESIDE_GAP = 12
# A name cut shorter than this says too little; beside its block there may be more room.
_ENOUGH = 150
_LITTLE = 100
# Narrower than this, the beginning of a name is only a letter or two.
_TOO_LITTLE = 60
_MAX_BESIDE = 420


@dataclass(slots=True)
class RowSlot:
    """A block in the making."""

    spans: list[times.Span]
    left: int
    right: int
    short: bool


@dataclass(slots=True)
class Row:
    """Blocks in the making, from left to right; none begins before ``end_ms``."""

    slots: list[RowSlot] = field(default_factory=list)
    end_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Which pixel a time falls on.

    Args:
        left: Of the timeline's beginning.
        right: Of its end.
        total_ms: From beginning to end, at least 1.
    """

    left: int
    right: int
    total_ms: int

    def x(self, at_ms: float) -> int:
        """Give the pixel; what lies outside of the timeline is moved to its edge."""
        share = min(max(at_ms / self.total_ms, 0.0), 1.0)
        return self.left + round(share * (self.right - self.left))


@dataclass(frozen=True, slots=True)
class Rows:
    """A track's segments, distributed.

    Args:
        rows: As many as its overlapping segments need, at least one, at most as many as were allowed.
        hidden: How many segments found no place.
    """

    rows: tuple[Row, ...]
    hidden: int


def distribute(track: Track, scale: Scale, max_rows: int) -> Rows:
    """Give every segment a place on some row, so that none covers another.

    Segments too short to be told apart share a block.
    """
    rows = [Row()]
    hidden = 0
    in_order = sorted(times.spans(track.segments, scale.total_ms), key=lambda s: (s.start_ms, s.end_ms))
    for span in in_order:
        if any(_placed(row, span, scale) for row in rows):
            continue
        if len(rows) < max_rows and _placed(fresh := Row(), span, scale):
            rows.append(fresh)
        else:
            hidden += 1
    return Rows(tuple(rows), hidden)


def _placed(row: Row, span: times.Span, scale: Scale) -> bool:
    left = min(scale.x(span.start_ms), scale.right - MIN_BLOCK_PX)
    right = scale.x(span.end_ms) - BLOCK_GAP_PX
    short = right - left < MIN_BLOCK_PX
    last = row.slots[-1] if row.slots else None
    free = last.right + BLOCK_GAP_PX if last else scale.left
    # Short blocks are drawn longer than they are, and push what follows a little aside.
    pushed = max(left, free)
    right = max(right, pushed + MIN_BLOCK_PX)
    if span.start_ms >= row.end_ms and pushed - left <= MIN_BLOCK_PX and right <= scale.right:
        row.slots.append(RowSlot([span], pushed, right, short))
    elif last and last.short and short and left <= free:
        last.spans.append(span)
        last.right = max(last.right, left + MIN_BLOCK_PX)
    else:
        return False
    row.end_ms = max(row.end_ms, span.end_ms)
    return True


def blocks(
    track: Track, row: Row, scale: Scale, top: int, unnamed: Callable[[int], str], *, timed: bool
) -> list[Block]:
    """Set a row's blocks with their lines.

    Args:
        track: Whose row it is.
        row: One of :func:`distribute`.
        scale: Which pixel a time falls on.
        top: The row's upper edge.
        unnamed: What to call a segment without a name, by its place on the track.
        timed: Whether the draft tells any time.
    """
    made: list[Block] = []
    taken = scale.left
    for index, slot in enumerate(row.slots):
        box = Box(slot.left, top, slot.right, top + ROW_PX)
        after = row.slots[index + 1].left if index + 1 < len(row.slots) else scale.right
        count = len(slot.spans)
        level = _volume(slot.spans[0].segment, track) if count == 1 else None
        if count == 1:
            name = _name(track, slot.spans[0], unnamed)
            facts = _facts(track, slot.spans[0], scale.total_ms) if timed else ()
        else:
            name, facts = f"×{count}", ()
        lines = _lines(box, name, facts, taken, after, metered=level is not None)
        made.append(Block(box, lines, None if level is None else min(level, 1.0), count))
        taken = max([box.right, *(shown.box.right for shown in lines)])
    return made


def _name(track: Track, span: times.Span, unnamed: Callable[[int], str]) -> str:
    segment = span.segment
    own = segment.name if segment.named else None
    if track.kind is TrackKind.TEXT:
        own = segment.text or own
    own = own or segment.text or (track.name if len(track.segments) == 1 else None)
    return lettering.clean(own or "") or lettering.clean(unnamed(span.place))


def _facts(track: Track, span: times.Span, total_ms: int) -> tuple[str, ...]:
    """What to write below the name: the most telling that fits."""
    segment, when = span.segment, ""
    if segment.duration_ms is not None:
        when = times.format_range(round(span.start_ms), round(span.end_ms), total_ms)
    volume = _volume(segment, track)
    if volume is None:
        return (when,) if when else ()
    # A loudness of a million per cent is a mistake, and would fill the block.
    loud = f"{min(volume, 9.99):.0%}"
    return (f"{when}   {loud}", when, loud) if when else (loud,)


def _volume(segment: Segment, track: Track) -> float | None:
    """Give the loudness to be shown; that of a video only where somebody changed it."""
    volume = segment.volume if segment.volume is not None else track.volume
    return None if track.kind is not TrackKind.AUDIO and volume == 1 else volume


def _lines(
    box: Box, name: str, facts: tuple[str, ...], taken: int, after: int, *, metered: bool
) -> tuple[Line, ...]:
    """Set name and facts inside a block, or in the gap beside it where they say more."""
    inside = box.left + (METER_INSET_PX + METER_PX if metered else 0) + _PAD
    room = box.right - _PAD - inside
    wanted = int(lettering.width(name, NAME_PX)) + 1
    beside = min(max([wanted, *(int(lettering.width(fact, TIME_PX)) + 1 for fact in facts)]), _MAX_BESIDE)
    behind = min(after - _BESIDE_GAP - (box.right + _BESIDE_GAP), beside)
    before = min(box.left - _BESIDE_GAP - (taken + 3 * _BESIDE_GAP), beside)
    if wanted > room and room < _ENOUGH:
        if behind >= min(wanted, _LITTLE):
            return _stacked(name, facts, box.right + _BESIDE_GAP, box.top, behind)
        if before >= min(wanted, _LITTLE):
            left = box.left - _BESIDE_GAP - before
            return _stacked(name, facts, left, box.top, before, to_the_right=True)
    return _stacked(name, facts, inside, box.top, room)


def _stacked(
    name: str, facts: tuple[str, ...], left: int, top: int, room: int, *, to_the_right: bool = False
) -> tuple[Line, ...]:
    """Set a name above the first of the facts that fits, or alone on two lines if that shows more of it."""
    texts = _texts(name, next((fact for fact in facts if lettering.width(fact, TIME_PX) <= room), ""), room)
    top += (ROW_PX - sum(lettering.height(size_px) for _, size_px, _ in texts)) // 2
    lines: list[Line] = []
    for text, size_px, quiet in texts:
        aside = max(room - int(lettering.width(text, size_px)) - 1, 0) if to_the_right else 0
        if shown := line(text, size_px, left + aside, top, room_px=room, quiet=quiet):
            lines.append(shown)
            top = shown.box.bottom
    return tuple(lines)


def _texts(name: str, fact: str, room: int) -> list[tuple[str, int, bool]]:
    """Choose what stands in a block: text, size, and whether it is quiet."""
    below = [(fact, TIME_PX, True)] if fact else []
    for size_px in (NAME_PX, TIME_PX):
        if lettering.width(name, size_px) <= room:
            return [(name, size_px, False), *below]
    first, rest = lettering.broken(name, TIME_PX, room)
    cut = lettering.fit(rest, TIME_PX, room)
    if first and cut and (cut == rest or (not fact and room >= _TOO_LITTLE)):
        return [(first, TIME_PX, False), (cut, TIME_PX, False)]
    if room < _TOO_LITTLE:
        return []
    return [(lettering.fit(name, NAME_PX, room), NAME_PX, False), *below]
