from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from bot.media import conversion
from bot.media.conversion import convert_file
from bot.media.errors import FileTypeUnsupported
from tests.media import decoders

pillow_heif.register_heif_opener()

_ENDINGS = {"heic": "heic", "avif": "avif", "tiff": "tif", "bmp": "bmp", "jp2": "jp2"}


async def converted(path: Path, kind: str) -> Image.Image:
    with path.open("rb") as source, path.with_suffix(".made").open("w+b") as target:
        size = await convert_file(source, kind, target, path.name)
        assert size == path.with_suffix(".made").stat().st_size
        assert target.tell() == 0
    made = Image.open(path.with_suffix(".made"))
    assert made.format == "JPEG"
    return made


@pytest.mark.parametrize("kind", list(_ENDINGS))
async def test_a_picture_becomes_a_jpeg_of_the_same_size_and_colours(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"picture.{_ENDINGS[kind]}"
    drawn = Image.new("RGB", (96, 64), "darkorange")
    drawn.paste("steelblue", (48, 0, 96, 64))
    drawn.save(path)
    with await converted(path, kind) as made:
        assert made.size == (96, 64)
        for at, expected in (((16, 32), (255, 140, 0)), ((80, 32), (70, 130, 180))):
            assert made.getpixel(at) == pytest.approx(expected, abs=8)


async def test_a_phone_held_upright_gives_an_upright_picture(tmp_path: Path) -> None:
    path = tmp_path / "phone.tif"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (96, 64), "darkorange").save(path, exif=exif)
    with await converted(path, "tiff") as made:
        assert made.size == (64, 96)


async def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    path = tmp_path / "logo.avif"
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(path)
    with await converted(path, "avif") as made:
        assert made.getpixel((32, 32)) == pytest.approx((255, 255, 255), abs=3)


async def test_sixteen_bits_are_scaled_and_no_profile_of_other_colours_stays(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    Image.new("I;16", (64, 64), 32_768).save(path, icc_profile=b"of grey")
    with await converted(path, "tiff") as made:
        assert made.getpixel((32, 32)) == pytest.approx((128, 128, 128), abs=3)
        assert "icc_profile" not in made.info


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x00\x20ftypheic" + bytes(100), b"MM\x00*" + bytes(40)])
async def test_what_can_not_be_opened_is_refused_by_its_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.heic"
    path.write_bytes(content)
    with pytest.raises(FileTypeUnsupported) as refused:
        await converted(path, "heic")
    assert refused.value.kind == "heic"


async def test_a_picture_of_too_many_pixels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.bmp"
    Image.new("1", (conversion.MAX_CONVERTED_PIXELS // 10_000 + 8, 10_000)).save(path)
    with pytest.raises(FileTypeUnsupported):
        await converted(path, "bmp")


async def test_a_picture_that_crashes_the_decoder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "picture.bmp"
    Image.new("RGB", (8, 8)).save(path)
    monkeypatch.setattr(conversion, "convert_picture", decoders.abort)
    with pytest.raises(FileTypeUnsupported):
        await converted(path, "bmp")
