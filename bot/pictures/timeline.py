"""Draws a draft's timeline: a ruler, and below it the tracks with their segments as blocks.

It is made to be read on a phone. A track's kind is shown by its colour, its icon and its label.
"""

import asyncio
import io
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from PIL import Image, ImageDraw

from bot.media.clip_look import FRAME_PX, ClipLook
from bot.nemo.drafts import Draft, TrackKind
from bot.pictures import lettering
from bot.pictures.boxes import Block, Box, Layout, Look, TimelineLabels, TrackBox
from bot.pictures.layout import lay_out
from bot.pictures.track_rows import METER_INSET_PX, METER_PX, ROW_PX, STRIP_PX

# Dark, as in editing programs: a white picture glares in a dark chat, a dark one looks well in both.
PAPER: Final = "#17202b"
BAND: Final = "#212c39"
GRID: Final = "#3a4756"
INK: Final = "#f4f7fa"
QUIET_INK: Final = "#bcc7d3"

# Pillow's shapes have jagged edges: they are drawn larger by this factor, then shrunk.
_SCALE = 2
_RADIUS = 14
_BAR_PX = 4
_BAR_GAP_PX = 3

_T = TypeVar("_T")


class Shades(NamedTuple):
    """The colours of a kind of track: ``fill`` of its blocks, ``accent`` of its icon and meters."""

    fill: str
    accent: str


# Distinguishable with red-green blindness too, after the palette of Okabe and Ito.
SHADES: Final = {
    TrackKind.VIDEO: Shades("#1c3a5b", "#7ab8f5"),
    TrackKind.AUDIO: Shades("#123f34", "#4fc9a2"),
    TrackKind.TEXT: Shades("#4a3711", "#f0b44c"),
    TrackKind.OTHER: Shades("#372a52", "#b79ae6"),
}


async def draw_timeline(
    draft: Draft, *, labels: TimelineLabels, looks: Mapping[str, ClipLook] | None = None
) -> bytes:
    """Draw a draft's timeline in a thread.

    Args:
        draft: The draft; what has no room is counted.
        labels: The words in the picture, in the chat's language.
        looks: What clips look like, by the URL of their media, as far as it is known.

    Returns:
        A PNG, 1280 pixels wide and at most as high.
    """
    return await asyncio.to_thread(_draw, draft, labels, looks or {})


def _draw(draft: Draft, labels: TimelineLabels, looks: Mapping[str, ClipLook]) -> bytes:
    layout = lay_out(draft, labels, looks)
    picture = _draw_shapes(layout)
    canvas = ImageDraw.Draw(picture)
    for track in layout.tracks:
        for look in (block.look for block in track.blocks if block.look):
            _draw_look(picture, look, looks[look.media], SHADES[track.kind].accent)
    lines = [*layout.heading, layout.hidden, *(tick.line for tick in layout.ticks)]
    for track in layout.tracks:
        lines += [track.name, track.hidden, *(line for block in track.blocks for line in block.lines)]
    for line in lines:
        if line:
            colour = QUIET_INK if line.quiet else INK
            lettering.draw(canvas, line.box.left, line.box.top, line.text, line.size_px, colour)
    target = io.BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()


def _draw_shapes(layout: Layout) -> Image.Image:
    picture = Image.new("RGB", (layout.width * _SCALE, layout.height * _SCALE), PAPER)
    canvas = ImageDraw.Draw(picture)
    for track in layout.tracks:
        _draw_rounded(canvas, track.box, _RADIUS + 6, BAND)
        for tick in layout.ticks:
            _draw_rounded(
                canvas, Box(tick.x - 1, track.box.top + 6, tick.x + 1, track.box.bottom - 6), 0, GRID
            )
        _draw_rounded(canvas, track.icon, 12, SHADES[track.kind].accent)
        _draw_icon(canvas, track)
        for block in track.blocks:
            _draw_block(canvas, block, SHADES[track.kind])
    return picture.reduce(_SCALE)


def _draw_look(picture: Image.Image, look: Look, clip: ClipLook, colour: str) -> None:
    """Draw the frames of a segment side by side, or its loudness as bars."""
    inset = (STRIP_PX - FRAME_PX) // 2
    room = Box(look.box.left + inset, look.box.top + inset, look.box.right - inset, look.box.bottom - inset)
    if room.width <= 0:
        return
    strip = Image.new("RGB", (room.width, room.height))
    mask = Image.new("L", strip.size)
    if clip.frames:
        left = 0
        while left < room.width:
            frame = _at(clip.frames, look, left / room.width, clip.duration_s)
            strip.paste(Image.frombytes("RGB", (frame.width, FRAME_PX), frame.rgb), (left, 0))
            left += frame.width
        # Round above, like the block.
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, room.width, 2 * room.height), _RADIUS - inset, fill=255)
    elif clip.levels:
        strip.paste(colour, (0, 0, *strip.size))
        bars = ImageDraw.Draw(mask)
        for left in range(_RADIUS, room.width - _RADIUS, _BAR_PX + _BAR_GAP_PX):
            half = max(1, round(_at(clip.levels, look, left / room.width, clip.duration_s) * room.height / 2))
            middle = room.height // 2
            bars.rectangle((left, middle - half, left + _BAR_PX - 1, middle + half - 1), fill=255)
    picture.paste(strip, (room.left, room.top), mask)


def _at(values: Sequence[_T], look: Look, share: float, duration_s: float) -> _T:
    """Return what a file has at a part of a segment; files of unknown length are shown whole."""
    if duration_s > 0:
        share = (look.start_ms + share * (look.end_ms - look.start_ms)) / 1000 / duration_s
    return values[min(int(share * len(values)), len(values) - 1)]


def _draw_block(canvas: ImageDraw.ImageDraw, block: Block, shades: Shades) -> None:
    box = block.box
    _draw_rounded(canvas, box, min(_RADIUS, box.width // 2), shades.fill, outline=shades.accent)
    if block.level is None or box.width < 2 * METER_INSET_PX + METER_PX:
        return
    inset = METER_INSET_PX
    meter = Box(
        box.left + inset, box.bottom - ROW_PX + inset, box.left + inset + METER_PX, box.bottom - inset
    )
    _draw_rounded(canvas, meter, METER_PX // 2, PAPER)
    filled = round(meter.height * block.level)
    if filled:
        level = Box(meter.left, meter.bottom - max(filled, METER_PX), meter.right, meter.bottom)
        _draw_rounded(canvas, level, METER_PX // 2, shades.accent)


def _draw_icon(canvas: ImageDraw.ImageDraw, track: TrackBox) -> None:
    """Draw the icon of a track's kind: a play sign, a note, a T, or a diamond."""

    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        # Points are in hundredths of the icon's side.
        side = track.icon.width * _SCALE / 100
        return [(track.icon.left * _SCALE + x * side, track.icon.top * _SCALE + y * side) for x, y in points]

    match track.kind:
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


def _draw_rounded(
    canvas: ImageDraw.ImageDraw, box: Box, radius: int, fill: str, *, outline: str | None = None
) -> None:
    corners = (box.left * _SCALE, box.top * _SCALE, box.right * _SCALE - 1, box.bottom * _SCALE - 1)
    canvas.rounded_rectangle(corners, radius * _SCALE, fill=fill, outline=outline, width=_SCALE * 2)
