"""Sound of kinds that NemoVideo does not take, made into those it takes: voices and Ogg into M4A, lossless into WAV.

Decoded and encoded a frame at a time between two files, in a thread: memory stays the same however long it is.
"""

from __future__ import annotations

import asyncio
import threading
from typing import IO, cast

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from bot.jobs.ports import FileNotTaken, SoundTooLong

MAX_SOUND_S = 4 * 3600
"""Longer ones are refused: silence packs so well that a small file may hold days."""

MAX_CONVERTED_BYTES = 500_000_000
"""Bytes of the largest file that is made; NemoVideo takes no larger ones."""

BITS_PER_CHANNEL = 96_000
"""Of M4A, each second: more than voices and most Ogg music have, so that little is lost a second time."""

MAX_RATE_HZ = 48_000

_MUXERS = {"m4a": "ipod", "wav": "wav"}


class _Stopped(Exception):
    """Nobody waits for the result any more."""


async def convert(source: IO[bytes], kind: str, target: IO[bytes], wanted: str, name: str) -> int:
    """Convert a file in a thread; cancelling it ends the thread too.

    Args:
        source: Open at its start.
        kind: What it is: ogg, flac or aiff.
        target: Empty; afterwards open at its start.
        wanted: What it becomes: m4a or wav.
        name: For errors.

    Returns:
        Bytes of the result.

    Raises:
        FileNotTaken: There is no sound in it that can be decoded, or it is a video.
        SoundTooLong: See ``MAX_SOUND_S`` and ``MAX_CONVERTED_BYTES``.
    """
    stop = threading.Event()
    work = asyncio.ensure_future(asyncio.to_thread(_convert, source, kind, target, wanted, name, stop))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        # The files are closed next, which the thread must not meet.
        await asyncio.gather(work, return_exceptions=True)
        raise


def _convert(
    source: IO[bytes], kind: str, target: IO[bytes], wanted: str, name: str, stop: threading.Event
) -> int:
    try:
        # The demuxer is named: nothing but this kind of file is read, whatever is in it.
        with av.open(source, "r", format=kind) as given, av.open(target, "w", format=_MUXERS[wanted]) as made:
            _transcode(given, made, wanted, target, stop)
    except (_NoSound, av.FFmpegError, ValueError, ArithmeticError, MemoryError) as error:
        raise FileNotTaken(name) from error
    size = target.seek(0, 2)
    target.seek(0)
    return size


class _NoSound(Exception):
    """A video, or nothing that can be heard."""


def _transcode(
    given: InputContainer, made: OutputContainer, wanted: str, target: IO[bytes], stop: threading.Event
) -> None:
    # A cover in a FLAC counts as a video stream too, of one picture.
    moving = [one for one in given.streams.video if one.codec_context and one.codec_context.name == "theora"]
    if moving or not given.streams.audio:
        raise _NoSound
    sound = given.streams.audio[0]
    stream, resampler = _encoder(made, wanted, sound)
    for frame in given.decode(sound):
        if stop.is_set():
            raise _Stopped
        at_s = frame.time or 0.0
        if at_s > MAX_SOUND_S or target.tell() > MAX_CONVERTED_BYTES:
            raise SoundTooLong(at_s)
        for piece in resampler.resample(frame):
            made.mux(stream.encode(piece))
    for piece in resampler.resample(None):
        made.mux(stream.encode(piece))
    made.mux(stream.encode(None))


def _encoder(made: OutputContainer, wanted: str, sound: AudioStream) -> tuple[AudioStream, AudioResampler]:
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
    lossless = cast(AudioStream, made.add_stream(codec, rate=rate, layout=layout))
    return lossless, AudioResampler(samples, layout, rate)
