"""Cover and thumbnail of a video: the best of its first frames.

A video often begins black, fades in, or shows a blurred transition. So a frame of each quarter of a second of the
beginning is scored by how light, varied and sharp it is; if there is only black or white, frames at some later
positions are tried. As in `video_facts`, PyAV and Pillow are imported in the decoder process only.
"""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.media.video_facts import MAX_WORK_S, NotAVideo, decode_frames, decode_video, display_size, open_video

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL import Image

MAX_THUMBNAIL_SIDE = 320
MAX_THUMBNAIL_BYTES = 200_000
"""Telegram's limits for the thumbnail of anything sent."""

MAX_COVER_SIDE = 1280  # Telegram keeps no larger size of a photo, which a cover is
MAX_COVER_BYTES = 1_000_000  # our own limit: a cover must not take longer to send than its video
_BEGINNING_S = 5.0
_INTERVAL_S = 0.25
# Positions, as parts of the duration, to try when the beginning shows nothing.
_LATER_POSITIONS = (0.1, 0.25, 0.5, 0.75)

# Brightness, and its spread, from 0 to 255. Encoded black or white has a little noise; the first frames of a fade-in
# have hardly more.
_DARK, _BRIGHT, _UNIFORM = 20.0, 235.0, 6.0
# A later frame replaces an earlier one only if it is better by this factor: a cover belongs to the beginning.
_CLEARLY_BETTER = 1.1


@dataclass(frozen=True, slots=True)
class CoverPictures:
    """One frame in the two sizes that Telegram takes, as JPEG."""

    cover: bytes  # the larger one, at most 1280 pixels on each side
    thumbnail: bytes  # the smaller one, at most 320 pixels on each side and 200 kB


async def make_cover(path: Path) -> CoverPictures | None:
    """Choose a video's best frame, and make cover and thumbnail of it.

    Returns:
        The pictures, or ``None`` if all frames that were tried are black or white.

    Raises:
        NotAVideo: No frame could be decoded, or a decoder crashed on it.
    """
    pictures = await decode_video(path, _make_cover)
    return None if pictures is None else CoverPictures(*(base64.b64decode(picture) for picture in pictures))


def _make_cover(fd: int) -> list[str] | None:
    """Return cover and thumbnail in base64."""
    deadline_s = time.monotonic() + MAX_WORK_S
    with open_video(fd) as (container, stream):
        best: VideoFrame | None = None
        best_score = 0.0
        has_frames = False
        for frame in _early_frames(container, stream, deadline_s):
            has_frames = True
            score = _score(frame, stream)
            if score > best_score * _CLEARLY_BETTER:
                best, best_score = frame, score
        if best is None:
            best = next(
                (f for f in _later_frames(container, stream, deadline_s) if _score(f, stream) > 0), None
            )
        if best is not None:
            cover = _jpeg(picture_of(best, stream, MAX_COVER_SIDE), MAX_COVER_BYTES)
            thumbnail = _jpeg(picture_of(best, stream, MAX_THUMBNAIL_SIDE), MAX_THUMBNAIL_BYTES)
            return [base64.b64encode(picture).decode() for picture in (cover, thumbnail)]
        if not has_frames:
            raise NotAVideo("not one frame could be decoded")
        return None


def _early_frames(container: InputContainer, stream: VideoStream, deadline_s: float) -> Iterator[VideoFrame]:
    """Yield a frame for each quarter of a second of the beginning."""
    next_s = first_s = None
    for frame in decode_frames(container, stream, deadline_s - time.monotonic()):
        at_s = frame.time or 0.0
        if first_s is None or next_s is None:
            first_s = next_s = at_s
        if at_s > first_s + _BEGINNING_S:
            return
        if at_s >= next_s:
            next_s = at_s + _INTERVAL_S
            yield frame


def _later_frames(container: InputContainer, stream: VideoStream, deadline_s: float) -> Iterator[VideoFrame]:
    """Yield a frame at some positions after the beginning."""
    import av

    if not container.duration or container.duration < 0:
        return
    for part in _LATER_POSITIONS:
        if time.monotonic() > deadline_s:
            return
        try:
            container.seek(int(container.duration * part))
        except av.FFmpegError:
            return  # It has no index.
        frame = next(decode_frames(container, stream, deadline_s - time.monotonic()), None)
        if frame is not None:
            yield frame


def _score(frame: VideoFrame, stream: VideoStream) -> float:
    """Return how well a frame represents its video; 0 if it is nearly black or white."""
    from PIL import ImageFilter, ImageStat

    grey = picture_of(frame, stream, MAX_THUMBNAIL_SIDE).convert("L")
    statistics = ImageStat.Stat(grey)
    brightness, spread = statistics.mean[0], statistics.stddev[0]
    if spread < _UNIFORM and not _DARK <= brightness <= _BRIGHT:
        return 0.0
    # The filter leaves the outermost pixels as they are: crop them.
    edges = grey.filter(ImageFilter.FIND_EDGES).crop((1, 1, max(2, grey.width - 1), max(2, grey.height - 1)))
    sharpness: float = ImageStat.Stat(edges).mean[0]
    exposure = min(brightness, 255.0 - brightness, 64.0) / 64.0
    # Each factor is at least 1, so that a frame of one colour is better than none.
    return exposure * (1.0 + spread / 16.0) * (1.0 + sharpness / 16.0) + 0.001


def picture_of(frame: VideoFrame, stream: VideoStream, max_side: int) -> Image.Image:
    """Return a frame as displayed, with a limit on the pixels of each side."""
    width, height = display_size(frame, stream)
    if frame.rotation % 180:
        width, height = height, width
    scale = min(1.0, max_side / max(width, height))
    scaled = frame.reformat(max(1, round(width * scale)), max(1, round(height * scale)), "rgb24")
    picture: Image.Image = scaled.to_image()  # type: ignore[no-untyped-call]  # PyAV has no annotation
    # Both PyAV and Pillow rotate counter-clockwise.
    return picture.rotate(frame.rotation, expand=True) if frame.rotation % 360 else picture


def _jpeg(picture: Image.Image, max_bytes: int) -> bytes:
    for quality in (85, 60, 30):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= max_bytes:
            break
    return buffer.getvalue()
