"""Encode a video again so that it fits into a number of bytes.

When a smaller version is sent is decided in ``telegram/sending/result_forms.py``.

Two passes at most, in the decoder process: the first takes its bit rate from the length, and a size of picture that
this bit rate is enough for. If its file is too large all the same, the second one aims as much lower as it was over.
Frame by frame between two files, so memory stays the same however long the video is.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from bot.media.decoder_process import Bounds, NotDecoded, run
from bot.media.encoding import (
    THREADS,
    USUAL_FPS,
    AudioEncoder,
    FilePart,
    VideoEncoder,
    audio_of,
    even,
    frames_of,
)
from bot.media.video_facts import decode_frames, display_size, open_video
from bot.runtime.disk import has_room

MAX_SOURCE_BYTES = 2_000_000_000
"""Larger videos would take too long."""

MIN_BYTES = 1_000_000
"""A server that takes no file of this size would not take a smaller one either."""

PASSES = 2
SHORT_SIDES = (1080, 720, 480, 360, 240)
"""The shorter side of the picture in pixels, stepped down until the bit rate is enough for it."""

BITS_PER_PIXEL = 0.05
"""Bits for each pixel of each frame with which H.264 still looks clean."""

MIN_BITS_PER_PIXEL = 0.015
"""With less even the smallest size looks bad: a link is sent instead."""

_FILLED = 0.93  # of the limit: the container and an encoder that exceeds its bit rate need the rest
_MAX_FPS = 60.0
_AUDIO_BPS = 128_000
_MIN_AUDIO_BPS = 48_000
_AUDIO_SHARE = 0.15  # of all bits
_LOOK_S = 1.0

WALL_S = 1800.0


class CannotShrink(Exception):
    """No version that fits can be made: the video is too long, can't be decoded, or there is no room or time for it."""


def smaller_path(path: Path) -> Path:
    """Return where the smaller version of a video lies."""
    return path.with_name(f"{path.stem}-small{path.suffix}")


@dataclass(frozen=True, slots=True)
class Encoding:
    """The sizes and rates at which one pass encodes."""

    width: int  # in pixels
    height: int  # in pixels
    video_bps: int  # bits per second
    audio_bps: int  # bits per second; 0 without audio


def plan(
    width: int, height: int, fps: float, duration_s: float, max_bytes: float, *, has_audio: bool
) -> Encoding | None:
    """Return how to encode a video so that it fits; ``None`` if nothing watchable would.

    Args:
        width: Width as displayed, in pixels.
        height: Height as displayed, in pixels.
        fps: Frames per second.
        duration_s: Length in seconds.
        max_bytes: The size to fit into, in bytes.
        has_audio: Whether there is audio to be encoded.
    """
    total_bps = max_bytes * 8 * _FILLED / duration_s
    audio_bps = max(_MIN_AUDIO_BPS, min(_AUDIO_BPS, int(total_bps * _AUDIO_SHARE))) if has_audio else 0
    video_bps = int(total_bps) - audio_bps
    short = min(width, height)
    sizes = [
        _scaled(width, height, side) for side in (short, *(side for side in SHORT_SIDES if side < short))
    ]
    fitting = (size for size in sizes if video_bps >= BITS_PER_PIXEL * size[0] * size[1] * fps)
    size = next(fitting, sizes[-1])
    if video_bps < MIN_BITS_PER_PIXEL * size[0] * size[1] * fps:
        return None
    return Encoding(*size, video_bps, audio_bps)


async def shrink_video(
    source: Path, target: Path, max_bytes: int, on_progress: Callable[[float], None]
) -> None:
    """Make a smaller version of a video; cancelling ends the work.

    Args:
        source: The video.
        target: The file to write; it appears once it is whole.
        max_bytes: The size that it may have, in bytes.
        on_progress: Called now and then with the share of the pass that is done, 0 to 1.

    Raises:
        CannotShrink: There is no version that fits.
    """
    size = (await asyncio.to_thread(source.stat)).st_size
    if max_bytes < MIN_BYTES or size > MAX_SOURCE_BYTES:
        raise CannotShrink(f"{size} bytes into {max_bytes}")
    if not await asyncio.to_thread(has_room, target.parent, max_bytes):
        raise CannotShrink("no room")
    # The cleaning at the start finds it by its ending.
    part = target.with_name(f"{target.stem}.{uuid4().hex}.part{target.suffix}")
    try:
        with (
            await asyncio.to_thread(source.open, "rb") as given,
            await asyncio.to_thread(part.open, "w+b") as made,
        ):
            await _shrink(given, made, size, max_bytes, on_progress)
        await asyncio.to_thread(part.replace, target)
    except (NotDecoded, OSError) as error:
        raise CannotShrink(str(error)) from error
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)


async def _shrink(
    given: IO[bytes], made: IO[bytes], size: int, max_bytes: int, on_progress: Callable[[float], None]
) -> None:
    bounds = Bounds(wall_s=WALL_S, cpu_s=int(WALL_S * THREADS), written_bytes=2 * max_bytes)
    aim, needed = float(max_bytes), 0.0
    for _ in range(PASSES):
        given.seek(0)
        made.seek(0)
        made.truncate()
        work = asyncio.create_task(run(_encode, max_bytes, aim, bounds=bounds, files=[given, made]))
        try:
            # In real time, as the child works. It shares the file's position with this process.
            while not (await asyncio.wait({work}, timeout=_LOOK_S))[0]:
                on_progress(min(1.0, os.lseek(given.fileno(), 0, os.SEEK_CUR) / max(1, size)))
            needed = await work
        finally:
            work.cancel()
        if needed <= max_bytes:
            return
        aim *= max_bytes / needed * _FILLED
    raise CannotShrink(f"{needed:.0f} bytes after {PASSES} passes")


# In the decoder process -----------------------------------------------------------------------------------


def _encode(source_fd: int, target_fd: int, max_bytes: int, aim: float) -> float:
    """Encode once, and return how many bytes that takes; estimated, if it stopped at the limit."""
    import av

    with os.fdopen(target_fd, "r+b", buffering=0) as target, open_video(source_fd) as (input_, video):
        duration_s = (input_.duration or 0) / av.time_base
        if duration_s <= 0:
            raise CannotShrink("of no known length")
        first = next(decode_frames(input_, video), None)
        if first is None or first.rotation % 360:
            raise CannotShrink("not one frame, or turned ones")
        audio = audio_of(input_)
        fps = min(_MAX_FPS, max(1.0, float(video.average_rate or USUAL_FPS)))
        encoding = plan(*display_size(first, video), fps, duration_s, aim, has_audio=audio is not None)
        if encoding is None:
            raise CannotShrink(f"{duration_s:.0f} s into {aim:.0f} bytes")
        input_.seek(0)
        # Moving the index to the front reads the file while it is written, at a position of its own.
        with av.open(
            target,
            "w",
            format="mp4",
            options={"movflags": "+faststart"},
            io_open=lambda *_: FilePart(target.fileno()),
        ) as output:
            options = {
                "b": str(encoding.video_bps),
                "maxrate": str(encoding.video_bps * 3 // 2),
                "bufsize": str(encoding.video_bps * 2),
            }
            size, rate = (encoding.width, encoding.height), video.average_rate or USUAL_FPS
            encoders: dict[int, VideoEncoder | AudioEncoder] = {
                video.index: VideoEncoder(output, size, rate, options)
            }
            if audio is not None:
                encoders[audio.index] = AudioEncoder(output, audio, encoding.audio_bps)
            at_s = 0.0
            for index, frame in frames_of(input_, video, audio):
                encoders[index].encode(frame)
                at_s = frame.time or at_s
                if target.tell() > max_bytes:
                    return max_bytes * max(1.1, duration_s / max(at_s, 0.1))
            for encoder in encoders.values():
                encoder.flush()
        made_bytes: int = os.fstat(target_fd).st_size
    return made_bytes


def _scaled(width: int, height: int, short_side: int) -> tuple[int, int]:
    scale = short_side / min(width, height)
    return even(width * scale), even(height * scale)
