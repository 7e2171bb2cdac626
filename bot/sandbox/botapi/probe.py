"""Read facts from media files, as Telegram does where a client declares nothing. Blocking."""

from pathlib import Path
from typing import Any

import av
import av.error
from PIL import Image, ImageOps

from bot.sandbox.botapi.errors import bad_request

PROBED_BYTES = 10 * 1024 * 1024
"""Size above which Telegram relies on what the client declares."""

PHOTO_SIDES = (90, 320, 800, 1280)
"""Longest sides of the sizes that Telegram makes of a photo, in pixels."""

MAX_PHOTO_SUM = 10_000
MAX_PHOTO_RATIO = 20
THUMBNAIL_BYTES = 200 * 1000
THUMBNAIL_SIDE = 320


def probe(path: Path, thumbnail: Path | None = None) -> dict[str, Any]:
    """Read the facts of an audio or video file.

    Args:
        path: The file.
        thumbnail: Path for a JPEG of the first frame, if there is one.

    Returns:
        ``width``, ``height``, ``duration`` (seconds), ``title``, ``performer``, as far as known.
    """
    found: dict[str, Any] = {}
    try:
        with av.open(str(path)) as container:
            if container.duration:
                found["duration"] = round(container.duration / av.time_base)
            tags = {name.lower(): value for name, value in container.metadata.items()}
            found |= {ours: tags[theirs] for ours, theirs in _TAGS.items() if theirs in tags}
            if container.streams.video:
                frame = next(container.decode(video=0))
                image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]  # PyAV's stub has no types here
                if frame.rotation % 180:
                    image = image.rotate(frame.rotation, expand=True)
                found["width"], found["height"] = image.size
                if thumbnail is not None:
                    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
                    image.convert("RGB").save(thumbnail, "JPEG", quality=80)
    except (av.error.FFmpegError, StopIteration, OSError, ValueError):
        # Telegram takes a file that can't be decoded, without facts.
        return found
    return found


def has_sound(path: Path) -> bool | None:
    """Return whether a video has a sound track, or `None` if the file is no video."""
    try:
        with av.open(str(path)) as container:
            return bool(container.streams.audio) if container.streams.video else None
    except (av.error.FFmpegError, OSError, ValueError):
        return None


_TAGS = {"title": "title", "performer": "artist"}


def photo_sizes(path: Path, directory: Path, stem: str) -> list[tuple[Path, int, int]]:
    """Make the sizes that Telegram keeps of a photo.

    Args:
        path: The original picture.
        directory: Directory for the sizes.
        stem: Prefix of their names.

    Returns:
        Path, width and height of each size, the largest last.

    Raises:
        ApiError: The file is no picture, or its dimensions are refused.
    """
    try:
        with Image.open(path) as opened:
            width, height = opened.size
            if width + height > MAX_PHOTO_SUM or max(width, height) > MAX_PHOTO_RATIO * min(width, height):
                raise bad_request("PHOTO_INVALID_DIMENSIONS")
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        raise bad_request("IMAGE_PROCESS_FAILED") from None
    sizes = []
    longest = max(picture.size)
    for side in sorted({min(side, longest) for side in PHOTO_SIDES}):
        scaled = picture.copy()
        scaled.thumbnail((side, side))
        target = directory / f"{stem}_{side}.jpg"
        scaled.save(target, "JPEG", quality=85)
        sizes.append((target, *scaled.size))
    return sizes


def thumbnail_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of a thumbnail, or ``None`` if Telegram ignores it."""
    if path.stat().st_size > THUMBNAIL_BYTES:
        return None
    try:
        with Image.open(path) as picture:
            if picture.format != "JPEG" or max(picture.size) > THUMBNAIL_SIDE:
                return None
            return picture.size
    except (OSError, ValueError):
        return None
