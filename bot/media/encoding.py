"""Decode and encode frame by frame in the decoder process: memory stays the same however long a file is."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.frame import VideoFrame

THREADS = 2
USUAL_FPS = 30
TIME_BASE = Fraction(1, 90_000)  # fine enough for any frame rate, and for one that varies


def audio_of(input_: InputContainer) -> AudioStream | None:
    """Return the first audio that FFmpeg has a decoder for."""
    return next((one for one in input_.streams.audio if one.codec_context is not None), None)


def even(pixels: float) -> int:
    """Return the nearest width or height that H.264 takes."""
    return max(2, round(pixels / 2) * 2)


def frames_of(input_: InputContainer, *streams: Stream | None) -> Iterator[tuple[int, Any]]:
    """Yield the frames of some streams with their stream's index; what can't be decoded is skipped."""
    import av

    for packet in input_.demux([one for one in streams if one is not None]):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in frames:
            yield packet.stream_index, frame


class FilePart(io.RawIOBase):
    """An open file, or a part of it, read at a position of its own.

    Args:
        fd: The file.
        start: Where the part begins, in bytes.
        end: Where it ends; the file's end by default, wherever that is by then.
    """

    def __init__(self, fd: int, start: int = 0, end: int | None = None) -> None:
        self._fd, self._start, self._end, self._at = fd, start, end, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset from the start, from here, or from the end."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        left = max(0, self._size - self._at)
        data = os.pread(self._fd, left if size < 0 else min(size, left), self._start + self._at)
        self._at += len(data)
        return data

    @property
    def _size(self) -> int:
        return (os.fstat(self._fd).st_size if self._end is None else self._end) - self._start


class VideoEncoder:
    """Encodes frames as H.264, at the times that they have.

    Args:
        output: Where they are written.
        size: Width and height in pixels; both even.
        rate: Frames per second, as the file says them.
        options: Options of x264.
        time_base: The unit of times.
    """

    def __init__(
        self,
        output: OutputContainer,
        size: tuple[int, int],
        rate: Fraction | int,
        options: Mapping[str, str],
        time_base: Fraction = TIME_BASE,
    ) -> None:
        self._output = output
        self._size = size
        self._stream = output.add_stream("libx264", rate=rate, options={"preset": "veryfast", **options})
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = time_base
        self._stream.codec_context.thread_count = THREADS

    def encode(self, frame: VideoFrame) -> None:
        """Encode a frame of any size."""
        scaled = frame.reformat(*self._size, "yuv420p")
        scaled.pict_type = 0  # The encoder chooses which are key frames, not the source.
        self._output.mux(self._stream.encode(scaled))

    def flush(self) -> None:
        """Write what the encoder still holds."""
        self._output.mux(self._stream.encode(None))


class AudioEncoder:
    """Encodes frames one after the other, whatever parameters they have.

    Args:
        output: Where they are written.
        source: The stream that they come from.
        bits_per_s: The bit rate; 0 for a codec without one.
        codec: ``aac``, ``libmp3lame`` or one of PCM.
        samples: The format of samples that the codec takes.
        rate_hz: Samples per second.
        is_joined: Whether each frame follows the one before, instead of being at the time that it has.
    """

    def __init__(
        self,
        output: OutputContainer,
        source: AudioStream,
        bits_per_s: int,
        codec: str = "aac",
        samples: str = "fltp",
        rate_hz: int = 48_000,
        *,
        is_joined: bool = False,
    ) -> None:
        layout = "mono" if source.channels == 1 else "stereo"
        self._output = output
        self._is_joined = is_joined
        self._encoded: tuple[str, str, int] = (samples, layout, rate_hz)
        self._given: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None
        self._done = 0
        self._stream = cast("AudioStream", output.add_stream(codec, rate=rate_hz, layout=layout))
        if bits_per_s:
            self._stream.bit_rate = bits_per_s

    @property
    def done_s(self) -> float:
        """Seconds that are encoded."""
        return self._done / self._stream.rate

    def encode(self, frame: AudioFrame) -> None:
        """Encode a frame."""
        from av.audio.resampler import AudioResampler

        given = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or given != self._given:
            self._empty_resampler()
            self._given, self._resampler = given, AudioResampler(*self._encoded)
        self._mux(self._resampler.resample(frame))

    def flush(self) -> None:
        """Write what the encoder still holds."""
        self._empty_resampler()
        self._output.mux(self._stream.encode(None))

    def _empty_resampler(self) -> None:
        if self._resampler is not None:
            self._mux(self._resampler.resample(None))

    def _mux(self, frames: Sequence[AudioFrame]) -> None:
        for frame in frames:
            if self._is_joined:
                frame.pts, frame.time_base = self._done, Fraction(1, self._stream.rate)
            self._done += frame.samples
            self._output.mux(self._stream.encode(frame))
