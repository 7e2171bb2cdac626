import io

import pytest
from PIL import Image

from bot.media.decoder_process import NotDecoded
from bot.media.side_by_side import join_side_by_side


def jpeg(width: int, height: int, colour: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(target, "JPEG")
    return target.getvalue()


async def test_both_stand_side_by_side_and_are_equally_high() -> None:
    joined = Image.open(io.BytesIO(await join_side_by_side(jpeg(160, 90, "red"), jpeg(90, 160, "blue"))))
    assert joined.size == (1280 + 12 + 405, 720)
    left, right = joined.getpixel((10, 700)), joined.getpixel((joined.width - 10, 10))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] > 200 > 50 > left[2]
    assert right[2] > 200 > 50 > right[0]


async def test_what_is_no_jpeg_is_refused() -> None:
    with pytest.raises(NotDecoded):
        await join_side_by_side(jpeg(16, 16, "red"), b"GIF89a")
