"""Facts of a finished video that Telegram wants to be told, and what kind of media bytes are.

Telegram shows a video of more than about 10 MB as a black square of length 0:00 unless it is told width,
height, duration and thumbnail. The facts are read here with PyAV, off the event loop and within bounds; the
pictures are chosen in ``cover.py``. PyAV is imported by what runs in a decoder's process (``decoding.py``) alone: the
bot's own starts sooner without, and is 20 MB smaller.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bot.media.decoder_process import Bounds, NotDecoded, run

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Kind = Literal[
    "mp4",
    "mov",
    "webm",
    "mkv",
    "avi",
    "jpg",
    "png",
    "gif",
    "webp",
    "mp3",
    "wav",
    "m4a",
    "aac",
    "ogg",
    "flac",
    "aiff",
]
"""Media by content; named like the usual file extension."""

SNIFF_BYTES = 64
"""How many first bytes :func:`sniff` looks at."""

MAX_WORK_S = 10.0
"""How long one look into a file takes at most, where the decoder minds it."""

BOUNDS = Bounds(wall_s=3 * MAX_WORK_S, cpu_s=30)
"""Of the process that looks, whether or not it minds anything."""

_DECODER_THREADS = 2

_MAX_PIXELS = 8192 * 4320

MAX_STILL_PIXELS = 300_000_000
"""Of a picture that is passed on; phones take up to 200 million."""

# What every client of Telegram plays: https://core.telegram.org/bots/api#sendvideo says MPEG4 and no more; other codecs
# of picture or sound, 10 bits or full colour play on some devices alone, and show a black square on the others.
_PLAYED_PIXELS = ("yuv420p", "yuvj420p")
_PLAYED_SOUND = (None, "aac", "mp3", "mp3float")

_DEMUXERS: dict[Kind, str] = {
    "mp4": "mp4", "mov": "mov", "webm": "webm", "mkv": "matroska", "avi": "avi"
}  # fmt: skip


class NotAVideo(Exception):
    """The file is no video that can be read: of another kind, broken, or beyond the bounds."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What ``sendVideo`` is told.

    Args:
        width: Of the picture as it is shown, rotation and pixel shape minded.
        height: Likewise.
        duration_s: Length in seconds, 0 when the file does not tell.
        has_audio: Whether there is a sound track. Telegram turns a video without one into an animation.
        codec: FFmpeg's name of the picture's codec, ``h264`` for most.
        faststart: Whether playing can begin before all is loaded (the moov atom stands before the media).
        is_played: Whether Telegram plays it everywhere: an MP4 of H.264 with AAC, MP3 or no sound.
    """

    width: int
    height: int
    duration_s: float
    has_audio: bool
    codec: str
    faststart: bool
    is_played: bool


async def describe(path: Path) -> VideoFacts:
    """Read a video's facts.

    Raises:
        NotAVideo: Nothing that can be played is in the file, or a decoder did not survive it.
    """
    try:
        return VideoFacts(**await run(_describe, str(path), bounds=BOUNDS))
    except NotDecoded as error:
        raise NotAVideo(str(error)) from error


def sniff(first_bytes: bytes) -> Kind | None:
    """Tell the kind of media by its first bytes, whatever its name or declared type says.

    Args:
        first_bytes: At least 64 bytes, or the whole of a smaller file.

    Returns:
        None for everything that is not one of :data:`Kind`.
    """
    head = first_bytes[:SNIFF_BYTES]
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    match head[:4], head[4:8], head[8:12]:
        case b"RIFF", _, b"WEBP":
            return "webp"
        case b"RIFF", _, b"WAVE":
            return "wav"
        case b"RIFF", _, b"AVI ":
            return "avi"
        case b"FORM", _, b"AIFF" | b"AIFC":
            return "aiff"
        case b"\x1aE\xdf\xa3", _, _:
            return "webm" if b"webm" in head else "mkv" if b"matroska" in head else None
        case _, b"ftyp", brand:
            return _kind_of_brand(brand)
        case _, b"moov" | b"mdat" | b"wide" | b"pnot", _:
            return "mov"  # QuickTime from before there was a file type box
    return _kind_of_audio_frame(head)


def is_bomb(first_bytes: bytes) -> bool:
    """Whether a picture declares more than any camera takes: a few kB of PNG may hold a picture of 4 GB.

    Args:
        first_bytes: As for :func:`sniff`. The kinds that pack so well declare their size in them. JPEG declares it
            later, and does not pack so well.
    """
    head = first_bytes[:SNIFF_BYTES]
    match sniff(head), head[12:16]:
        case "png", b"IHDR":
            width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
        case "gif", _:
            width, height = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
        case "webp", b"VP8X":
            width, height = (
                int.from_bytes(head[24:27], "little") + 1,
                int.from_bytes(head[27:30], "little") + 1,
            )
        case _:
            return False  # Other WebP has 14 bits a side.
    return width * height > MAX_STILL_PIXELS


_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"ID3", "mp3"),
)
_MP4_BRANDS = (
    b"iso", b"mp4", b"mp7", b"mmp4", b"avc", b"M4V", b"dash", b"cmf", b"MSNV", b"f4v", b"F4V", b"3g"
)  # fmt: skip


def _kind_of_brand(brand: bytes) -> Kind | None:
    # The list of registered brands: https://mp4ra.org/registered-types/brands
    if brand == b"qt  ":
        return "mov"
    if brand in (b"M4A ", b"M4B ", b"M4P "):
        return "m4a"
    return "mp4" if brand.startswith(_MP4_BRANDS) else None


def _kind_of_audio_frame(head: bytes) -> Kind | None:
    # MPEG audio frames begin with 11 or 12 set bits, then version and layer; ADTS has layer 0, MP3 layer III.
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "aac"
    is_layer_3 = head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08
    has_bitrate = head[2] & 0xF0 not in (0x00, 0xF0) and head[2] & 0x0C != 0x0C
    return "mp3" if is_layer_3 and has_bitrate else None


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A video's container and its picture. It blocks: see ``decoding.py``.

    Raises:
        NotAVideo: Nothing that can be played is in the file.
    """
    import av

    try:
        with path.open("rb") as file:
            kind = sniff(file.read(SNIFF_BYTES))
            demuxer = _DEMUXERS.get(kind) if kind else None
            if demuxer is None:
                raise NotAVideo(f"not a video: {kind or 'of no known kind'}")
            file.seek(0)
            # The demuxer is named and the file is given open: a playlist in a video's clothes can make FFmpeg
            # read neither other files nor addresses.
            with av.open(file, "r", format=demuxer) as container:
                if not container.streams.video:
                    raise NotAVideo("no picture in it")
                stream = container.streams.video[0]
                # None where FFmpeg knows no decoder, whatever PyAV's stubs say.
                if stream.codec_context is None:
                    raise NotAVideo("in a codec that can't be decoded")
                if not 0 < stream.width * stream.height <= _MAX_PIXELS:
                    raise NotAVideo(f"a picture of {stream.width}×{stream.height}")
                # What the frames say of their size may differ from what the container says.
                stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
                # Each thread holds frames, and memory is bounded.
                stream.codec_context.thread_count = _DECODER_THREADS
                yield container, stream
    except (av.FFmpegError, OSError, ValueError, ArithmeticError, MemoryError) as error:
        raise NotAVideo(str(error)) from error


def _describe(name: str) -> dict[str, Any]:
    path = Path(name)
    with opened(path) as (container, stream):
        frame = next(frames_of(container, stream), None)
        if frame is None:
            raise NotAVideo("not one frame could be decoded")
        width, height = display_size(frame, stream)
        facts = VideoFacts(
            width=width,
            height=height,
            duration_s=_duration_s(container, stream),
            has_audio=bool(container.streams.audio),
            codec=stream.codec_context.name,
            faststart=_is_faststart(path),
            is_played=_is_played(path, container, stream),
        )
        return asdict(facts)


def _is_played(path: Path, container: InputContainer, stream: VideoStream) -> bool:
    with path.open("rb") as file:
        kind = sniff(file.read(SNIFF_BYTES))
    sounds = container.streams.audio
    # None where FFmpeg knows no decoder, whatever PyAV's stubs say.
    sound = getattr(sounds[0].codec_context, "name", "unknown") if sounds else None
    context = stream.codec_context
    return (
        kind == "mp4"
        and context.name == "h264"
        and context.pix_fmt in _PLAYED_PIXELS
        and sound in _PLAYED_SOUND
    )


def frames_of(
    container: InputContainer, stream: VideoStream, work_s: float = MAX_WORK_S
) -> Iterator[VideoFrame]:
    """Frames from where the file is read, for ``work_s`` of work; what can't be decoded is passed over."""
    import av

    deadline_s = time.monotonic() + work_s
    for packet in container.demux(stream):
        if time.monotonic() > deadline_s:
            return
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        yield from frames


def display_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height as a player shows them, rotation and pixel shape minded."""
    shape = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    stretch = float(shape) if shape and 0.1 < shape < 10 else 1.0
    width, height = max(1, round(frame.width * stretch)), frame.height
    return (height, width) if frame.rotation % 180 else (width, height)


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    import av

    if container.duration and container.duration > 0:
        return float(container.duration / av.time_base)
    if stream.duration and stream.time_base and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    return 0.0


def _is_faststart(path: Path) -> bool:
    """Walk the file's top boxes; anything but MP4 and QuickTime streams as it is."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if sniff(file.read(SNIFF_BYTES)) not in ("mp4", "mov"):
            return True
        place = 0
        for _ in range(64):
            if place + 8 > size:
                return False
            file.seek(place)
            header = file.read(16)
            length, name = int.from_bytes(header[:4], "big"), header[4:8]
            if name in (b"moov", b"mdat"):
                return name == b"moov"
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            if length < 8:
                return False
            place += length
    return False
