"""A track's segments as blocks in rows, each with as much of its name and times as fits."""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

from bot.nemo.drafts import Segment, Track, TrackKind
from bot.nemo.spans import Span, spans_of
from bot.pictures import lettering, times
from bot.pictures.boxes import Block, Box, Line, Look, TimelineLabels, fit_line

NAME_PX: Final = 42
TIME_PX: Final = 36
ROW_PX: Final = 100
STRIP_PX: Final = 92  # above the text, for frames or loudness
ROW_GAP_PX: Final = 8
BLOCK_GAP_PX: Final = 4
MIN_BLOCK_PX: Final = 12
METER_PX: Final = 12
METER_INSET_PX: Final = 8

_PAD = 14
_BESIDE_GAP = 12
# In a narrower block the name goes beside it, if there is at least the second of these widths.
_COMFORTABLE = 150
_MIN_BESIDE = 100
# In a narrower block only a letter or two of a name would fit.
_MIN_NAME = 60
_MAX_BESIDE = 420


@dataclass(slots=True)
class RowSlot:
    """The segments and edges of a block."""

    spans: list[Span]
    left: int
    right: int
    short: bool


@dataclass(slots=True)
class Row:
    """The slots of a row from left to right; the next one may start at ``end_ms``."""

    slots: list[RowSlot] = field(default_factory=list)
    end_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps times to pixels."""

    left: int  # the pixel of the timeline's start
    right: int  # the pixel of its end
    total_ms: int  # its length, at least 1

    def x(self, at_ms: float) -> int:
        """Return the pixel of a time; times outside of the timeline are moved to its edge."""
        share = min(max(at_ms / self.total_ms, 0.0), 1.0)
        return self.left + round(share * (self.right - self.left))


@dataclass(frozen=True, slots=True)
class Rows:
    """A track's segments, distributed over rows."""

    rows: tuple[Row, ...]  # as many as overlapping segments need, from one to the allowed number
    hidden: int  # the number of segments without room


def distribute(track: Track, scale: Scale, max_rows: int) -> Rows:
    """Distribute segments over rows so that none covers another.

    Segments too short to be drawn separately share a block.
    """
    rows = [Row()]
    hidden = 0
    in_order = sorted(spans_of(track.segments, scale.total_ms), key=lambda s: (s.start_ms, s.end_ms))
    for span in in_order:
        if any(_place(row, span, scale) for row in rows):
            continue
        if len(rows) < max_rows and _place(new := Row(), span, scale):
            rows.append(new)
        else:
            hidden += 1
    return Rows(tuple(rows), hidden)


def _place(row: Row, span: Span, scale: Scale) -> bool:
    """Add a segment to a row; return ``False`` if it has no room there."""
    left = min(scale.x(span.start_ms), scale.right - MIN_BLOCK_PX)
    right = scale.x(span.end_ms) - BLOCK_GAP_PX
    short = right - left < MIN_BLOCK_PX
    last = row.slots[-1] if row.slots else None
    free = last.right + BLOCK_GAP_PX if last else scale.left
    # Short blocks are drawn longer than they are, and push the next ones slightly aside.
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


def make_blocks(
    track: Track,
    row: Row,
    scale: Scale,
    place: Box,
    labels: TimelineLabels,
    looks: Container[str],
    *,
    timed: bool,
) -> list[Block]:
    """Return a row's blocks with their lines of text.

    Args:
        track: The row's track.
        row: A row from :func:`distribute`.
        scale: Maps times to pixels.
        place: The row's position; what is higher than ``ROW_PX`` is for pictures.
        labels: The words in the picture.
        looks: URLs of the media that can be pictured.
        timed: Whether the draft has any times.
    """
    blocks: list[Block] = []
    taken = scale.left
    for index, slot in enumerate(row.slots):
        box = Box(slot.left, place.top, slot.right, place.bottom)
        words_box = Box(slot.left, place.bottom - ROW_PX, slot.right, place.bottom)
        after = row.slots[index + 1].left if index + 1 < len(row.slots) else scale.right
        count = len(slot.spans)
        level = _volume(slot.spans[0].segment, track) if count == 1 else None
        look = None
        if count == 1:
            name = _name(track, slot.spans[0], labels)
            facts = _facts(track, slot.spans[0], scale.total_ms, labels.seconds) if timed else ()
            media = slot.spans[0].segment.media
            if media is not None and media in looks and words_box.top > box.top:
                look = _look(media, slot.spans[0], Box(box.left, box.top, box.right, words_box.top))
        else:
            name, facts = f"×{count}", ()
        lines = _lines(words_box, name, facts, taken, after, has_meter=level is not None)
        blocks.append(Block(box, lines, None if level is None else min(level, 1.0), count, look))
        taken = max([box.right, *(line.box.right for line in lines)])
    return blocks


def _look(media: str, span: Span, box: Box) -> Look:
    start_ms = span.segment.source_start_ms
    return Look(box, media, start_ms, start_ms + round(span.end_ms - span.start_ms))


def _name(track: Track, span: Span, labels: TimelineLabels) -> str:
    segment = span.segment
    own = labels.names.get(segment.name, segment.name) if segment.named else None
    if track.kind is TrackKind.TEXT:
        own = segment.text or own
    own = own or segment.text or (track.name if len(track.segments) == 1 else None)
    return lettering.clean(own or "") or lettering.clean(labels.unnamed(span.position))


def _facts(track: Track, span: Span, total_ms: int, seconds_unit: str) -> tuple[str, ...]:
    """Return alternatives for the text below the name, the most detailed first."""
    segment, when = span.segment, ""
    if segment.duration_ms is not None:
        when = times.format_range(round(span.start_ms), round(span.end_ms), total_ms, seconds_unit)
    volume = _volume(segment, track)
    if volume is None:
        return (when,) if when else ()
    # A volume of a million per cent is a mistake, and would fill the block.
    percent = f"{min(volume, 9.99):.0%}"
    return (f"{when}   {percent}", when, percent) if when else (percent,)


def _volume(segment: Segment, track: Track) -> float | None:
    """Return the volume to show; that of a video only if it was changed."""
    volume = segment.volume if segment.volume is not None else track.volume
    return None if track.kind is not TrackKind.AUDIO and volume == 1 else volume


def _lines(
    box: Box, name: str, facts: tuple[str, ...], taken: int, after: int, *, has_meter: bool
) -> tuple[Line, ...]:
    """Return the lines of name and facts, inside a block or in the gap beside it if more fits there."""
    inside = box.left + (METER_INSET_PX + METER_PX if has_meter else 0) + _PAD
    room = box.right - _PAD - inside
    wanted = int(lettering.width(name, NAME_PX)) + 1
    beside = min(max([wanted, *(int(lettering.width(fact, TIME_PX)) + 1 for fact in facts)]), _MAX_BESIDE)
    behind = min(after - _BESIDE_GAP - (box.right + _BESIDE_GAP), beside)
    before = min(box.left - _BESIDE_GAP - (taken + 3 * _BESIDE_GAP), beside)
    if wanted > room and room < _COMFORTABLE:
        if behind >= min(wanted, _MIN_BESIDE):
            return _stacked(name, facts, box.right + _BESIDE_GAP, box.top, behind)
        if before >= min(wanted, _MIN_BESIDE):
            left = box.left - _BESIDE_GAP - before
            return _stacked(name, facts, left, box.top, before, to_the_right=True)
    return _stacked(name, facts, inside, box.top, room)


def _stacked(
    name: str, facts: tuple[str, ...], left: int, top: int, room: int, *, to_the_right: bool = False
) -> tuple[Line, ...]:
    """Return a name above the first of the facts that fits, or on two lines if that shows more of it."""
    texts = _texts(name, next((fact for fact in facts if lettering.width(fact, TIME_PX) <= room), ""), room)
    top += (ROW_PX - sum(lettering.height(size_px) for _, size_px, _ in texts)) // 2
    lines: list[Line] = []
    for text, size_px, quiet in texts:
        aside = max(room - int(lettering.width(text, size_px)) - 1, 0) if to_the_right else 0
        if line := fit_line(text, size_px, left + aside, top, room_px=room, quiet=quiet):
            lines.append(line)
            top = line.box.bottom
    return tuple(lines)


def _texts(name: str, fact: str, room: int) -> list[tuple[str, int, bool]]:
    """Return the texts of a block, each with its size and whether it is quiet."""
    below = [(fact, TIME_PX, True)] if fact else []
    for size_px in (NAME_PX, TIME_PX):
        if lettering.width(name, size_px) <= room:
            return [(name, size_px, False), *below]
    first, rest = lettering.break_line(name, TIME_PX, room)
    cut = lettering.fit(rest, TIME_PX, room)
    if first and cut and (cut == rest or (not fact and room >= _MIN_NAME)):
        return [(first, TIME_PX, False), (cut, TIME_PX, False)]
    if room < _MIN_NAME:
        return []
    return [(lettering.fit(name, NAME_PX, room), NAME_PX, False), *below]
