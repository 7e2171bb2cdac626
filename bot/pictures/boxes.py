"""The parts of a picture before it is painted: the words in it, boxes and lines of text, in whole pixels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.nemo.drafts import Track, TrackKind
from bot.pictures import lettering


@dataclass(frozen=True, slots=True)
class TimelineLabels:
    """The words in the picture, in the chat's language."""

    track: Callable[[Track], str]  # returns the label of a track
    unnamed: Callable[[int], str]  # returns the name of a segment without one, from its position on the track
    seconds: str = " s"  # what follows a number of seconds
    names: Mapping[str, str] = field(default_factory=dict)  # what people call some segments, by their names


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; ``right`` and ``bottom`` are the first pixels outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """The width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """The height in pixels."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text."""

    text: str  # the text, already cut to fit its box
    box: Box  # its position
    size_px: int  # the font size
    quiet: bool = False  # whether it is drawn less prominently


@dataclass(frozen=True, slots=True)
class Look:
    """Where a segment is pictured."""

    box: Box  # its position
    media: str  # the URL of what is pictured
    start_ms: int  # where the segment begins in its file
    end_ms: int  # where it ends there, if its speed is the usual one


@dataclass(frozen=True, slots=True)
class Block:
    """A segment, or several that are too short to be drawn separately."""

    box: Box  # its position on its track
    lines: tuple[Line, ...]  # its name and times, inside or beside it, as far as there is room
    level: float | None  # its volume from 0 to 1, drawn as a meter; ``None`` for no meter
    count: int  # the number of segments it represents
    look: Look | None = None  # its picture, above its text


@dataclass(frozen=True, slots=True)
class TrackBox:
    """A track of the picture."""

    kind: TrackKind  # what it holds
    box: Box  # the position of its blocks
    icon: Box  # the position of its kind's icon
    name: Line | None  # the label of its kind
    hidden: Line | None  # the number of segments without room, such as ``+3``
    blocks: tuple[Block, ...]  # its blocks by row, from left to right


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the ruler."""

    at_ms: int
    x: int
    line: Line


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole picture."""

    width: int  # the width in pixels
    height: int  # the height in pixels
    heading: tuple[Line, ...]  # the project's title, length and size, as far as they are known
    ticks: tuple[Tick, ...]  # the ruler's ticks from left to right; empty if no times are known
    tracks: tuple[TrackBox, ...]  # the tracks from top to bottom
    hidden: Line | None  # the number of tracks without room, such as ``+12``


def fit_line(
    text: str, size_px: int, left: int, top: int, *, room_px: int, quiet: bool = False
) -> Line | None:
    """Return a line cut to ``room_px``; ``None`` if nothing of it fits."""
    text = lettering.fit(text, size_px, room_px)
    if not text:
        return None
    # Widths are fractions; the box is never wider than the room, which is a whole number.
    right = left + min(room_px, -(-lettering.width(text, size_px) // 1))
    return Line(text, Box(left, top, int(right), top + lettering.height(size_px)), size_px, quiet)
