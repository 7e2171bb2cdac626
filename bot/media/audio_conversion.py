"""Convert audio that NemoVideo does not take: voice messages, Ogg and others to M4A, lossless audio to WAV.

Decoded and encoded frame by frame between two files, in the decoder process: memory stays the same however long the
audio is. PyAV is imported in that process only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from typing import IO, TYPE_CHECKING, cast

from bot.media.decoder_process import Bounds
from bot.media.encoding import FilePart
from bot.media.kinds import CONVERTED

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer

MAX_AUDIO_S = 4 * 3600  # longer audio is refused: silence compresses so well that a small file may hold days
MAX_CONVERTED_BYTES = 500_000_000  # NemoVideo takes no larger files

BITS_PER_CHANNEL = 96_000
"""Bit rate of M4A: more than voice messages and most Ogg music have, so that little is lost by encoding again."""

MAX_RATE_HZ = 48_000
_AAC_RATES_HZ = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

_OGG_HEADER_BYTES = 27  # up to the number of segments, whose lengths follow

_DEMUXERS = {"wma": "asf", "mka": "matroska"}  # where they are not named like the kind
_MUXERS = {"m4a": "ipod", "wav": "wav"}

BOUNDS = Bounds(wall_s=1800, cpu_s=900, written_bytes=2 * MAX_CONVERTED_BYTES)
"""The longest audio that is taken needs a few minutes of a slow processor."""


def convert(source_fd: int, target_fd: int, source_type: str, max_s: float) -> float | None:
    """Convert audio; return the second at which it stopped because of the limits, or ``None``."""
    import av

    target_type = CONVERTED[source_type]
    with (
        os.fdopen(source_fd, "rb") as source,
        os.fdopen(target_fd, "w+b") as target,
        av.open(target, "w", format=_MUXERS[target_type]) as output,
    ):
        encoder: _Encoder | None = None
        for part in _links_of_chain(source) if source_type == "ogg" else [source]:
            # The demuxer is named: no other type of file is read, whatever the content.
            with av.open(part, "r", format=_DEMUXERS.get(source_type, source_type)) as input_:
                audio = _audio_of(input_)
                encoder = encoder or _Encoder(output, target_type, audio)
                for frame in input_.decode(audio):
                    if encoder.done_s > max_s or target.tell() > MAX_CONVERTED_BYTES:
                        return encoder.done_s
                    encoder.encode(frame)
        if encoder is None:
            raise _NoAudio
        encoder.close()
    return None


class _NoAudio(Exception):
    """A video, or nothing that can be heard."""


def _audio_of(input_: InputContainer) -> AudioStream:
    from av.stream import Disposition

    # The cover of an album counts as a video stream too.
    has_video = any(not stream.disposition & Disposition.attached_pic for stream in input_.streams.video)
    if has_video or not input_.streams.audio:
        raise _NoAudio
    return input_.streams.audio[0]


def _links_of_chain(file: IO[bytes]) -> list[FilePart]:
    """Split a chained Ogg: FFmpeg gives up where the next link has other parameters.

    A link begins with pages that are marked as the first of a stream (RFC 3533, sections 4 and 6).
    """
    starts, offset, was_first = [0], 0, True
    while len(header := _read_at(file, offset, _OGG_HEADER_BYTES)) == _OGG_HEADER_BYTES:
        if not header.startswith(b"OggS"):
            break  # Broken; FFmpeg finds the next page by itself.
        is_first = bool(header[5] & 2)
        if is_first and not was_first:
            starts.append(offset)
        was_first = is_first
        offset += _OGG_HEADER_BYTES + header[26] + sum(file.read(header[26]))
    size = file.seek(0, os.SEEK_END)
    return [
        FilePart(file.fileno(), start, end) for start, end in zip(starts, [*starts[1:], size], strict=True)
    ]


def _read_at(file: IO[bytes], offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


class _Encoder:
    """Encodes frames one after the other, whatever parameters they have."""

    def __init__(self, output: OutputContainer, target_type: str, audio: AudioStream) -> None:
        self._output = output
        self._stream, self._format = _add_encoder(output, target_type, audio)
        self._layout = self._stream.layout.name
        self._given: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None
        self._done = 0

    @property
    def done_s(self) -> float:
        """Seconds that are encoded."""
        return self._done / self._stream.rate

    def encode(self, frame: AudioFrame) -> None:
        from av.audio.resampler import AudioResampler

        given = (frame.format.name, frame.layout.name, frame.sample_rate)
        if given != self._given:
            self._flush()
            self._given = given
            self._resampler = AudioResampler(self._format, self._layout, self._stream.rate)
        if self._resampler is not None:
            self._mux(self._resampler.resample(frame))

    def close(self) -> None:
        self._flush()
        self._output.mux(self._stream.encode(None))

    def _flush(self) -> None:
        if self._resampler is not None:
            self._mux(self._resampler.resample(None))

    def _mux(self, frames: Sequence[AudioFrame]) -> None:
        for frame in frames:
            # Each link of a chain begins at 0 again.
            frame.pts, frame.time_base = self._done, Fraction(1, self._stream.rate)
            self._done += frame.samples
            self._output.mux(self._stream.encode(frame))


def _add_encoder(output: OutputContainer, target_type: str, audio: AudioStream) -> tuple[AudioStream, str]:
    """Return the encoder's stream and the format of its samples."""
    channels = min(2, audio.channels)
    layout = "mono" if channels == 1 else "stereo"
    rate = audio.rate or MAX_RATE_HZ
    if target_type == "m4a":
        rate = rate if rate in _AAC_RATES_HZ else MAX_RATE_HZ
        stream = output.add_stream("aac", rate=rate, layout=layout)
        stream.bit_rate = BITS_PER_CHANNEL * channels
        return stream, "fltp"
    # Decoders give 32-bit samples for everything over 16 bits.
    codec, samples = ("pcm_s24le", "s32") if audio.format.bits > 16 else ("pcm_s16le", "s16")
    lossless = cast("AudioStream", output.add_stream(codec, rate=rate, layout=layout))
    return lossless, samples
