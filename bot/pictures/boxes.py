"""The parts of a picture before it is painted: boxes and lines of text, in whole pixels."""

from dataclasses import dataclass

from bot.nemo.drafts import TrackKind
from bot.pictures import lettering


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; ``right`` and ``bottom`` are the first pixels outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text.

    Args:
        text: The text, already cut to fit its box.
        box: Its position.
        size_px: The font size.
        quiet: Whether it is drawn less prominently.
    """

    text: str
    box: Box
    size_px: int
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A segment, or several that are too short to be drawn separately.

    Args:
        box: Its position on its track.
        lines: Its name and times, inside or beside it, as far as there is room.
        level: Its volume from 0 to 1, drawn as a meter; ``None`` for no meter.
        count: The number of segments it represents.
    """

    box: Box
    lines: tuple[Line, ...]
    level: float | None
    count: int


@dataclass(frozen=True, slots=True)
class TrackBox:
    """A track of the picture.

    Args:
        kind: What it holds.
        box: The position of its blocks.
        icon: The position of its kind's icon.
        name: The label of its kind.
        hidden: The number of segments without room, such as ``+3``.
        blocks: Its blocks by row, from left to right.
    """

    kind: TrackKind
    box: Box
    icon: Box
    name: Line | None
    hidden: Line | None
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the ruler."""

    at_ms: int
    x: int
    line: Line


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole picture.

    Args:
        width: The width in pixels.
        height: The height in pixels.
        heading: The project's title, length and size, as far as they are known.
        ticks: The ruler's ticks from left to right; empty if no times are known.
        tracks: The tracks from top to bottom.
        hidden: The number of tracks without room, such as ``+12``.
    """

    width: int
    height: int
    heading: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    tracks: tuple[TrackBox, ...]
    hidden: Line | None


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
