"""Generate the files that people send in a conversation, and read facts from those the bot delivers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageStat

from bot.sandbox import samples
from bot.sandbox.conversation import File

MEBIBYTE = 1024 * 1024

_NAMES = {"photo": "photo.jpg", "audio": "music.mp3", "voice": "voice.ogg", "sticker": "sticker.webp"}

_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp"})
_SOUNDS = frozenset({".mp3", ".m4a", ".aac", ".wav", ".ogg", ".flac"})


def make(file: File, directory: Path) -> tuple[Path, dict[str, Any]]:
    """Generate a file as the conversation describes it.

    Args:
        file: Its description.
        directory: Directory for it, which is created.

    Returns:
        The file, and what the sender's client declares about it.
    """
    path = directory / (file.holds or file.name or _NAMES.get(file.kind, "clip.mp4"))
    path.parent.mkdir(parents=True)
    if file.text is not None:
        path.write_text(file.text, encoding="utf-8")
        return path, {}
    suffix = path.suffix.lower()
    if suffix in _PICTURES:
        return samples.make_photo(path, file.width, file.height), {}
    if suffix in _SOUNDS:
        return samples.make_audio(path, file.seconds), {"duration": round(file.seconds)}
    size_bytes = None if file.size_mb is None else round(file.size_mb * MEBIBYTE)
    made = samples.make_video(
        path, file.seconds, file.width, file.height, rotation=file.rotation, size_bytes=size_bytes
    )
    return made, {"duration": round(file.seconds), "width": file.width, "height": file.height}


def make_still(file: File, directory: Path) -> Path | None:
    """Generate the photo of a live photo; ``None`` for any other file."""
    if file.kind != "live_photo":
        return None
    return samples.make_photo(directory / "still.jpg", file.width, file.height)


def make_qualities(file: File, directory: Path) -> list[tuple[Path, str]]:
    """Generate the smaller versions of a video, with their codecs."""
    return [
        (
            samples.make_video(
                directory / f"{one.height}.mp4",
                file.seconds,
                one.width,
                one.height,
                size_bytes=round(one.size_mb * MEBIBYTE),
            ),
            one.codec,
        )
        for one in file.qualities
    ]


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a video's content is.

    Attributes:
        seconds: Its length.
        width: Width of its picture in pixels.
        height: Height of its picture in pixels.
        sound: Whether it has a sound track.
    """

    seconds: float
    width: int
    height: int
    sound: bool


def facts_of(path: Path) -> VideoFacts:
    """Return the facts of a video by decoding it."""
    with av.open(str(path)) as container:
        frame = next(container.decode(container.streams.video[0]))
        return VideoFacts(
            seconds=float(container.duration or 0) / av.time_base,
            width=frame.width,
            height=frame.height,
            sound=bool(container.streams.audio),
        )


def is_lit(path: Path) -> bool:
    """Return whether a picture is neither black nor white."""
    with Image.open(path) as picture:
        return 20 < ImageStat.Stat(picture.convert("L")).mean[0] < 235
