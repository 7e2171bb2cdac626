"""The layout of a timeline's picture, before it is painted."""

from collections.abc import Container
from typing import Final

from bot.nemo.drafts import Draft, Track
from bot.nemo.spans import known_end_ms
from bot.pictures import lettering, times
from bot.pictures.boxes import Box, Layout, Line, Tick, TimelineLabels, TrackBox, fit_line
from bot.pictures.track_rows import (
    NAME_PX,
    ROW_GAP_PX,
    ROW_PX,
    STRIP_PX,
    TIME_PX,
    Rows,
    Scale,
    distribute,
    make_blocks,
)

WIDTH_PX: Final = 1280  # Telegram shrinks photos whose longer side is larger
MAX_ROWS: Final = 8  # keeps the picture from getting higher than wide
MAX_ROWS_PER_TRACK: Final = 3

TITLE_PX: Final = 46
_MARGIN = 36
_TRACK_GAP = 14
_TRACK_PAD = 6
_COLUMN_GAP = 20
_ICON = 44
_ICON_GAP = 12
_MIN_NAME = 64
_MAX_NAME = 160
_TICK_GAP = 48
_EDGE = 14
_MIN_HEIGHT = 200


def lay_out(draft: Draft, labels: TimelineLabels, looks: Container[str] = ()) -> Layout:
    """Lay out a draft's timeline.

    The picture's size is limited: tracks and segments without room are counted, and where there are many rows the clips
    are not pictured.

    Args:
        draft: The draft.
        labels: The words in the picture.
        looks: URLs of the media that can be pictured.
    """
    layout = _lay_out(draft, labels, looks)
    return layout if layout.height <= WIDTH_PX else _lay_out(draft, labels, ())


def _lay_out(draft: Draft, labels: TimelineLabels, looks: Container[str]) -> Layout:
    length_ms = max([draft.duration_ms or 0, *(known_end_ms(t.segments) for t in draft.tracks[:MAX_ROWS])])
    left = _MARGIN + _column(draft, labels) + _COLUMN_GAP
    # Without any times, segments share the width as if they were equally long.
    scale = Scale(left + _TRACK_PAD, WIDTH_PX - _MARGIN - _TRACK_PAD, max(length_ms, 1))
    heading = _heading(draft, length_ms, labels)
    top = max([_MARGIN, *(line.box.bottom + 14 for line in heading)])
    ticks = _ticks(scale, top, labels.seconds) if length_ms else ()
    top = max([top, *(tick.line.box.bottom + 10 for tick in ticks)])
    tracks: list[TrackBox] = []
    rows_left = MAX_ROWS
    for index, track in enumerate(draft.tracks[:MAX_ROWS]):
        tracks_left = min(len(draft.tracks) - index, rows_left)
        rows = distribute(track, scale, min(MAX_ROWS_PER_TRACK, rows_left - tracks_left + 1))
        track_box = _track_box(track, rows, scale, top, labels, looks, timed=length_ms > 0)
        tracks.append(track_box)
        top = track_box.box.bottom + _TRACK_GAP
        rows_left -= len(rows.rows)
        if not rows_left:
            break
    more = len(draft.tracks) - len(tracks)
    hidden = fit_line(f"+{more}", NAME_PX, _MARGIN, top, room_px=WIDTH_PX // 2, quiet=True) if more else None
    bottom = hidden.box.bottom if hidden else top - _TRACK_GAP
    return Layout(WIDTH_PX, max(bottom + _MARGIN, _MIN_HEIGHT), heading, ticks, tuple(tracks), hidden)


def _column(draft: Draft, labels: TimelineLabels) -> int:
    shown = {labels.track(track) for track in draft.tracks[:MAX_ROWS]}
    names = (lettering.width(lettering.clean(label), TIME_PX) for label in shown)
    return _ICON + _ICON_GAP + min(max([_MIN_NAME, *(int(name) + 1 for name in names)]), _MAX_NAME)


def _heading(draft: Draft, length_ms: int, labels: TimelineLabels) -> tuple[Line, ...]:
    facts = [times.format_time(length_ms, length_ms, labels.seconds)] if length_ms else []
    if draft.width and draft.height and max(draft.width, draft.height) < 100_000:
        facts.append(f"{draft.width}×{draft.height}")
    about = "   ".join(facts)
    title = lettering.clean(draft.title or "")
    about_px = int(lettering.width(about, TIME_PX)) + 1
    # Both share one baseline; without a title, the facts are on the left.
    drop = lettering.baseline(TITLE_PX) - lettering.baseline(TIME_PX) if title else 0
    left = WIDTH_PX - _MARGIN - about_px if title else _MARGIN
    top = _MARGIN - 8
    lines = (
        fit_line(title, TITLE_PX, _MARGIN, top, room_px=left - 2 * _COLUMN_GAP - _MARGIN),
        fit_line(about, TIME_PX, left, top + drop, room_px=about_px, quiet=True),
    )
    return tuple(line for line in lines if line)


def _ticks(scale: Scale, top: int, seconds: str) -> tuple[Tick, ...]:
    widest = lettering.width(times.format_time(scale.total_ms, scale.total_ms, seconds), TIME_PX) + _TICK_GAP
    step = times.step_ms(scale.total_ms * widest / (scale.right - scale.left))
    ticks: list[Tick] = []
    for at_ms in range(0, scale.total_ms + 1, step):
        text = times.format_time(at_ms, scale.total_ms, seconds)
        wide = lettering.width(text, TIME_PX)
        x = scale.x(at_ms)
        left = min(round(x - wide / 2), WIDTH_PX - _EDGE - int(wide) - 1)
        if line := fit_line(text, TIME_PX, left, top, room_px=int(wide) + 1, quiet=True):
            ticks.append(Tick(at_ms, x, line))
    return tuple(ticks)


def _track_box(
    track: Track,
    rows: Rows,
    scale: Scale,
    top: int,
    labels: TimelineLabels,
    looks: Container[str],
    *,
    timed: bool,
) -> TrackBox:
    count = len(rows.rows)
    strip_px = STRIP_PX if any((one.media or "") in looks for one in track.segments) else 0
    row_px = ROW_PX + strip_px
    tall = count * row_px + (count - 1) * ROW_GAP_PX + 2 * _TRACK_PAD
    box = Box(scale.left - _TRACK_PAD, top, scale.right + _TRACK_PAD, top + tall)
    marker_px = lettering.height(TIME_PX) if rows.hidden else 0
    icon_top = top + (tall - _ICON - marker_px) // 2
    icon = Box(_MARGIN, icon_top, _MARGIN + _ICON, icon_top + _ICON)
    beside = icon.right + _ICON_GAP
    kind = lettering.clean(labels.track(track))
    name = fit_line(
        kind,
        TIME_PX,
        beside,
        icon_top + (_ICON - lettering.height(TIME_PX)) // 2,
        room_px=box.left - _COLUMN_GAP - beside,
    )
    hidden = None
    if rows.hidden:
        room_px = box.left - _COLUMN_GAP - _MARGIN
        below = max(icon.bottom, name.box.bottom if name else 0)
        hidden = fit_line(f"+{rows.hidden}", TIME_PX, _MARGIN, below, room_px=room_px, quiet=True)
    blocks = (
        block
        for number, row in enumerate(rows.rows)
        for top_of_row in [top + _TRACK_PAD + number * (row_px + ROW_GAP_PX)]
        for block in make_blocks(
            track,
            row,
            scale,
            Box(scale.left, top_of_row, scale.right, top_of_row + row_px),
            labels,
            looks,
            timed=timed,
        )
    )
    return TrackBox(track.kind, box, icon, name, hidden, tuple(blocks))
