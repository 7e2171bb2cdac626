"""Convert files that NemoVideo does not take, in the decoder process, which alone imports Pillow's decoders."""

import os
from typing import IO

from bot.media import audio_conversion, video_conversion
from bot.media.decoder_process import Bounds, NotDecoded, run
from bot.media.errors import AudioTooLong, FileTypeUnsupported
from bot.media.kinds import CONVERTED

MAX_CONVERTED_PIXELS = 150_000_000  # decoded in the bounded memory, with room for a second copy

_PICTURE_BOUNDS = Bounds(wall_s=120, cpu_s=60, written_bytes=200_000_000)

_FORMATS = {"heic": "HEIF", "avif": "AVIF", "tiff": "TIFF", "bmp": "BMP", "jp2": "JPEG2000"}
_QUALITY = 92


async def convert_file(source: IO[bytes], kind: str, target: IO[bytes], name: str) -> int:
    """Convert a file to what ``kinds.CONVERTED`` says for its kind; cancelling ends the conversion.

    Args:
        source: A file on disk, open at its start.
        kind: Its kind.
        target: An empty file on disk; afterwards open at its start.
        name: The file's name, for errors.

    Returns:
        The result's size in bytes.

    Raises:
        FileTypeUnsupported: It can't be decoded, has other content than its kind says, or takes too long.
        AudioTooLong: It is audio of more than ``MAX_AUDIO_S`` or ``MAX_CONVERTED_BYTES``.
    """
    files = [source, target]
    try:
        match CONVERTED[kind]:
            case "jpg":
                await run(convert_picture, kind, bounds=_PICTURE_BOUNDS, files=files)
            case "mp4":
                await run(video_conversion.convert, kind, bounds=video_conversion.BOUNDS, files=files)
            case _:
                max_s, bounds = audio_conversion.MAX_AUDIO_S, audio_conversion.BOUNDS
                stopped_at_s = await run(audio_conversion.convert, kind, max_s, bounds=bounds, files=files)
                if stopped_at_s is not None:
                    raise AudioTooLong(stopped_at_s)
    except NotDecoded as error:
        raise FileTypeUnsupported(name, kind) from error
    size = target.seek(0, os.SEEK_END)
    target.seek(0)
    return size


def convert_picture(source_fd: int, target_fd: int, source_type: str) -> None:
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
