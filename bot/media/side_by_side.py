"""Two pictures side by side. As in `cover`, Pillow is imported in the decoder process only."""

from __future__ import annotations

import base64
import io
import os
import tempfile
from typing import Any

from bot.media import decoder_process
from bot.media.decoder_process import Bounds

_HEIGHT_PX = 720
_GAP_PX = 12
_MAX_WIDTH_PX = 1280  # of each
_MAX_PIXELS = 4_000_000  # of what is opened: covers have less than half of this


async def join_side_by_side(left: bytes, right: bytes) -> bytes:
    """Return one JPEG of two, both equally high.

    Raises:
        NotDecoded: One of them is no JPEG.
    """
    with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as second:
        for file, picture in ((first, left), (second, right)):
            file.write(picture)
            file.flush()
            file.seek(0)
        joined = await decoder_process.run(_join, bounds=Bounds(wall_s=10, cpu_s=10), files=(first, second))
    return base64.b64decode(joined)


def _join(left_fd: int, right_fd: int) -> str:
    from PIL import Image

    pictures = [_scaled(Image, fd) for fd in (left_fd, right_fd)]
    width = sum(picture.width for picture in pictures) + _GAP_PX
    canvas = Image.new("RGB", (width, _HEIGHT_PX), "white")
    canvas.paste(pictures[0], (0, 0))
    canvas.paste(pictures[1], (width - pictures[1].width, 0))
    buffer = io.BytesIO()
    canvas.save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode()


def _scaled(image: Any, fd: int) -> Any:
    with os.fdopen(fd, "rb") as file:
        picture = image.open(file, formats=("JPEG",))
        if picture.width * picture.height > _MAX_PIXELS:
            raise ValueError(f"{picture.width}×{picture.height}")
        picture = picture.convert("RGB")
    width = min(_MAX_WIDTH_PX, max(1, round(picture.width * _HEIGHT_PX / picture.height)))
    return picture.resize((width, _HEIGHT_PX))
