"""Sound of kinds that NemoVideo does not take, made into those it takes: voices and Ogg into M4A, lossless into WAV.

Decoded and encoded a frame at a time between two files, in a process of its own (``decoding.py``): memory stays the
same however long it is. As in ``video.py``, PyAV is imported there.
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

MAX_SOUND_S = 4 * 3600
"""Longer ones are refused: silence packs so well that a small file may hold days."""

MAX_CONVERTED_BYTES = 500_000_000
"""Bytes of the largest file that is made; NemoVideo takes no larger ones."""

BITS_PER_CHANNEL = 96_000
"""Of M4A, each second: more than voices and most Ogg music have, so that little is lost a second time."""

MAX_RATE_HZ = 48_000

_MUXERS = {"m4a": "ipod", "wav": "wav"}


BOUNDS = Bounds(wall_s=1800, cpu_s=900, written_bytes=2 * MAX_CONVERTED_BYTES)
"""The longest sound that is taken needs a few minutes of a slow processor."""


async def convert(source: IO[bytes], kind: str, target: IO[bytes], wanted: str, name: str) -> int:
    """Convert a file in another process; cancelling it ends that too.

    Args:
        source: A file of the disk, open at its start.
        kind: What it is: ogg, flac or aiff.
        target: Likewise, empty; afterwards open at its start.
        wanted: What it becomes: m4a or wav.
        name: For errors.

    Returns:
        Bytes of the result.

    Raises:
        FileNotTaken: There is no sound in it that can be decoded, it is a video, or a decoder did not survive it.
        SoundTooLong: See ``MAX_SOUND_S`` and ``MAX_CONVERTED_BYTES``.
    """
    limits = (MAX_SOUND_S, MAX_CONVERTED_BYTES)
    try:
        made = await run(_convert, kind, wanted, limits, bounds=BOUNDS, files=[source, target])
    except NotDecoded as error:
        raise FileTypeUnsupported(name) from error
    if made["too_long_s"] is not None:
        raise AudioTooLong(made["too_long_s"])
    size = target.seek(0, 2)
    target.seek(0)
    return size


def _convert(
    source_number: int, target_number: int, kind: str, wanted: str, limits: Sequence[int]
) -> dict[str, float | None]:
    import av

    with (
        os.fdopen(source_number, "rb") as source,
        os.fdopen(target_number, "w+b") as target,
        # The demuxer is named: nothing but this kind of file is read, whatever is in it.
        av.open(source, "r", format=kind) as given,
        av.open(target, "w", format=_MUXERS[wanted]) as made,
    ):
        return {"too_long_s": _transcode(given, made, wanted, target, limits)}


class _NoSound(Exception):
    """A video, or nothing that can be heard."""


def _transcode(
    given: InputContainer, made: OutputContainer, wanted: str, target: IO[bytes], limits: Sequence[int]
) -> float | None:
    """Returns how far it came when it is too long or too large."""
    max_s, max_bytes = limits
    # A cover in a FLAC counts as a video stream too, of one picture.
    moving = [one for one in given.streams.video if one.codec_context and one.codec_context.name == "theora"]
    if moving or not given.streams.audio:
        raise _NoSound
    sound = given.streams.audio[0]
    stream, resampler = _encoder(made, wanted, sound)
    for frame in given.decode(sound):
        at_s = frame.time or 0.0
        if at_s > max_s or target.tell() > max_bytes:
            return at_s
        for piece in resampler.resample(frame):
            made.mux(stream.encode(piece))
    for piece in resampler.resample(None):
        made.mux(stream.encode(piece))
    made.mux(stream.encode(None))
    return None


def _encoder(made: OutputContainer, wanted: str, sound: AudioStream) -> tuple[AudioStream, AudioResampler]:
    from av.audio.resampler import AudioResampler

    channels = min(2, sound.channels)
    layout = "mono" if channels == 1 else "stereo"
    if wanted == "m4a":
        rate = min(sound.rate or MAX_RATE_HZ, MAX_RATE_HZ)
        stream = made.add_stream("aac", rate=rate, layout=layout)
        stream.bit_rate = BITS_PER_CHANNEL * channels
        return stream, AudioResampler("fltp", layout, rate)
    # Decoders give 32-bit samples for everything over 16.
    is_deep = sound.format.bits > 16
    codec, samples = ("pcm_s24le", "s32") if is_deep else ("pcm_s16le", "s16")
    rate = sound.rate or MAX_RATE_HZ
    lossless = cast("AudioStream", made.add_stream(codec, rate=rate, layout=layout))
    return lossless, AudioResampler(samples, layout, rate)
