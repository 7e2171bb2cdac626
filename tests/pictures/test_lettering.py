"""Letters: which font draws them, how wide they are, where they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from bot.pictures import lettering
from bot.pictures.lettering import EMOJI_FONT, TEXT_FONT, break_line, clean, fit, has_glyph, width

SIZE = 36


def drawn(text: str) -> bytes:
    picture = Image.new("L", (200, 60), 255)
    lettering.draw(ImageDraw.Draw(picture), 10, 5, text, SIZE, "black")
    return picture.tobytes()


@pytest.mark.parametrize("character", "視视频音乐标题轨道片段囧烟花，。：“”（）…あЖéẾß€→")
def test_the_text_font_has_what_chats_write(character: str) -> None:
    assert has_glyph(character, TEXT_FONT)
    assert drawn(character) != drawn("\U0010fffd")


def test_the_text_font_has_every_character_of_gb_2312() -> None:
    rows = (bytes((high, low)) for high in range(0xB0, 0xF8) for low in range(0xA1, 0xFF))
    characters = [found for row in rows if (found := row.decode("gb2312", "ignore"))]
    assert len(characters) == 6763
    assert [c for c in characters if not has_glyph(c, TEXT_FONT)] == []


@pytest.mark.parametrize("character", "🎬👋🌃❤🏔🧧")
def test_the_other_font_has_emoji(character: str) -> None:
    assert not has_glyph(character, TEXT_FONT)
    assert has_glyph(character, EMOJI_FONT)
    assert drawn(character) != drawn("\U0010fffd")


def test_what_no_font_has_is_a_box() -> None:
    assert drawn("ह") == drawn("ก") != drawn(" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two \n lines\t", "two lines"),
        ("e\u0301", "é"),
        ("Z\u0334\u0335\u0336alg\u0337o", "Zalgo"),
        ("👍🏽 👨\u200d👩\u200d👧 ❤\ufe0f", "👍 👨👩👧 ❤"),
        ("\u202egnp.exe\x00\x1b", "gnp.exe"),
        ("a" * 100_000, "a" * lettering.MAX_CHARS),
        ("", ""),
    ],
)
def test_a_text_becomes_one_line_of_plain_characters(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(st.text(max_size=300), st.integers(0, 600))
def test_a_line_cut_to_its_room_fits(text: str, room_px: int) -> None:
    line = clean(text)
    cut = fit(line, SIZE, room_px)
    assert width(cut, SIZE) <= room_px
    assert cut == line or cut == "" or cut.endswith("…")


@given(st.text(max_size=300), st.integers(0, 600))
def test_a_broken_line_loses_nothing_but_spaces(text: str, room_px: int) -> None:
    line = clean(text)
    first, rest = break_line(line, SIZE, room_px)
    assert (first + rest).replace(" ", "") == line.replace(" ", "")
    assert width(first, SIZE) <= room_px


def test_a_line_breaks_between_words() -> None:
    assert break_line("shot number 3", SIZE, width("shot num", SIZE)) == ("shot", "number 3")


def test_an_apostrophe_is_no_wider_than_a_letter() -> None:
    assert width("Don’t", SIZE) < width("Donot", SIZE)
    assert width("“你好”", SIZE) < width("你好", SIZE) * 1.7


def test_both_fonts_have_their_licence_beside_them() -> None:
    for font in (TEXT_FONT, EMOJI_FONT):
        licence = font.with_name(font.stem.split("-")[0] + "-OFL.txt")
        assert "SIL OPEN FONT LICENSE" in licence.read_text("utf-8")
    assert sum(file.stat().st_size for file in TEXT_FONT.parent.iterdir() if file.is_file()) < 4 * 1024 * 1024
