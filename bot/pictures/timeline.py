"""A draft's timeline as a picture: tracks as lanes, segments as blocks, a ruler above.

Light, calm, and made to be read on a phone. A track's kind is told by its colour, by a sign and by its name.
"""

import asyncio
import io
from typing import Final, NamedTuple

from PIL import Image, ImageDraw

from bot.nemo.drafts import Draft, TrackKind
from bot.pictures import lettering
from bot.pictures.boxes import Block, Box, Layout, Line, TrackBox
from bot.pictures.layout import TimelineLabels, lay_out
from bot.pictures.track_rows import METER_INSET_PX, METER_PX

PAPER: Final = "#ffffff"
BAND: Final = "#f1f3f6"
GRID: Final = "#dfe3e8"
INK: Final = "#1b2430"
QUIET_INK: Final = "#4a5565"

# Pillow's shapes have jagged edges: they are drawn this much larger, and shrunk.
_FINE = 2
_RADIUS = 14


class Shades(NamedTuple):
    """The colours of a kind of track: of its blocks, and of its sign and meters."""

    fill: str
    accent: str


# Told apart also by those who see red and green alike, after the palette of Okabe and Ito.
SHADES: Final = {
    TrackKind.VIDEO: Shades("#d6e6f7", "#1f68ae"),
    TrackKind.AUDIO: Shades("#d3eee4", "#0b7a5c"),
    TrackKind.TEXT: Shades("#fbe8c4", "#9a5f00"),
    TrackKind.OTHER: Shades("#e8e1f2", "#6d4c9c"),
}


async def draw_timeline(draft: Draft, *, labels: TimelineLabels) -> bytes:
    """Draw a draft's timeline, in a thread of its own.

    Args:
        draft: Any; of a large one as much as there is room for, with the rest counted.
        labels: The words in the picture, in the chat's language.

    Returns:
        A PNG, 1280 pixels wide and at most as high.
    """
    return await asyncio.to_thread(_drawn, draft, labels)


def _drawn(draft: Draft, labels: TimelineLabels) -> bytes:
    layout = lay_out(draft, labels)
    picture = _shapes(layout)
    canvas = ImageDraw.Draw(picture)
    for tick in layout.ticks:
        _write(canvas, tick.line)
    for shown in (*layout.heading, layout.hidden):
        _write(canvas, shown)
    for lane in layout.lanes:
        _write(canvas, lane.name)
        _write(canvas, lane.hidden)
        for block in lane.blocks:
            for shown in block.lines:
                _write(canvas, shown)
    target = io.BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()


def _write(canvas: ImageDraw.ImageDraw, shown: Line | None) -> None:
    if shown:
        colour = QUIET_INK if shown.quiet else INK
        lettering.draw(canvas, shown.box.left, shown.box.top, shown.text, shown.size_px, colour)


def _shapes(layout: Layout) -> Image.Image:
    picture = Image.new("RGB", (layout.width * _FINE, layout.height * _FINE), PAPER)
    canvas = ImageDraw.Draw(picture)
    for lane in layout.lanes:
        _rounded(canvas, lane.box, _RADIUS + 6, BAND)
        for tick in layout.ticks:
            _rounded(canvas, Box(tick.x - 1, lane.box.top + 6, tick.x + 1, lane.box.bottom - 6), 0, GRID)
        _rounded(canvas, lane.icon, 12, SHADES[lane.kind].accent)
        _sign(canvas, lane)
        for block in lane.blocks:
            _block(canvas, block, SHADES[lane.kind])
    return picture.reduce(_FINE)


def _block(canvas: ImageDraw.ImageDraw, block: Block, shades: Shades) -> None:
    box = block.box
    _rounded(canvas, box, min(_RADIUS, box.width // 2), shades.fill, outline=shades.accent)
    if block.level is None or box.width < 2 * METER_INSET_PX + METER_PX:
        return
    inset = METER_INSET_PX
    meter = Box(box.left + inset, box.top + inset, box.left + inset + METER_PX, box.bottom - inset)
    _rounded(canvas, meter, METER_PX // 2, PAPER)
    filled = round(meter.height * block.level)
    if filled:
        level = Box(meter.left, meter.bottom - max(filled, METER_PX), meter.right, meter.bottom)
        _rounded(canvas, level, METER_PX // 2, shades.accent)


def _sign(canvas: ImageDraw.ImageDraw, lane: TrackBox) -> None:
    """Draw what tells a kind without words: a play sign, a note, a T, a diamond."""

    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        # Points are in hundredths of the sign's side.
        side = lane.icon.width * _FINE / 100
        return [(lane.icon.left * _FINE + x * side, lane.icon.top * _FINE + y * side) for x, y in points]

    match lane.kind:
        case TrackKind.VIDEO:
            canvas.polygon(at((36, 26), (36, 74), (77, 50)), fill=PAPER)
        case TrackKind.AUDIO:
            canvas.ellipse(at((27, 56), (51, 78)), fill=PAPER)
            canvas.polygon(
                at((44, 22), (51, 22), (72, 34), (72, 46), (51, 36), (51, 68), (44, 68)), fill=PAPER
            )
        case TrackKind.TEXT:
            canvas.polygon(at((25, 25), (75, 25), (75, 37), (25, 37)), fill=PAPER)
            canvas.polygon(at((43, 25), (57, 25), (57, 77), (43, 77)), fill=PAPER)
        case TrackKind.OTHER:
            canvas.polygon(at((50, 22), (78, 50), (50, 78), (22, 50)), fill=PAPER)


def _rounded(
    canvas: ImageDraw.ImageDraw, box: Box, radius: int, fill: str, *, outline: str | None = None
) -> None:
    corners = (box.left * _FINE, box.top * _FINE, box.right * _FINE - 1, box.bottom * _FINE - 1)
    canvas.rounded_rectangle(corners, radius * _FINE, fill=fill, outline=outline, width=_FINE * 2)
