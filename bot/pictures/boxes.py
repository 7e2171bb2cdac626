"""What a picture is made of before it is painted: boxes and lines, in whole pixels."""

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

    def holds(self, other: "Box") -> bool:
        """Whether another box lies wholly in this one."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom

    def meets(self, other: "Box") -> bool:
        """Whether two boxes share a pixel."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text.

    Args:
        text: Cut to its box already.
        box: Where it stands.
        size_px: Of the letters.
        quiet: Whether it says less than its neighbours.
    """

    text: str
    box: Box
    size_px: int
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A segment, or several that are too short to be told apart.

    Args:
        box: Where it lies on its lane.
        lines: Its name and times, inside or beside it, as far as there is room.
        level: Loudness from 0 to 1, shown as a meter; ``None`` without one.
        count: Of the segments it stands for.
    """

    box: Box
    lines: tuple[Line, ...]
    level: float | None
    count: int


@dataclass(frozen=True, slots=True)
class TrackBox:
    """A track.

    Args:
        kind: What it holds.
        box: Where its blocks lie.
        icon: Where the sign of its kind stands.
        name: What its kind is called.
        hidden: How many segments found no place, such as ``+3``.
        blocks: By row, from left to right.
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
        width: In pixels.
        height: In pixels.
        heading: The project's title, length and size, as far as they are known.
        ticks: From left to right; none if nothing is known of times.
        lanes: From top to bottom.
        hidden: How many tracks found no place, such as ``+12``.
    """

    width: int
    height: int
    heading: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    lanes: tuple[TrackBox, ...]
    hidden: Line | None


def line(text: str, size_px: int, left: int, top: int, *, room_px: int, quiet: bool = False) -> Line | None:
    """Set a line as far as there is room; ``None`` if nothing of it fits."""
    shown = lettering.fit(text, size_px, room_px)
    if not shown:
        return None
    # Widths are fractions; the box is never wider than the room, which is whole.
    right = left + min(room_px, -(-lettering.width(shown, size_px) // 1))
    return Line(shown, Box(left, top, int(right), top + lettering.height(size_px)), size_px, quiet)
