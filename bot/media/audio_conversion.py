"""Convert audio that NemoVideo does not take: voice messages, Ogg and others to M4A, lossless audio to WAV.

Decoded and encoded frame by frame between two files, in the decoder process: memory stays the same however long the
audio is. PyAV is imported in that process only.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from bot.media.decoder_process import Bounds
from bot.media.encoding import AudioEncoder, FilePart
from bot.media.kinds import CONVERTED

if TYPE_CHECKING:
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
        encoder: AudioEncoder | None = None
        for part in _links_of_chain(source) if source_type == "ogg" else [source]:
            # The demuxer is named: no other type of file is read, whatever the content.
            with av.open(part, "r", format=_DEMUXERS.get(source_type, source_type)) as input_:
                audio = _audio_of(input_)
                # Each link of a chain begins at 0.
                encoder = encoder or _encoder_for(audio, output, target_type)
                for frame in input_.decode(audio):
                    if encoder.done_s > max_s or target.tell() > MAX_CONVERTED_BYTES:
                        return encoder.done_s
                    encoder.encode(frame)
        if encoder is None:
            raise ValueError("no audio")
        encoder.flush()
    return None


def _audio_of(input_: InputContainer) -> AudioStream:
    from av.stream import Disposition

    # The cover of an album counts as a video stream too.
    has_video = any(not stream.disposition & Disposition.attached_pic for stream in input_.streams.video)
    if has_video or not input_.streams.audio:
        raise ValueError("no audio")
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


def _encoder_for(audio: AudioStream, output: OutputContainer, target_type: str) -> AudioEncoder:
    rate = audio.rate or MAX_RATE_HZ
    if target_type == "m4a":
        rate = rate if rate in _AAC_RATES_HZ else MAX_RATE_HZ
        bits_per_s = BITS_PER_CHANNEL * min(2, audio.channels)
        return AudioEncoder(output, audio, bits_per_s, rate_hz=rate, is_joined=True)
    # Decoders give 32-bit samples for everything over 16 bits.
    codec, samples = ("pcm_s24le", "s32") if audio.format.bits > 16 else ("pcm_s16le", "s16")
    return AudioEncoder(output, audio, 0, codec, samples, rate, is_joined=True)
