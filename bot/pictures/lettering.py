"""Lines of text in pixels: the font of each character, the width of a line, and where to cut it.

Characters are drawn one by one without a shaping engine: Pillow has one only if the system has FriBidi. So joined
emoji are drawn side by side, and a script that neither font has appears as boxes.
"""

import unicodedata
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Final

from PIL import ImageDraw, ImageFont

_FONTS = Path(__file__).parent / "fonts"
TEXT_FONT: Final = _FONTS / "NotoSansSC-Medium.ttf"
EMOJI_FONT: Final = _FONTS / "NotoEmoji-Medium.ttf"

MAX_CHARS: Final = 200  # more than fits into a picture; the rest is not looked at
ELLIPSIS: Final = "…"

# In font sizes: room above and below the baseline for Chinese characters, accented capitals and descenders.
_ASCENT = 1.02
_DESCENT = 0.25
# Emoji are drawn smaller, as high as the letters beside them.
_EMOJI_SCALE = 0.84
# No font has a glyph for a noncharacter, so this is drawn as "no glyph".
_NO_CHARACTER = "\uffff"
_COMPARED_PX = 20
# Marks that could not be composed, joiners, directions, controls, surrogates, private characters.
_INVISIBLE = frozenset({"Mn", "Me", "Cf", "Cc", "Cs", "Co"})
_SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))


def clean(text: str) -> str:
    """Return a text as one line of at most ``MAX_CHARS`` characters that can be drawn one by one."""
    line = " ".join(unicodedata.normalize("NFC", text[:MAX_CHARS]).split())[:MAX_CHARS]
    return "".join(c for c in line if unicodedata.category(c) not in _INVISIBLE and c not in _SKIN_TONES)


def height(size_px: int) -> int:
    """Return the height of a line in pixels."""
    return round(size_px * (_ASCENT + _DESCENT))


def baseline(size_px: int) -> int:
    """Return the distance of the baseline from a line's upper edge, in pixels."""
    return round(size_px * _ASCENT)


def width(text: str, size_px: int) -> float:
    """Return the width of a clean line in pixels."""
    return sum(_advance(character, size_px) for character in text)


def fit(text: str, size_px: int, room_px: float) -> str:
    """Cut a clean line with an ellipsis to ``room_px``; return an empty text if no character fits."""
    if width(text, size_px) <= room_px:
        return text
    room_px -= _advance(ELLIPSIS, size_px)
    end = 0
    while end < len(text) and (room_px := room_px - _advance(text[end], size_px)) >= 0:
        end += 1
    text = text[:end].rstrip(" .,;:-–…，。、；：")
    return text + ELLIPSIS if text else ""


def break_line(text: str, size_px: int, room_px: float) -> tuple[str, str]:
    """Break a clean line in two so that the first part fits, between words if possible."""
    end = 0
    while end < len(text) and (room_px := room_px - _advance(text[end], size_px)) >= 0:
        end += 1
    if end < len(text) and text[end] != " " and (space := text.rfind(" ", 0, end)) > 0:
        end = space
    return text[:end].rstrip(), text[end:].lstrip()


def draw(canvas: ImageDraw.ImageDraw, left: float, top: int, text: str, size_px: int, colour: str) -> None:
    """Draw a clean line; ``left`` and ``top`` are its box's upper left corner."""
    foot = top + baseline(size_px)
    for path, run in groupby(text, _face):
        characters = "".join(run)
        canvas.text((left, foot), characters, fill=colour, font=_sized(path, size_px), anchor="ls")
        left += width(characters, size_px)


def has_glyph(character: str, path: Path) -> bool:
    """Return whether a font has a glyph for a character."""
    return _mask(character, path) != _mask(_NO_CHARACTER, path)


@lru_cache(maxsize=8192)
def _face(character: str) -> Path:
    if not has_glyph(character, TEXT_FONT) and has_glyph(character, EMOJI_FONT):
        return EMOJI_FONT
    return TEXT_FONT


@lru_cache(maxsize=16384)
def _advance(character: str, size_px: int) -> float:
    return _sized(_face(character), size_px).getlength(character)


def _sized(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    return _font(path, round(size_px * _EMOJI_SCALE) if path == EMOJI_FONT else size_px)


@lru_cache(maxsize=32)
def _font(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size_px, layout_engine=ImageFont.Layout.BASIC)


def _mask(character: str, path: Path) -> bytes:
    return bytes(_font(path, _COMPARED_PX).getmask(character))
