"""Where everything of a timeline's picture goes, before a pixel of it is painted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.nemo.drafts import Draft, Track, TrackKind
from bot.pictures import lettering, times
from bot.pictures.boxes import Box, Layout, Line, Tick, TrackBox, line
from bot.pictures.track_rows import NAME_PX, ROW_GAP_PX, ROW_PX, TIME_PX, Rows, Scale, blocks, distribute

WIDTH_PX: Final = 1280
"""Telegram shrinks a photo whose longer side is more."""

MIN_TEXT_PX: Final = 32
"""Nine pixels high where the picture is shown 360 wide, as on a phone."""

MAX_ROWS: Final = 8
"""So that the picture is never higher than it is wide, and keeps its width."""

MAX_ROWS_PER_TRACK: Final = 3

TITLE_PX: Final = 46
_MARGIN = 36
_LANE_GAP = 14
_LANE_PAD = 6
_COLUMN_GAP = 20
_ICON = 44
_ICON_GAP = 12
_MIN_NAME = 64
_MAX_NAME = 160
_TICK_GAP = 48
_EDGE = 14
_MIN_HEIGHT = 200


@dataclass(frozen=True, slots=True)
class TimelineLabels:
    """The words in the picture, in the chat's language.

    Args:
        video: What a track of video is called.
        audio: What a track of sound is called.
        text: What a track of titles is called.
        other: What any other track is called.
        unnamed: What to call a segment without a name, by its place on the track.
    """

    video: str
    audio: str
    text: str
    other: str
    unnamed: Callable[[int], str]

    def of(self, kind: TrackKind) -> str:
        """Give what a kind of track is called."""
        names = {
            TrackKind.VIDEO: self.video,
            TrackKind.AUDIO: self.audio,
            TrackKind.TEXT: self.text,
            TrackKind.OTHER: self.other,
        }
        return names[kind]


def lay_out(draft: Draft, labels: TimelineLabels) -> Layout:
    """Lay out a draft's timeline.

    A draft of any size gives a picture of bounded size: tracks and segments that find no place are counted.

    Args:
        draft: Any.
        labels: What the kinds of track are called.
    """
    told_ms = max([draft.duration_ms or 0, *(times.told_end_ms(t.segments) for t in draft.tracks[:MAX_ROWS])])
    left = _MARGIN + _column(draft, labels) + _COLUMN_GAP
    # Without any time, segments share the width as if they lasted equally long.
    scale = Scale(left + _LANE_PAD, WIDTH_PX - _MARGIN - _LANE_PAD, max(told_ms, 1))
    heading = _heading(draft, told_ms)
    top = max([_MARGIN, *(shown.box.bottom + 14 for shown in heading)])
    ticks = _ticks(scale, top) if told_ms else ()
    top = max([top, *(tick.line.box.bottom + 10 for tick in ticks)])
    lanes: list[TrackBox] = []
    rows_left = MAX_ROWS
    for index, track in enumerate(draft.tracks[:MAX_ROWS]):
        tracks_left = min(len(draft.tracks) - index, rows_left)
        spread = distribute(track, scale, min(MAX_ROWS_PER_TRACK, rows_left - tracks_left + 1))
        lane = _lane(track, spread, scale, top, labels, timed=told_ms > 0)
        lanes.append(lane)
        top = lane.box.bottom + _LANE_GAP
        rows_left -= len(spread.rows)
        if not rows_left:
            break
    more = len(draft.tracks) - len(lanes)
    hidden = line(f"+{more}", NAME_PX, _MARGIN, top, room_px=WIDTH_PX // 2, quiet=True) if more else None
    bottom = hidden.box.bottom if hidden else top - _LANE_GAP
    return Layout(WIDTH_PX, max(bottom + _MARGIN, _MIN_HEIGHT), heading, ticks, tuple(lanes), hidden)


def _column(draft: Draft, labels: TimelineLabels) -> int:
    kinds = {track.kind for track in draft.tracks[:MAX_ROWS]}
    names = (lettering.width(lettering.clean(labels.of(kind)), TIME_PX) for kind in kinds)
    return _ICON + _ICON_GAP + min(max([_MIN_NAME, *(int(name) + 1 for name in names)]), _MAX_NAME)


def _heading(draft: Draft, told_ms: int) -> tuple[Line, ...]:
    facts = [times.format_time(told_ms, told_ms)] if told_ms else []
    if draft.width and draft.height and max(draft.width, draft.height) < 100_000:
        facts.append(f"{draft.width}×{draft.height}")
    about = "   ".join(facts)
    title = lettering.clean(draft.title or "")
    about_px = int(lettering.width(about, TIME_PX)) + 1
    # Both stand on one baseline; without a title the facts come first.
    drop = lettering.baseline(TITLE_PX) - lettering.baseline(TIME_PX) if title else 0
    left = WIDTH_PX - _MARGIN - about_px if title else _MARGIN
    top = _MARGIN - 8
    lines = (
        line(title, TITLE_PX, _MARGIN, top, room_px=left - 2 * _COLUMN_GAP - _MARGIN),
        line(about, TIME_PX, left, top + drop, room_px=about_px, quiet=True),
    )
    return tuple(shown for shown in lines if shown)


def _ticks(scale: Scale, top: int) -> tuple[Tick, ...]:
    widest = lettering.width(times.format_time(scale.total_ms, scale.total_ms), TIME_PX) + _TICK_GAP
    step = times.step_ms(scale.total_ms * widest / (scale.right - scale.left))
    ticks: list[Tick] = []
    for at_ms in range(0, scale.total_ms + 1, step):
        text = times.format_time(at_ms, scale.total_ms)
        wide = lettering.width(text, TIME_PX)
        x = scale.x(at_ms)
        left = min(round(x - wide / 2), WIDTH_PX - _EDGE - int(wide) - 1)
        if shown := line(text, TIME_PX, left, top, room_px=int(wide) + 1, quiet=True):
            ticks.append(Tick(at_ms, x, shown))
    return tuple(ticks)


def _lane(
    track: Track, spread: Rows, scale: Scale, top: int, labels: TimelineLabels, *, timed: bool
) -> TrackBox:
    count = len(spread.rows)
    tall = count * ROW_PX + (count - 1) * ROW_GAP_PX + 2 * _LANE_PAD
    box = Box(scale.left - _LANE_PAD, top, scale.right + _LANE_PAD, top + tall)
    marker_px = lettering.height(TIME_PX) if spread.hidden else 0
    icon_top = top + (tall - _ICON - marker_px) // 2
    icon = Box(_MARGIN, icon_top, _MARGIN + _ICON, icon_top + _ICON)
    beside = icon.right + _ICON_GAP
    kind = lettering.clean(labels.of(track.kind))
    name = line(
        kind,
        TIME_PX,
        beside,
        icon_top + (_ICON - lettering.height(TIME_PX)) // 2,
        room_px=box.left - _COLUMN_GAP - beside,
    )
    hidden = None
    if spread.hidden:
        room_px = box.left - _COLUMN_GAP - _MARGIN
        hidden = line(f"+{spread.hidden}", TIME_PX, _MARGIN, icon.bottom, room_px=room_px, quiet=True)
    made = (
        block
        for number, row in enumerate(spread.rows)
        for block in blocks(
            track, row, scale, top + _LANE_PAD + number * (ROW_PX + ROW_GAP_PX), labels.unnamed, timed=timed
        )
    )
    return TrackBox(track.kind, box, icon, name, hidden, tuple(made))
