"""Convert pictures that NemoVideo does not take to JPEG: HEIC and AVIF of phones, TIFF, BMP, JPEG 2000.

The work is done between two files in the decoder process, which alone imports Pillow's decoders.
"""

from __future__ import annotations

import os

from bot.media.decoder_process import Bounds

MAX_CONVERTED_PIXELS = 150_000_000  # decoded in the bounded memory, with room for a second copy

BOUNDS = Bounds(wall_s=120, cpu_s=60, written_bytes=200_000_000)

_FORMATS = {"heic": "HEIF", "avif": "AVIF", "tiff": "TIFF", "bmp": "BMP", "jp2": "JPEG2000"}
_QUALITY = 92


def convert(source_fd: int, target_fd: int, source_type: str) -> None:
    """Convert a picture to a JPEG that shows it as viewers do: upright, without transparency."""
    import pillow_heif
    from PIL import Image, ImageOps

    pillow_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = None  # The bound below is the one that counts.
    with (
        os.fdopen(source_fd, "rb") as source,
        os.fdopen(target_fd, "w+b") as target,
        # The format is named: no other decoder sees the file.
        Image.open(source, formats=[_FORMATS[source_type]]) as opened,
    ):
        if opened.width * opened.height > MAX_CONVERTED_PIXELS:
            raise ValueError(f"{opened.width}×{opened.height}")
        profile = opened.info.get("icc_profile")
        upright = ImageOps.exif_transpose(opened)
        if upright.mode.startswith("I;16"):
            # Pillow would clip 16 bits instead of scaling them.
            upright = upright.point(lambda value: value / 256).convert("L")
        if upright.has_transparency_data:
            layered = upright.convert("RGBA")
            upright = Image.new("RGB", layered.size, "white")
            upright.paste(layered, mask=layered.getchannel("A"))
        elif upright.mode != "RGB":
            # A profile of another mode would colour the converted pixels wrongly.
            profile, upright = None, upright.convert("RGB")
        upright.save(target, "JPEG", quality=_QUALITY, icc_profile=profile)
