"""What else can be made of a finished video: a silent animation, a round video message, its audio, a still frame.

All of it is made in the decoder process, from one file into another.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, cast

from bot.media.cover import make_cover
from bot.media.decoder_process import Bounds, NotDecoded, run
from bot.media.encoding import TIME_BASE, AudioEncoder, VideoEncoder, audio_of, even, frames_of
from bot.media.video_facts import NotAVideo, open_video

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_BYTES = 10_000_000
"""The largest one: it is held in memory to be sent."""

ROUND_SIDE, MAX_ROUND_S = 384, 59.0
"""Telegram takes video messages of less than a minute, square, with sides of up to 640 pixels."""

GIF_SIDE, MAX_GIF_S = 480, 60.0
GIF_FPS = 25.0

_BOUNDS = Bounds(wall_s=300, cpu_s=500, written_bytes=2 * MAX_BYTES)
_ENCODER = {"crf": "26", "maxrate": "1200k", "bufsize": "2400k"}
_AUDIO_RATE_HZ = 44_100
_AUDIO_BPS = 128_000


class Extract(StrEnum):
    """What is made; the values are members of `bot.jobs.buttons.ExtractKind` too."""

    GIF = "gif"
    ROUND = "round"
    AUDIO = "audio"
    STILL = "still"


class CannotExtract(Exception):
    """The video can't be decoded, has no audio to extract, or is too long for it."""


async def extract(kind: Extract, source: Path) -> bytes:
    """Make something else of a video; cancelling ends the work.

    Args:
        kind: What to make: an MP4 for an animation or a round message, an MP3, or a JPEG.
        source: The video.

    Returns:
        The file's content.

    Raises:
        CannotExtract: There is no such thing to be made of it.
    """
    try:
        if kind is Extract.STILL:
            if (pictures := await make_cover(source)) is None:
                raise CannotExtract("nothing but black or white")
            return pictures.cover
        with source.open("rb") as given, TemporaryFile(dir=source.parent) as made:
            await run(_WORK[kind], bounds=_BOUNDS, files=[given, made])
            size = made.seek(0, os.SEEK_END)
            if not 0 < size <= MAX_BYTES:
                raise CannotExtract(f"{size} bytes")
            made.seek(0)
            return made.read()
    except (NotDecoded, NotAVideo, OSError) as error:
        raise CannotExtract(str(error)) from error


# In the decoder process -----------------------------------------------------------------------------------


def _make_gif(source_fd: int, target_fd: int) -> None:
    """Write an MP4 without audio, which Telegram plays as it plays GIFs."""
    with _open(source_fd, target_fd, "mp4") as (input_, output, video):
        scale = min(1.0, GIF_SIDE / max(video.width, video.height))
        size = (even(video.width * scale), even(video.height * scale))
        _encode(input_, output, video, size, MAX_GIF_S)


def _make_round(source_fd: int, target_fd: int) -> None:
    """Write a square MP4, cut from the middle of the picture."""
    from av.video.frame import VideoFrame
    from PIL import ImageOps

    def cut(frame: VideoFrame) -> VideoFrame:
        picture = cast(Any, frame).to_image()
        return cast(VideoFrame, VideoFrame.from_image(ImageOps.fit(picture, size)))  # type: ignore[no-untyped-call]  # PyAV has no annotation

    size = (ROUND_SIDE, ROUND_SIDE)
    with _open(source_fd, target_fd, "mp4") as (input_, output, video):
        _encode(input_, output, video, size, MAX_ROUND_S, cut, audio_of(input_))


def _make_mp3(source_fd: int, target_fd: int) -> None:
    with _open(source_fd, target_fd, "mp3") as (input_, output, _video):
        audio = audio_of(input_)
        if audio is None:
            raise ValueError("no audio")
        encoder = AudioEncoder(output, audio, _AUDIO_BPS, "libmp3lame", "s16p", _AUDIO_RATE_HZ)
        for _, frame in frames_of(input_, audio):
            encoder.encode(frame)
        encoder.flush()


_WORK: dict[Extract, Callable[[int, int], None]] = {
    Extract.GIF: _make_gif,
    Extract.ROUND: _make_round,
    Extract.AUDIO: _make_mp3,
}


@contextlib.contextmanager
def _open(source_fd: int, target_fd: int, container: str) -> Any:
    import av

    with (
        os.fdopen(target_fd, "w+b") as target,
        open_video(source_fd) as (input_, video),
        av.open(target, "w", format=container) as output,
    ):
        yield input_, output, video


def _encode(
    input_: InputContainer,
    output: OutputContainer,
    video: VideoStream,
    size: tuple[int, int],
    longest_s: float,
    change: Callable[[VideoFrame], VideoFrame] | None = None,
    audio: AudioStream | None = None,
) -> None:
    """Encode the frames up to a time, changed first, with the audio if there is any."""
    fps = round(min(GIF_FPS, float(video.average_rate or GIF_FPS)))
    encoder = VideoEncoder(output, size, fps, _ENCODER)
    audio_encoder = None
    if audio is not None:
        audio_encoder = AudioEncoder(output, audio, _AUDIO_BPS, rate_hz=_AUDIO_RATE_HZ)
    next_s, begin_s = 0.0, None
    for index, frame in frames_of(input_, video, audio):
        at_s = frame.time or 0.0
        if index != video.index:
            if audio_encoder is not None and at_s < longest_s:
                audio_encoder.encode(frame)
            continue
        if frame.rotation % 360:
            raise ValueError("turned")
        begin_s = at_s if begin_s is None else begin_s
        at_s -= begin_s
        if at_s < next_s - 0.5 / GIF_FPS or at_s >= longest_s:
            continue
        next_s = max(next_s, at_s) + 1 / GIF_FPS
        changed = frame if change is None else change(frame)
        changed.pts, changed.time_base = round(at_s / TIME_BASE), TIME_BASE
        encoder.encode(changed)
    if begin_s is None:
        raise ValueError("not one frame")
    encoder.flush()
    if audio_encoder is not None:
        audio_encoder.flush()
