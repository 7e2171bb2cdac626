"""How a clip looks on a timeline: frames of a video, the picture itself, or the loudness of audio.

As in `cover`, PyAV and Pillow are imported in the decoder process only. Pixels come back bare, for nobody to decode.
"""

from __future__ import annotations

import base64
import os
import time
from array import array
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from bot.media.cover import picture_of
from bot.media.decoder_process import Bounds, run
from bot.media.file_type import SNIFF_BYTES, sniff
from bot.media.video_facts import decode_frames, open_video

if TYPE_CHECKING:
    from PIL import Image

FRAME_PX: Final = 84  # the height of a frame
MAX_FRAMES: Final = 8
LEVELS: Final = 200  # loudness values of the whole audio

_BOUNDS = Bounds(wall_s=4, cpu_s=4)
_WORK_S = 2.0
_MAX_ASPECT = 4  # width of a frame by its height
_RATE_HZ = 4000  # enough for an outline
_PEAK_SAMPLES = 100
_MAX_PIXELS = 50_000_000
_PICTURES = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF"}
_AUDIO = ("mp3", "wav", "m4a", "aac", "ogg", "flac")
_DEMUXERS = {"m4a": "mp4"}


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame, ``FRAME_PX`` high."""

    width: int  # in pixels
    rgb: bytes  # three bytes a pixel


@dataclass(frozen=True, slots=True)
class ClipLook:
    """How a clip looks; one of frames and levels is empty."""

    frames: tuple[Frame, ...]  # at equal distances
    levels: tuple[float, ...]  # loudness from 0 to 1, at equal distances
    duration_s: float  # of the file; 0 for a picture


async def read_clip_look(file: IO[bytes]) -> ClipLook:
    """Read how a clip looks.

    Args:
        file: A file on disk.

    Raises:
        NotDecoded: It is neither video nor picture nor audio, or takes longer than a picture may wait for it.
    """
    frames, levels, duration_s = await run(_read, bounds=_BOUNDS, files=(file,))
    return ClipLook(
        tuple(Frame(int(width), base64.b64decode(rgb)) for width, rgb in frames),
        tuple(map(float, levels)),
        float(duration_s),
    )


_Read = tuple[list[tuple[int, str]], list[float], float]


def _read(fd: int) -> _Read:
    kind = sniff(os.pread(fd, SNIFF_BYTES, 0)) or "mp4"
    if kind in _PICTURES:
        return [_picture(fd, _PICTURES[kind])], [], 0.0
    if kind in _AUDIO:
        return _audio(fd, _DEMUXERS.get(kind, kind))
    return _video(fd)


def _picture(fd: int, kind: str) -> tuple[int, str]:
    from PIL import Image, ImageOps

    # The format is named: no other decoder sees the file.
    with os.fdopen(fd, "rb") as file, Image.open(file, formats=[kind]) as opened:
        if opened.width * opened.height > _MAX_PIXELS:
            raise ValueError(f"{opened.width}×{opened.height}")
        opened.draft("RGB", (_MAX_ASPECT * FRAME_PX, FRAME_PX))  # A JPEG is decoded smaller, which is faster.
        return _small(ImageOps.exif_transpose(opened).convert("RGB"))


def _video(fd: int) -> _Read:
    deadline_s = time.monotonic() + _WORK_S
    frames: list[tuple[int, str]] = []
    with open_video(fd) as (container, stream):
        duration = max(container.duration or 0, 0)
        for n in range(MAX_FRAMES if duration else 1):
            if n:
                container.seek(duration * n // MAX_FRAMES)
            left_s = deadline_s - time.monotonic()
            frame = next(decode_frames(container, stream, left_s), None) if left_s > 0 else None
            if frame is None:
                break  # The frames so far will do.
            frames.append(_small(picture_of(frame, stream, _MAX_ASPECT * FRAME_PX)))
    return frames, [], duration / 1_000_000


def _small(picture: Image.Image) -> tuple[int, str]:
    width = min(max(1, round(picture.width * FRAME_PX / picture.height)), _MAX_ASPECT * FRAME_PX)
    return width, base64.b64encode(picture.resize((width, FRAME_PX)).tobytes()).decode()


def _audio(fd: int, demuxer: str) -> _Read:
    import av
    from av.audio.resampler import AudioResampler

    peaks: list[int] = []
    duration_s = 0.0
    deadline_s = time.monotonic() + _WORK_S
    resampler = AudioResampler("s16", "mono", _RATE_HZ)
    with os.fdopen(fd, "rb") as file, av.open(file, "r", format=demuxer) as container:
        for frame in container.decode(container.streams.audio[0]):
            if time.monotonic() > deadline_s:
                raise ValueError("too long")
            for part in resampler.resample(frame):
                samples = array("h", bytes(part.planes[0])[: 2 * part.samples])
                peaks += (
                    max(map(abs, samples[at : at + _PEAK_SAMPLES]))
                    for at in range(0, len(samples), _PEAK_SAMPLES)
                )
                duration_s += part.samples / _RATE_HZ
    if not peaks:
        raise ValueError("no audio")
    count = min(LEVELS, len(peaks))
    loudest = max(peaks) or 1
    levels = [
        max(peaks[n * len(peaks) // count : (n + 1) * len(peaks) // count]) / loudest for n in range(count)
    ]
    return [], [round(level, 3) for level in levels], duration_s
