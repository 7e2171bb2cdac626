import io
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps, ImageStat

from bot.media.cover import (
    MAX_COVER_SIDE,
    MAX_THUMBNAIL_BYTES,
    MAX_THUMBNAIL_SIDE,
    CoverPictures,
    _jpeg,
    make_cover,
)
from tests.media.test_video_facts import make_video, plain


def scene(colour: str = "teal", size: tuple[int, int] = (320, 180)) -> Image.Image:
    """Something to see: a disc and stripes on a ground."""
    picture = Image.new("RGB", size, colour)
    draw = ImageDraw.Draw(picture)
    for x in range(0, size[0] // 2, 24):
        draw.line((x, 0, x, size[1]), fill="white", width=3)
    draw.ellipse((size[0] // 2, size[1] // 4, size[0] - 20, size[1] - 20), fill="orange")
    return picture


def fading_in(picture: Image.Image, frames: int, ground: str = "black") -> list[Image.Image]:
    empty = Image.new("RGB", picture.size, ground)
    return [Image.blend(empty, picture, n / frames) for n in range(frames)]


def opened(jpeg: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.format == "JPEG"
    return picture.convert("RGB")


async def chosen(path: Path, pictures: list[Image.Image]) -> Image.Image:
    found = await make_cover(make_video(path / "a.mp4", pictures))
    assert isinstance(found, CoverPictures)
    return opened(found.thumbnail)


def differs(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures, of 255."""
    grey = [picture.convert("L").resize((64, 36)) for picture in (one, other)]
    return ImageStat.Stat(ImageChops.difference(*grey)).mean[0]


@pytest.mark.parametrize("ground", ["black", "white"])
@pytest.mark.parametrize("frames", [10, 40])
async def test_a_video_that_fades_in_shows_what_it_fades_to(tmp_path: Path, ground: str, frames: int) -> None:
    picture = await chosen(tmp_path, [*fading_in(scene(), frames, ground), *[scene()] * 8])
    assert differs(picture, scene()) < 16


async def test_a_beginning_that_is_all_black_is_skipped(tmp_path: Path) -> None:
    picture = await chosen(tmp_path, [plain("black")] * 70 + [scene()] * 70)
    assert differs(picture, scene()) < 8


async def test_a_sharp_frame_is_better_than_a_blurred_one(tmp_path: Path) -> None:
    blurred = scene().filter(ImageFilter.GaussianBlur(12))
    picture = await chosen(tmp_path, [blurred] * 10 + [scene()] * 10)
    assert differs(picture, scene()) < differs(picture, blurred)


async def test_of_equally_good_frames_the_first_is_chosen(tmp_path: Path) -> None:
    later = ImageOps.mirror(scene())
    picture = await chosen(tmp_path, [scene()] * 10 + [later] * 10)
    assert differs(picture, scene()) < differs(picture, later)


async def test_one_colour_is_better_than_black(tmp_path: Path) -> None:
    picture = await chosen(tmp_path, [plain("black")] * 12 + [plain("teal")] * 8)
    red, green, blue = ImageStat.Stat(picture).mean
    assert red < 40 < green
    assert blue > 40


@pytest.mark.parametrize("colours", [["black"], ["white"], ["black", "white"]])
async def test_black_and_white_are_no_cover(tmp_path: Path, colours: list[str]) -> None:
    pictures = [plain(colour) for colour in colours for _ in range(10)]
    assert await make_cover(make_video(tmp_path / "a.mp4", pictures)) is None


@pytest.mark.parametrize(
    ("size", "rotation", "cover", "thumbnail"),
    [
        ((1920, 1080), 0, (1280, 720), (320, 180)),
        ((1080, 1920), 0, (720, 1280), (180, 320)),
        ((1920, 1080), 90, (720, 1280), (180, 320)),
        ((160, 90), 0, (160, 90), (160, 90)),
    ],
)
async def test_both_sizes_fit_telegram_and_are_rotated_as_displayed(
    tmp_path: Path, size: tuple[int, int], rotation: int, cover: tuple[int, int], thumbnail: tuple[int, int]
) -> None:
    found = await make_cover(make_video(tmp_path / "a.mp4", [scene(size=size)] * 2, rotation=rotation))
    assert found is not None
    assert (opened(found.cover).size, opened(found.thumbnail).size) == (cover, thumbnail)
    assert max(cover) <= MAX_COVER_SIDE
    assert max(thumbnail) <= MAX_THUMBNAIL_SIDE


async def test_even_noise_fits(tmp_path: Path) -> None:
    noise = Image.effect_noise((1280, 720), 100).convert("RGB")
    found = await make_cover(make_video(tmp_path / "a.mp4", [noise] * 2))
    assert found is not None
    assert len(found.thumbnail) <= MAX_THUMBNAIL_BYTES


def test_a_picture_that_is_too_large_loses_quality() -> None:
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    assert len(_jpeg(noise, 1)) < len(_jpeg(noise, 1_000_000))
