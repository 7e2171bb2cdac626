"""Audio of a render: of clips, of uploaded files, and generated music by mood; mono, mixed in blocks of a second."""

from __future__ import annotations  # array takes its type in annotations only

import functools
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import av

RATE = 48_000
_LOUD = 32_767

# Root in Hz, chord steps in half tones, beats per second.
_MOODS: dict[str, tuple[float, tuple[tuple[int, ...], ...], float]] = {
    "Lo-fi": (196.0, ((0, 3, 7, 10), (5, 8, 12, 15)), 1.5),
    "Upbeat": (261.6, ((0, 4, 7), (5, 9, 12)), 4.0),
    "Calm": (220.0, ((0, 7, 12), (5, 9, 12)), 1.0),
    "Epic": (130.8, ((0, 7, 12, 15), (8, 12, 15)), 2.0),
    "Sad": (174.6, ((0, 3, 7), (8, 12, 15)), 1.0),
    "Jazz": (233.1, ((0, 4, 7, 11), (2, 5, 9, 12)), 3.0),
    "Electronic": (146.8, ((0, 7, 12), (3, 10, 15)), 4.0),
}
_LOOP_S = 2


class Source(Protocol):
    """A source of samples, read from its start."""

    def read(self, samples: int) -> array[int]:
        """Return the next samples, fewer at the end."""
        ...


class Music:
    """A loop of two chords.

    Args:
        mood: One of the moods of `prompts`; any other sounds like the first.
        piece: Which piece of the mood, from 0; each is a fourth higher than the one before.
    """

    def __init__(self, mood: str, piece: int = 0) -> None:
        self._loop = _loop(mood if mood in _MOODS else "Lo-fi", piece % 4)
        self._at = 0

    def read(self, samples: int) -> array[int]:
        """Return the next samples of the endless loop."""
        out = array("h")
        while len(out) < samples:
            piece = self._loop[self._at : self._at + samples - len(out)]
            out.extend(piece)
            self._at = (self._at + len(piece)) % len(self._loop)
        return out


@functools.cache
def _loop(mood: str, piece: int) -> array[int]:
    root, chords, beats = _MOODS[mood]
    root *= 2 ** (piece * 5 / 12)
    half = RATE * _LOOP_S // len(chords)
    loop = array("h")
    for chord in chords:
        # Whole periods per second, so that the loop closes without a click.
        steps = [2 * math.pi * round(root * 2 ** (tone / 12)) / RATE for tone in chord]
        loud = 12_000 / len(chord)
        fade = beats / RATE
        loop.extend(
            int(loud * (1 - 0.6 * (index * fade % 1)) * sum([math.sin(step * index) for step in steps]))
            for index in range(half)
        )
    return loop


class FileSound:
    """The audio of a file; silence if it has none.

    Args:
        path: The file.
        skip_s: Seconds to skip at its start.
        speed: Playback speed; above 1 is faster and, like a tape, higher.
    """

    def __init__(self, path: Path, skip_s: float, speed: float) -> None:
        self._samples = _decode(path, skip_s, speed)
        self._left = array("h")

    def read(self, samples: int) -> array[int]:
        """Return the next samples, decoded on demand."""
        while len(self._left) < samples:
            piece = next(self._samples, None)
            if piece is None:
                break
            self._left.extend(piece)
        out, self._left = self._left[:samples], self._left[samples:]
        return out


@dataclass(slots=True)
class Part:
    """A source's position in the mix.

    Attributes:
        source: The source.
        start: Index of its first sample in the mix.
        length: Maximum number of samples.
        volume: Its volume; 1 leaves it as it is.
    """

    source: Source
    start: int
    length: int
    volume: float


def mix(parts: list[Part], start: int, samples: int) -> array[int]:
    """Return some samples of the mix; calls have to be in order.

    Args:
        parts: All sources.
        start: Index of the first sample.
        samples: Number of samples.
    """
    heard: list[array[int]] = []
    for part in parts:
        first, last = max(part.start, start), min(part.start + part.length, start + samples)
        if first < last:
            read = part.source.read(last - first)
            loud = read if part.volume == 1 else array("h", [_clipped(value * part.volume) for value in read])
            heard.append(_silence(first - start) + loud + _silence(samples - (first - start) - len(loud)))
    if len(heard) < 2:
        return heard[0] if heard else _silence(samples)
    return array("h", [_clipped(sum(values)) for values in zip(*heard, strict=True)])


def _clipped(value: float) -> int:
    return int(max(-_LOUD, min(_LOUD, value)))


def _silence(samples: int) -> array[int]:
    return array("h", bytes(2 * samples))


def _decode(path: Path, skip_s: float, speed: float) -> Iterator[array[int]]:
    with av.open(path) as file:
        if not file.streams.audio:
            return
        stream = file.streams.audio[0]
        if skip_s > 1:
            file.seek(int(skip_s * av.time_base))
        resampler = av.AudioResampler("s16", "mono", max(8_000, round(RATE / speed)))
        for frame in file.decode(stream):
            if frame.time is not None and frame.time + frame.samples / frame.sample_rate <= skip_s:
                continue
            for piece in resampler.resample(frame):
                samples = array("h")
                samples.frombytes(bytes(piece.planes[0])[: piece.samples * 2])
                yield samples
