"""The picture that stands for a video in a chat: the best of its first frames.

A video often begins in black, fades in, or shows a blurred step between two pictures. So every quarter of a second of
the beginning is judged by how light, how varied and how sharp it is; where nothing but black or white is there, some
places further on are looked at too. As in ``video.py``, decoders are imported where a decoder's process needs them.
"""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.media.decoder_process import NotDecoded, run
from bot.media.video_facts import BOUNDS, MAX_WORK_S, NotAVideo, display_size, frames_of, opened

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL import Image

MAX_THUMBNAIL_SIDE = 320
MAX_THUMBNAIL_BYTES = 200_000
"""Both are Telegram's, for the thumbnail of anything sent."""

MAX_COVER_SIDE = 1280
"""The largest size that Telegram keeps of a photo, which a cover is."""

MAX_COVER_BYTES = 1_000_000
"""Ours: a picture is not to take longer than its video."""

_BEGINNING_S = 5.0
_EVERY_S = 0.25
# Parts of the whole length that are looked at when the beginning shows nothing.
_FURTHER_ON = (0.1, 0.25, 0.5, 0.75)

# Of 255. A coded black or white has a little noise; the first steps of a fade-in are hardly more.
_DARK, _BRIGHT, _EVEN = 20.0, 235.0, 6.0
# An earlier frame stays chosen unless a later one is better by this: a cover belongs to the beginning.
_CLEARLY_BETTER = 1.1


@dataclass(frozen=True, slots=True)
class CoverPictures:
    """One frame in both of the sizes that Telegram takes, as JPEG.

    Args:
        cover: At most 1280 pixels a side.
        thumbnail: At most 320 pixels a side and 200 kB.
    """

    cover: bytes
    thumbnail: bytes


async def pictures_of(path: Path) -> CoverPictures | None:
    """Choose a frame.

    Returns:
        None for a video that shows nothing but black or white where it was looked at.

    Raises:
        NotAVideo: Not one frame could be decoded, or a decoder did not survive it.
    """
    try:
        chosen = await run(_pictures_of, str(path), bounds=BOUNDS)
    except NotDecoded as error:
        raise NotAVideo(str(error)) from error
    return None if chosen is None else CoverPictures(*(base64.b64decode(picture) for picture in chosen))


def _pictures_of(name: str) -> list[str] | None:
    """Cover and thumbnail, in base64."""
    ends_s = time.monotonic() + MAX_WORK_S
    with opened(Path(name)) as (container, stream):
        best: VideoFrame | None = None
        best_mark = 0.0
        seen = False
        for frame in _candidates(container, stream, ends_s):
            seen = True
            mark = _mark_of(frame, stream)
            if mark > best_mark * _CLEARLY_BETTER:
                best, best_mark = frame, mark
        if best is None:
            best = next((f for f in _further_on(container, stream, ends_s) if _mark_of(f, stream) > 0), None)
        if best is not None:
            cover = _jpeg(_picture(best, stream, MAX_COVER_SIDE), MAX_COVER_BYTES)
            thumbnail = _jpeg(_picture(best, stream, MAX_THUMBNAIL_SIDE), MAX_THUMBNAIL_BYTES)
            return [base64.b64encode(picture).decode() for picture in (cover, thumbnail)]
        if not seen:
            raise NotAVideo("not one frame could be decoded")
        return None


def _candidates(container: InputContainer, stream: VideoStream, ends_s: float) -> Iterator[VideoFrame]:
    """A frame for each quarter of a second of the beginning."""
    next_s = first_s = None
    for frame in frames_of(container, stream, ends_s - time.monotonic()):
        at_s = frame.time or 0.0
        if first_s is None or next_s is None:
            first_s = next_s = at_s
        if at_s > first_s + _BEGINNING_S:
            return
        if at_s >= next_s:
            next_s = at_s + _EVERY_S
            yield frame


def _further_on(container: InputContainer, stream: VideoStream, ends_s: float) -> Iterator[VideoFrame]:
    """A frame at some places after the beginning."""
    import av

    if not container.duration or container.duration < 0:
        return
    for part in _FURTHER_ON:
        if time.monotonic() > ends_s:
            return
        try:
            container.seek(int(container.duration * part))
        except av.FFmpegError:
            return  # No index to go by.
        frame = next(frames_of(container, stream, ends_s - time.monotonic()), None)
        if frame is not None:
            yield frame


def _mark_of(frame: VideoFrame, stream: VideoStream) -> float:
    return _mark(_picture(frame, stream, MAX_THUMBNAIL_SIDE))


def _mark(picture: Image.Image) -> float:
    """How well a picture stands for its video; 0 for one that is all but black or white."""
    from PIL import ImageFilter, ImageStat

    grey = picture.convert("L")
    statistics = ImageStat.Stat(grey)
    light, spread = statistics.mean[0], statistics.stddev[0]
    if spread < _EVEN and not _DARK <= light <= _BRIGHT:
        return 0.0
    # Without the outermost pixels, which the filter leaves as they are.
    edges = grey.filter(ImageFilter.FIND_EDGES).crop((1, 1, max(2, grey.width - 1), max(2, grey.height - 1)))
    sharpness: float = ImageStat.Stat(edges).mean[0]
    exposure = min(light, 255.0 - light, 64.0) / 64.0
    # Each is 1 and more, so that a picture of one colour is better than none.
    return exposure * (1.0 + spread / 16.0) * (1.0 + sharpness / 16.0) + 0.001


def _picture(frame: VideoFrame, stream: VideoStream, most: int) -> Image.Image:
    """A frame as it is shown, at most so many pixels a side."""
    width, height = display_size(frame, stream)
    if frame.rotation % 180:
        width, height = height, width
    scale = min(1.0, most / max(width, height))
    small = frame.reformat(max(1, round(width * scale)), max(1, round(height * scale)), "rgb24")
    picture: Image.Image = small.to_image()  # type: ignore[no-untyped-call]  # PyAV leaves it out
    # PyAV counts as Pillow does: counter-clockwise.
    return picture.rotate(frame.rotation, expand=True) if frame.rotation % 360 else picture


def _jpeg(picture: Image.Image, most_bytes: int) -> bytes:
    for quality in (85, 60, 30):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= most_bytes:
            break
    return buffer.getvalue()
