"""Facts about a finished video that Telegram needs to be given.

Telegram shows a video of more than about 10 MB as a black square of length 0:00 unless it is given width, height,
duration and thumbnail. The facts are read with PyAV in the decoder process (`decoder_process`), which alone imports
PyAV: the bot itself starts sooner without it and is 20 MB smaller.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.media.decoder_process import Bounds, NotDecoded, run
from bot.media.encoding import frames_of
from bot.media.file_type import SNIFF_BYTES, FileType, sniff

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_WORK_S = 10.0  # seconds that the code in the decoder process takes at most by its own watch

BOUNDS = Bounds(wall_s=3 * MAX_WORK_S, cpu_s=30)
"""What the process may use, for decoders that return to that code too late."""

_DECODER_THREADS = 2

_MAX_PIXELS = 8192 * 4320

# What every client of Telegram plays: https://core.telegram.org/bots/api#sendvideo says MPEG4 and no more. Other video
# or audio codecs, 10 bits or full colour play on some devices only, and show a black square on the others.
PLAYABLE_PIXEL_FORMATS = ("yuv420p", "yuvj420p")
_PLAYABLE_AUDIO = (None, "aac", "mp3", "mp3float")

_DEMUXERS: dict[FileType, str] = {
    "mp4": "mp4", "mov": "mov", "webm": "webm", "mkv": "matroska", "avi": "avi"
}  # fmt: skip


class NotAVideo(Exception):
    """The file is not a readable video: of another type, broken, or beyond the bounds."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What is known of a video: what ``sendVideo`` is given, and whether it can be played."""

    width: int  # width as displayed, with rotation and pixel shape applied, in pixels
    height: int  # height as displayed, in pixels
    duration_s: float  # length in seconds, 0 if the file doesn't say
    faststart: bool  # whether playback can begin before all is loaded (the moov atom comes before the media)
    is_playable: bool  # whether every client of Telegram plays it: an MP4 of H.264 with AAC, MP3 or no audio


async def read_video_facts(path: Path) -> VideoFacts:
    """Read a video's facts.

    Raises:
        NotAVideo: It holds nothing that can be played, or a decoder crashed on it.
    """
    return VideoFacts(**await decode_video(path, _read_facts))


async def decode_video(path: Path, work: Callable[[int], Any]) -> Any:
    """Run work on a video in the decoder process.

    Args:
        path: The video.
        work: What to do with its descriptor.

    Raises:
        NotAVideo: The file can't be read, the work failed, or a decoder crashed.
    """
    try:
        with await asyncio.to_thread(path.open, "rb") as file:
            return await run(work, bounds=BOUNDS, files=[file])
    except (NotDecoded, OSError) as error:
        raise NotAVideo(str(error)) from error


@contextmanager
def open_video(fd: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video for decoding, in the decoder process only.

    Args:
        fd: The open file.

    Yields:
        Its container and its video stream.

    Raises:
        NotAVideo: It holds nothing that can be played.
    """
    import av

    try:
        with os.fdopen(fd, "rb") as file:
            file_type = _file_type(fd)
            demuxer = _DEMUXERS.get(file_type)
            if demuxer is None:
                raise NotAVideo(f"not a video: {file_type}")
            # The demuxer is named and the file passed open: a playlist disguised as a video can make FFmpeg read
            # neither other files nor URLs.
            with av.open(file, "r", format=demuxer) as container:
                if not container.streams.video:
                    raise NotAVideo("it has no video stream")
                stream = container.streams.video[0]
                # None where FFmpeg has no decoder, despite PyAV's stubs.
                if stream.codec_context is None:
                    raise NotAVideo("its codec can't be decoded")
                if not 0 < stream.width * stream.height <= _MAX_PIXELS:
                    raise NotAVideo(f"frames of {stream.width}×{stream.height}")
                # The frames may claim another size than the container.
                stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
                # Each thread keeps frames in the bounded memory.
                stream.codec_context.thread_count = _DECODER_THREADS
                yield container, stream
    except (av.FFmpegError, OSError, ValueError, ArithmeticError, MemoryError) as error:
        raise NotAVideo(str(error)) from error


def _file_type(fd: int) -> FileType:
    # Content that doesn't tell may still be the MP4 that a result is.
    return sniff(os.pread(fd, SNIFF_BYTES, 0)) or "mp4"


def _read_facts(fd: int) -> dict[str, Any]:
    with open_video(fd) as (container, stream):
        frame = next(decode_frames(container, stream), None)
        if frame is None:
            raise NotAVideo("not one frame could be decoded")
        width, height = display_size(frame, stream)
        facts = VideoFacts(
            width=width,
            height=height,
            duration_s=_duration_s(container, stream),
            faststart=_is_faststart(fd),
            is_playable=_is_playable(fd, container, stream),
        )
        return asdict(facts)


def _is_playable(fd: int, container: InputContainer, stream: VideoStream) -> bool:
    streams = container.streams.audio
    # No context where FFmpeg has no decoder, despite PyAV's stubs.
    audio = getattr(streams[0].codec_context, "name", "unknown") if streams else None
    context = stream.codec_context
    return (
        _file_type(fd) == "mp4"
        and context.name == "h264"
        and context.pix_fmt in PLAYABLE_PIXEL_FORMATS
        and audio in _PLAYABLE_AUDIO
    )


def decode_frames(
    container: InputContainer, stream: VideoStream, work_s: float = MAX_WORK_S
) -> Iterator[VideoFrame]:
    """Decode frames from the current position; what can't be decoded is skipped.

    Args:
        container: The open video.
        stream: Its video stream.
        work_s: Seconds after which it stops.
    """
    deadline_s = time.monotonic() + work_s
    for _, frame in frames_of(container, stream):
        if time.monotonic() > deadline_s:
            return
        yield frame


def display_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Return width and height as a player shows them, with rotation and pixel shape applied."""
    pixel_aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    stretch = float(pixel_aspect) if pixel_aspect and 0.1 < pixel_aspect < 10 else 1.0
    width, height = max(1, round(frame.width * stretch)), frame.height
    return (height, width) if frame.rotation % 180 else (width, height)


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    import av

    if container.duration and container.duration > 0:
        return float(container.duration / av.time_base)
    if stream.duration and stream.time_base and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    return 0.0


def _is_faststart(fd: int) -> bool:
    """Return whether moov comes before mdat, so that a beginning can be played; true for all but MP4 and QuickTime."""
    if _file_type(fd) not in ("mp4", "mov"):
        return True
    size = os.fstat(fd).st_size
    offset = 0
    for _ in range(64):
        if offset + 8 > size:
            return False
        header = os.pread(fd, 16, offset)
        length, name = int.from_bytes(header[:4], "big"), header[4:8]
        if name in (b"moov", b"mdat"):
            return name == b"moov"
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            return False
        offset += length
    return False
