"""Lines of text in pixels: which font has a character, how wide a line is, where it has to be cut.

Letters are set one after the other without a shaping engine, as Pillow finds one only where the system has
FriBidi. So emoji that are joined stand side by side, and a script that neither font has shows as boxes.
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

MAX_CHARS: Final = 200
"""More than ever fits into a picture; what comes after is not looked at."""

ELLIPSIS: Final = "…"

# Of the size: room above and below the baseline for Chinese characters, accented capitals and descenders.
_ASCENT = 1.02
_DESCENT = 0.25
# An emoji is drawn smaller than its font's size, to stand as high as the letters beside it.
_EMOJI_SCALE = 0.84
# No font has a glyph for a noncharacter, so this gives the picture of "no glyph".
_NO_CHARACTER = "\uffff"
_COMPARED_PX = 20
# Marks that could not be composed, joiners, directions, controls, halves of pairs, private characters.
_UNSEEN = frozenset({"Mn", "Me", "Cf", "Cc", "Cs", "Co"})
_SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))


def clean(text: str) -> str:
    """Give a text as one line of characters that each stand for themselves, at most ``MAX_CHARS``."""
    line = " ".join(unicodedata.normalize("NFC", text[:MAX_CHARS]).split())[:MAX_CHARS]
    return "".join(c for c in line if unicodedata.category(c) not in _UNSEEN and c not in _SKIN_TONES)


def height(size_px: int) -> int:
    """Give the height of a line in pixels."""
    return round(size_px * (_ASCENT + _DESCENT))


def baseline(size_px: int) -> int:
    """Give how far below a line's upper edge its letters stand, in pixels."""
    return round(size_px * _ASCENT)


def width(text: str, size_px: int) -> float:
    """Give the width of a clean line in pixels."""
    return sum(_advance(character, size_px) for character in text)


def fit(text: str, size_px: int, room_px: float) -> str:
    """Cut a clean line with an ellipsis to the room there is; empty if not even one character fits."""
    if width(text, size_px) <= room_px:
        return text
    room_px -= _advance(ELLIPSIS, size_px)
    end = 0
    while end < len(text) and (room_px := room_px - _advance(text[end], size_px)) >= 0:
        end += 1
    kept = text[:end].rstrip(" .,;:-–…，。、；：")
    return kept + ELLIPSIS if kept else ""


def broken(text: str, size_px: int, room_px: float) -> tuple[str, str]:
    """Break a clean line in two where the first fills its room, between words if it has some."""
    end = 0
    while end < len(text) and (room_px := room_px - _advance(text[end], size_px)) >= 0:
        end += 1
    if end < len(text) and text[end] != " " and (space := text.rfind(" ", 0, end)) > 0:
        end = space
    return text[:end].rstrip(), text[end:].lstrip()


def draw(canvas: ImageDraw.ImageDraw, left: float, top: int, text: str, size_px: int, colour: str) -> None:
    """Draw a clean line, its box's upper left corner given."""
    foot = top + baseline(size_px)
    for path, run in groupby(text, _face):
        characters = "".join(run)
        canvas.text((left, foot), characters, fill=colour, font=_sized(path, size_px), anchor="ls")
        left += width(characters, size_px)


def has_glyph(character: str, path: Path) -> bool:
    """Whether a font has a picture of a character."""
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
