"""Convert audio that NemoVideo does not take: voice messages and Ogg to M4A, lossless audio to WAV.

Decoded and encoded frame by frame between two files, in the decoder process: memory stays the same however long the
audio is. PyAV is imported in that process only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, cast

from bot.media.decoder_process import Bounds, NotDecoded, run
from bot.media.errors import AudioTooLong, FileTypeUnsupported

if TYPE_CHECKING:
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer

MAX_AUDIO_S = 4 * 3600  # longer audio is refused: silence compresses so well that a small file may hold days
MAX_CONVERTED_BYTES = 500_000_000  # NemoVideo takes no larger files

BITS_PER_CHANNEL = 96_000
"""Bit rate of M4A: more than voice messages and most Ogg music have, so that little is lost by encoding again."""

MAX_RATE_HZ = 48_000

_MUXERS = {"m4a": "ipod", "wav": "wav"}

BOUNDS = Bounds(wall_s=1800, cpu_s=900, written_bytes=2 * MAX_CONVERTED_BYTES)
"""The longest audio that is taken needs a few minutes of a slow processor."""


async def convert_audio(
    source: IO[bytes], source_type: str, target: IO[bytes], target_type: str, name: str
) -> int:
    """Convert a file in the decoder process; cancelling ends the conversion.

    Args:
        source: A file on disk, open at its start.
        source_type: ``ogg``, ``flac`` or ``aiff``.
        target: An empty file on disk; afterwards open at its start.
        target_type: ``m4a`` or ``wav``.
        name: The file's name, for errors.

    Returns:
        The result's size in bytes.

    Raises:
        FileTypeUnsupported: It holds no audio that can be decoded, or it is a video.
        AudioTooLong: It exceeds ``MAX_AUDIO_S`` or ``MAX_CONVERTED_BYTES``.
    """
    limits = (MAX_AUDIO_S, MAX_CONVERTED_BYTES)
    try:
        stopped_at_s = await run(
            _convert, source_type, target_type, limits, bounds=BOUNDS, files=[source, target]
        )
    except NotDecoded as error:
        raise FileTypeUnsupported(name) from error
    if stopped_at_s is not None:
        raise AudioTooLong(stopped_at_s)
    size = target.seek(0, os.SEEK_END)
    target.seek(0)
    return size


def _convert(
    source_fd: int, target_fd: int, source_type: str, target_type: str, limits: Sequence[int]
) -> float | None:
    import av

    with (
        os.fdopen(source_fd, "rb") as source,
        os.fdopen(target_fd, "w+b") as target,
        # The demuxer is named: no other type of file is read, whatever the content.
        av.open(source, "r", format=source_type) as input_,
        av.open(target, "w", format=_MUXERS[target_type]) as output,
    ):
        return _transcode(input_, output, target_type, target, limits)


class _NoAudio(Exception):
    """A video, or nothing that can be heard."""


def _transcode(
    input_: InputContainer,
    output: OutputContainer,
    target_type: str,
    target: IO[bytes],
    limits: Sequence[int],
) -> float | None:
    """Return the second at which it stopped because of the limits, or ``None``."""
    max_s, max_bytes = limits
    # The cover in a FLAC counts as a video stream too, of one frame.
    has_video = any(
        stream.codec_context and stream.codec_context.name == "theora" for stream in input_.streams.video
    )
    if has_video or not input_.streams.audio:
        raise _NoAudio
    audio = input_.streams.audio[0]
    stream, resampler = _add_encoder(output, target_type, audio)
    for frame in input_.decode(audio):
        at_s = frame.time or 0.0
        if at_s > max_s or target.tell() > max_bytes:
            return at_s
        for resampled in resampler.resample(frame):
            output.mux(stream.encode(resampled))
    for resampled in resampler.resample(None):
        output.mux(stream.encode(resampled))
    output.mux(stream.encode(None))
    return None


def _add_encoder(
    output: OutputContainer, target_type: str, audio: AudioStream
) -> tuple[AudioStream, AudioResampler]:
    from av.audio.resampler import AudioResampler

    channels = min(2, audio.channels)
    layout = "mono" if channels == 1 else "stereo"
    rate = audio.rate or MAX_RATE_HZ
    if target_type == "m4a":
        rate = min(rate, MAX_RATE_HZ)
        stream = output.add_stream("aac", rate=rate, layout=layout)
        stream.bit_rate = BITS_PER_CHANNEL * channels
        return stream, AudioResampler("fltp", layout, rate)
    # Decoders give 32-bit samples for everything over 16 bits.
    codec, samples = ("pcm_s24le", "s32") if audio.format.bits > 16 else ("pcm_s16le", "s16")
    lossless = cast("AudioStream", output.add_stream(codec, rate=rate, layout=layout))
    return lossless, AudioResampler(samples, layout, rate)
