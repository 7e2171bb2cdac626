"""What else can be made of a finished video: a silent animation, a round video message, its audio, a still frame.

All of it is made in the decoder process, from one file into another.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, cast

from bot.media.cover import make_cover
from bot.media.decoder_process import Bounds, NotDecoded, run
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
_TIME_BASE = Fraction(1, 90_000)
_ENCODER = {"preset": "veryfast", "crf": "26", "maxrate": "1200k", "bufsize": "2400k"}
_AUDIO_RATE_HZ = 44_100
_AUDIO_BPS = 128_000
_THREADS = 2


class Extract(StrEnum):
    """What is made; the values are parts of callback data and of keys in the catalogue."""

    GIF = "gif"
    ROUND = "round"
    AUDIO = "audio"
    STILL = "still"


class CannotExtract(Exception):
    """The video can't be decoded, has no audio to extract, or is too long for it."""


async def extract(what: Extract, source: Path) -> bytes:
    """Make something else of a video; cancelling ends the work.

    Args:
        what: What to make: an MP4 for an animation or a round message, an MP3, or a JPEG.
        source: The video.

    Returns:
        The file's content.

    Raises:
        CannotExtract: There is no such thing to be made of it.
    """
    try:
        if what is Extract.STILL:
            if (pictures := await make_cover(source)) is None:
                raise CannotExtract("nothing but black or white")
            return pictures.cover
        with source.open("rb") as given, TemporaryFile(dir=source.parent) as made:
            await run(_WORK[what], bounds=_BOUNDS, files=[given, made])
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
        size = (_even(video.width * scale), _even(video.height * scale))
        _encode(input_, output, video, size, lambda frame: frame.reformat(*size, "yuv420p"), MAX_GIF_S)


def _make_round(source_fd: int, target_fd: int) -> None:
    """Write a square MP4, cut from the middle of the picture."""
    from av.video.frame import VideoFrame
    from PIL import ImageOps

    def cut(frame: VideoFrame) -> VideoFrame:
        picture = cast(Any, frame).to_image()
        made = VideoFrame.from_image(ImageOps.fit(picture, size))  # type: ignore[no-untyped-call]  # PyAV has no annotation
        return cast(VideoFrame, made.reformat(format="yuv420p"))

    size = (ROUND_SIDE, ROUND_SIDE)
    with _open(source_fd, target_fd, "mp4") as (input_, output, video):
        _encode(input_, output, video, size, cut, MAX_ROUND_S, audio=_audio_of(input_))


def _make_mp3(source_fd: int, target_fd: int) -> None:
    with _open(source_fd, target_fd, "mp3") as (input_, output, _):
        audio = _audio_of(input_)
        if audio is None:
            raise ValueError("no audio")
        encoder = _AudioEncoder(output, audio, "libmp3lame", "s16p")
        for packet in input_.demux([audio]):
            encoder.add(packet)
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


def _audio_of(input_: InputContainer) -> AudioStream | None:
    return next((one for one in input_.streams.audio if one.codec_context is not None), None)


def _even(pixels: float) -> int:
    return max(2, round(pixels / 2) * 2)


def _encode(
    input_: InputContainer,
    output: OutputContainer,
    video: VideoStream,
    size: tuple[int, int],
    change: Callable[[VideoFrame], VideoFrame],
    longest_s: float,
    audio: AudioStream | None = None,
) -> None:
    """Encode the changed frames up to a time, with the audio if there is any."""
    import av

    fps = round(min(GIF_FPS, float(video.average_rate or GIF_FPS)))
    stream = output.add_stream("libx264", rate=fps, options=_ENCODER)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = _TIME_BASE
    stream.codec_context.thread_count = _THREADS
    sound = None if audio is None else _AudioEncoder(output, audio, "aac", "fltp")
    next_s, begin_s = 0.0, None
    for packet in input_.demux([one for one in (video, audio) if one is not None]):
        if packet.stream_index != video.index:
            if sound is not None:
                sound.add(packet, longest_s)
            continue
        with contextlib.suppress(av.InvalidDataError):
            for frame in cast("list[VideoFrame]", packet.decode()):
                if frame.rotation % 360:
                    raise ValueError("turned")
                at_s = frame.time or 0.0
                begin_s = at_s if begin_s is None else begin_s
                at_s -= begin_s
                if at_s < next_s - 0.5 / GIF_FPS or at_s >= longest_s:
                    continue
                next_s = max(next_s, at_s) + 1 / GIF_FPS
                changed = change(frame)
                changed.pts, changed.time_base = round(at_s / _TIME_BASE), _TIME_BASE
                changed.pict_type = 0  # The encoder chooses which are key frames, not the source.
                output.mux(stream.encode(changed))
    if begin_s is None:
        raise ValueError("not one frame")
    output.mux(stream.encode(None))
    if sound is not None:
        sound.flush()


class _AudioEncoder:
    """Encodes the packets of an audio stream."""

    def __init__(self, output: OutputContainer, source: AudioStream, codec: str, samples: str) -> None:
        from av.audio.resampler import AudioResampler

        layout = "mono" if source.channels == 1 else "stereo"
        self._output = output
        self._resampler = AudioResampler(samples, layout, _AUDIO_RATE_HZ)
        self._stream = cast("AudioStream", output.add_stream(codec, rate=_AUDIO_RATE_HZ, layout=layout))
        self._stream.bit_rate = _AUDIO_BPS

    def add(self, packet: Any, longest_s: float | None = None) -> None:
        """Encode a packet, unless it begins after a time."""
        import av

        with contextlib.suppress(av.InvalidDataError):
            for frame in packet.decode():
                if longest_s is None or (frame.time or 0.0) < longest_s:
                    self._encode(frame)

    def flush(self) -> None:
        """Write what the encoder still holds."""
        self._encode(None)
        self._output.mux(self._stream.encode(None))

    def _encode(self, frame: Any) -> None:
        for resampled in self._resampler.resample(frame):
            self._output.mux(self._stream.encode(resampled))
