"""The picture of a timeline, painted."""

import asyncio
import io
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from PIL import Image, ImageDraw

from bot.media.clip_look import FRAME_PX, ClipLook, Frame
from bot.nemo.drafts import TrackKind, read_draft
from bot.pictures.boxes import TimelineLabels
from bot.pictures.layout import WIDTH_PX, lay_out
from bot.pictures.timeline import BAND, INK, PAPER, QUIET_INK, SHADES, draw_timeline
from tests.pictures.drafts import ANY, CHINESE, DRAFTS, EIGHT, ENGLISH, HUGE, URBAN
from tests.pictures.test_layout import lines_of

MAX_BYTES = 400_000


async def opened(
    value: Any, labels: TimelineLabels = ENGLISH, looks: Mapping[str, ClipLook] | None = None
) -> Image.Image:
    png = await draw_timeline(read_draft(value), labels=labels, looks=looks)
    assert len(png) < MAX_BYTES
    picture = Image.open(io.BytesIO(png))
    picture.load()
    return picture


def colours(picture: Image.Image) -> set[str]:
    found = picture.getcolors(picture.width * picture.height) or []
    return {"#" + bytes(colour).hex() for _, colour in found if isinstance(colour, tuple)}


@pytest.mark.parametrize("name", DRAFTS)
async def test_a_picture_is_a_png_that_telegram_leaves_as_it_is(name: str) -> None:
    picture = await opened(DRAFTS[name], CHINESE)
    assert picture.format == "PNG"
    assert picture.mode == "RGB"
    assert picture.width == WIDTH_PX >= picture.height


@pytest.mark.parametrize("value", [URBAN, EIGHT], ids=["usual", "eight"])
async def test_letters_are_drawn_in_their_boxes_and_nowhere_else(value: Any) -> None:
    picture = await opened(value, CHINESE)
    layout = lay_out(read_draft(value), CHINESE)
    for line in lines_of(layout):
        box = line.box
        cut = picture.crop((box.left, box.top, box.right, box.bottom))
        assert (QUIET_INK if line.quiet else INK) in colours(cut), line.text
    canvas = ImageDraw.Draw(picture)
    for line in lines_of(layout):
        box = line.box
        canvas.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), PAPER)
    assert not {INK, QUIET_INK} & colours(picture)


async def test_each_kind_has_its_colours_and_its_sign() -> None:
    picture = await opened(URBAN)
    layout = lay_out(read_draft(URBAN), ENGLISH)
    signs = set()
    for track in layout.tracks:
        icon = picture.crop((track.icon.left, track.icon.top, track.icon.right, track.icon.bottom))
        assert SHADES[track.kind].accent in colours(icon)
        # The sign alone, in black and white: it tells the kinds apart without any colour.
        signs.add(icon.convert("L").point(lambda light: 255 if light < 60 else 0).tobytes())
    assert len(signs) == 4


async def test_a_louder_track_has_a_fuller_meter() -> None:
    amounts = []
    for volume in (0, 0.35, 1):
        sg = [{"name": "a", "start": 0, "duration": 1000, "volume": volume}]
        picture = await opened({"t": [{"tt": 1, "sg": sg}]})
        found = picture.getcolors(picture.width * picture.height) or []
        accent = tuple(bytes.fromhex(SHADES[TrackKind.AUDIO].accent[1:]))
        amounts.append(next(count for count, colour in found if colour == accent))
    assert amounts[0] < amounts[1] < amounts[2]


@given(ANY)
def test_any_json_can_be_drawn(value: Any) -> None:
    assert asyncio.run(opened(value)).format == "PNG"


async def test_a_draft_far_too_large_is_drawn_in_bounded_time() -> None:
    draft = read_draft(HUGE)
    began = time.process_time()
    png = await draw_timeline(draft, labels=CHINESE)
    assert time.process_time() - began < 5
    assert len(png) < MAX_BYTES


async def test_pictures_drawn_at_once_are_the_ones_drawn_alone() -> None:
    wanted = [(URBAN, ENGLISH), (EIGHT, CHINESE), (URBAN, CHINESE), (EIGHT, ENGLISH)]
    alone = [await draw_timeline(read_draft(value), labels=labels) for value, labels in wanted]
    drawing = (draw_timeline(read_draft(value), labels=labels) for value, labels in wanted)
    assert await asyncio.gather(*drawing) == alone


async def test_the_loop_goes_on_while_a_picture_is_drawn() -> None:
    drawing = asyncio.create_task(draw_timeline(read_draft(EIGHT), labels=ENGLISH))
    turns = 0
    while not drawing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 5


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("ink", [INK, QUIET_INK])
@pytest.mark.parametrize("ground", [PAPER, BAND, *(shades.fill for shades in SHADES.values())])
def test_text_can_be_read_on_every_ground(ink: str, ground: str) -> None:
    assert contrast(ink, ground) >= 4.5


@pytest.mark.parametrize("shades", SHADES.values())
def test_signs_meters_and_edges_stand_out(shades: Any) -> None:
    assert contrast(shades.accent, PAPER) >= 4.5
    assert contrast(shades.accent, shades.fill) >= 3


FILM = {
    "tt": 0,
    "sg": [{"name": "a", "url": "https://m/film.mp4", "start": 0, "duration": 2000, "source_start": 2000}],
}
RED, BLUE = (Frame(150, bytes(rgb) * 150 * FRAME_PX) for rgb in ((255, 0, 0), (0, 0, 255)))


async def test_a_clip_shows_the_frames_of_its_part_of_the_file() -> None:
    looks = {"https://m/film.mp4": ClipLook((RED, BLUE), (), duration_s=4.0)}
    picture = await opened({"t": [FILM]}, looks=looks)
    assert "#0000ff" in colours(picture)
    assert "#ff0000" not in colours(picture)


async def test_audio_shows_its_loudness() -> None:
    music = {"tt": 1, "sg": [{"name": "a", "url": "https://m/a.mp3", "start": 0, "duration": 2000}]}
    accent, amounts = SHADES[TrackKind.AUDIO].accent, []
    for level in (0.1, 0.9):
        picture = await opened({"t": [music]}, looks={"https://m/a.mp3": ClipLook((), (level,) * 9, 2.0)})
        found = picture.getcolors(picture.width * picture.height) or []
        amounts.append(next(count for count, colour in found if colour == tuple(bytes.fromhex(accent[1:]))))
    assert amounts[1] > 2 * amounts[0]


async def test_of_too_many_rows_none_is_pictured() -> None:
    looks = {"https://m/film.mp4": ClipLook((RED,), (), 4.0)}
    assert "#ff0000" in colours(await opened({"t": [FILM] * 3}, looks=looks))
    picture = await opened({"t": [FILM] * 8}, looks=looks)
    assert "#ff0000" not in colours(picture)
    assert picture.height <= WIDTH_PX


async def test_people_read_their_own_names_for_files() -> None:
    labels = replace(ENGLISH, names={"photo_7.jpg": "your photo"})
    draft = read_draft({"t": [{"tt": 0, "sg": [{"name": "photo_7.jpg", "start": 0, "duration": 2000}]}]})
    (block,) = lay_out(draft, labels).tracks[0].blocks
    assert block.lines[0].text == "your photo"
