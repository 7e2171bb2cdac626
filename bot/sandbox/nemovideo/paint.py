"""Draw generated clips, backgrounds and titles."""

import colorsys
import functools
import hashlib
import math
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw, ImageFilter, ImageFont, ImageOps

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_LINE_LETTERS = 26
_COLORS_ZH = {
    "白": "white",
    "黑": "black",
    "绿": "green",
    "蓝": "blue",
    "红": "red",
    "黄": "yellow",
    "灰": "gray",
}


def hue_of(words: str) -> float:
    """Return the hue for some words, 0 to 1."""
    return hashlib.sha256(words.encode()).digest()[0] / 256


@functools.lru_cache(maxsize=8)
def ground(words: str, width: int, height: int) -> Image.Image:
    """Draw a slanted gradient in the color of some words.

    Args:
        words: The words that decide the color.
        width: Width in pixels.
        height: Height in pixels.
    """
    hue = hue_of(words)
    small = Image.new("RGB", (16, 9))
    for x in range(16):
        for y in range(9):
            light = 0.35 + 0.5 * (x + y) / 23
            red, green, blue = colorsys.hsv_to_rgb((hue + 0.12 * y / 9) % 1, 0.65, light)
            small.putpixel((x, y), (int(red * 255), int(green * 255), int(blue * 255)))
    return small.resize((width, height), Image.Resampling.BICUBIC)


@functools.lru_cache(maxsize=8)
def _prompt_card(prompt: str, width: int, height: int) -> Image.Image:
    picture = ground(prompt, width, height).copy()
    lines = [
        prompt[at : at + _LINE_LETTERS] for at in range(0, min(len(prompt), 3 * _LINE_LETTERS), _LINE_LETTERS)
    ]
    draw = ImageDraw.Draw(picture)
    size = max(12, height // 14)
    for index, line in enumerate(lines):
        draw.text(
            (width / 2, height * 0.3 + index * size * 1.3),
            line,
            fill="white",
            font=font(line, size),
            anchor="mm",
        )
    return picture


def generated(prompt: str, at: float, width: int, height: int) -> Image.Image:
    """Draw a frame of a generated clip: its words over a gradient, and a disc that crosses it once.

    Args:
        prompt: The clip's words.
        at: Position in the clip, 0 to 1.
        width: Width in pixels.
        height: Height in pixels.
    """
    picture = _prompt_card(prompt, width, height).copy()
    radius = min(width, height) / 9
    x = radius + (width - 2 * radius) * at
    y = height * 0.72 + math.sin(at * 4 * math.pi) * height * 0.1
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), fill="white")
    return picture


def background(words: str, picture: Image.Image, width: int, height: int) -> Image.Image:
    """Draw what is seen behind a picture.

    Args:
        words: What it shall be: ``blur``, something with the name of a color, or anything else.
        picture: The picture in front.
        width: Width in pixels.
        height: Height in pixels.
    """
    if words == "blur":
        return ImageOps.fit(picture, (width, height)).filter(ImageFilter.GaussianBlur(max(2, height // 20)))
    for word in reversed(words.lower().split()):
        if word in ImageColor.colormap:
            return Image.new("RGB", (width, height), word)
    color = next((color for name, color in _COLORS_ZH.items() if name in words), None)
    return Image.new("RGB", (width, height), color) if color else ground(words, width, height).copy()


def title(picture: Image.Image, text: str, scale: float = 1.0, lower_edge: float = 0.92) -> float:
    """Draw a title, with an outline that is readable on anything.

    Args:
        picture: The picture to draw on.
        text: The title.
        scale: Its size; 1 is a ninth of the picture's height.
        lower_edge: Where it ends, as a share of the height.

    Returns:
        Where a title above it ends.
    """
    size = round(max(14, picture.height / 9) * scale)
    text = text[:60]
    # Whatever was asked for, the words stay inside.
    while size > 14 and font(text, size).getlength(text) > picture.width * 0.95:
        size = size * 9 // 10
    ImageDraw.Draw(picture).text(
        (picture.width / 2, picture.height * lower_edge - size / 2),
        text,
        fill="white",
        stroke_width=max(1, size // 14),
        stroke_fill="black",
        font=font(text, size),
        anchor="mm",
    )
    return lower_edge - size * 1.1 / picture.height


def font(text: str, size: int) -> Font:
    """Return a font of a size in pixels; for text beyond ASCII, the font of the bot's own pictures."""
    if text.isascii():
        return _load(None, size)
    # Imported here, because it takes longer to load than a short clip takes to encode.
    from bot.pictures.lettering import TEXT_FONT

    return _load(TEXT_FONT, size)


@functools.lru_cache(maxsize=16)
def _load(path: Path | None, size: int) -> Font:
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)
