"""Files as messages bring them: which there are, what they may be called, and which NemoVideo takes."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePath

from telegram import Message, Sticker

from bot.jobs.model import Attachment

# Telegram's servers count in units of 1024 x 1024 bytes; PTB's own constants are 5 % below.
LOCAL_SIZE_LIMIT = 2000 * 1024 * 1024
CLOUD_SIZE_LIMIT = 20 * 1024 * 1024
"""Bytes that a bot may fetch, from an own Bot API server and from the cloud's."""

LOCAL_SEND_LIMIT = 2000 * 1024 * 1024
CLOUD_SEND_LIMIT = 50 * 1024 * 1024
"""Bytes that a bot may send, likewise."""

CONTENT_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "avi": "video/x-msvideo",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "jpg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
}
"""What NemoVideo takes (its document's list), with the types that are declared in uploads."""

SAME_KIND = {
    "jpeg": "jpg",
    "m4v": "mp4",
    "3gp": "mp4",
    "3g2": "mp4",
    "qt": "mov",
    "wave": "wav",
    "m4b": "m4a",
    "oga": "ogg",
    "opus": "ogg",
    "aif": "aiff",
}
"""Other endings of the same kinds of content."""

CONVERTED = {"ogg": "m4a", "flac": "wav", "aiff": "wav"}
"""Sound that NemoVideo does not take, and what it becomes on the way (``media/audio_conversion.py``)."""

ENDING_LENGTH = 16
NAME_LENGTH = 80

_DEFAULT_ENDINGS = {"video": "mp4", "video_note": "mp4", "animation": "mp4", "photo": "jpg", "voice": "ogg"}

_UNTOLD = ("", "application/octet-stream")
"""What clients declare of a file that they don't know."""

_UNSAFE = re.compile(r"[^\w.\- ()\[\]]+")


def attachment_of(message: Message) -> Attachment | None:
    """The file that a message brings, if any; of a photo the largest size.

    What has no name is called by its kind and the message's number, as people may read it.
    """
    file = _file_of(message)
    return None if file is None else replace(file, message_id=message.message_id)


def _file_of(message: Message) -> Attachment | None:
    if message.photo:
        photo = message.photo[-1]
        name = f"photo_{message.message_id}.jpg"
        return Attachment(
            photo.file_id,
            "photo",
            name,
            photo.file_size,
            "image/jpeg",
            width=photo.width,
            height=photo.height,
        )
    if message.sticker:
        return _sticker(message.sticker, message.message_id)
    # An animation comes as a document too, for clients from before there were any.
    for kind in ("video", "animation", "video_note", "audio", "voice", "document"):
        media = getattr(message, kind)
        if media is None:
            continue
        declared = getattr(media, "mime_type", None) or ""
        ending = _DEFAULT_ENDINGS.get(kind) or (mimetypes.guess_extension(declared) or ".bin").lstrip(".")
        given = getattr(media, "file_name", None) or f"{kind}_{message.message_id}.{ending}"
        side = getattr(media, "length", None)  # of a video note, which is square
        return Attachment(
            media.file_id,
            kind,
            safe_name(given, ending),
            media.file_size,
            declared,
            duration_s=_seconds(getattr(media, "duration", None)),
            width=getattr(media, "width", None) or side,
            height=getattr(media, "height", None) or side,
        )
    return None


def _sticker(sticker: Sticker, message_id: int) -> Attachment:
    ending = "tgs" if sticker.is_animated else "webm" if sticker.is_video else "webp"
    declared = CONTENT_TYPES.get(ending, "")
    name = f"sticker_{message_id}.{ending}"
    return Attachment(
        sticker.file_id,
        "sticker",
        name,
        sticker.file_size,
        declared,
        width=sticker.width,
        height=sticker.height,
    )


def _seconds(duration: int | timedelta | None) -> float | None:
    # PTB gives whole seconds or a timedelta, by a switch of its own; 0 is what clients say that don't know.
    value = duration.total_seconds() if isinstance(duration, timedelta) else duration
    return float(value) if value else None


def safe_name(given: str, ending: str) -> str:
    """A file name without anything that a path, a header or a shell could trip over.

    Args:
        given: As a stranger chose it.
        ending: Used when there is none.
    """
    plain = unicodedata.normalize("NFC", PurePath(given.replace("\\", "/")).name)
    path = PurePath(_UNSAFE.sub("_", plain))
    suffix = path.suffix.lower()[:ENDING_LENGTH] if path.suffix.strip(" ._") else f".{ending}"
    # Of a name in symbols alone nothing is left.
    stem = path.stem.strip(" ._") or "file"
    return f"{stem[: NAME_LENGTH - len(suffix)]}{suffix}"


def kind_of_name(name: str) -> str | None:
    """The kind that a file's name claims, if it is one that NemoVideo takes, as it is or converted."""
    ending = PurePath(name).suffix.lower().lstrip(".")
    ending = SAME_KIND.get(ending, ending)
    return ending if ending in CONTENT_TYPES or ending in CONVERTED else None


def kind_of_content(file: Attachment, sniffed: str | None) -> str | None:
    """The kind that a file is, by its first bytes and by how it was sent.

    Sound in an MP4 begins as a video does, whatever its ending; NemoVideo would look for a picture in it.
    """
    is_sound = file.kind in ("audio", "voice") or kind_of_name(file.name) == "m4a"
    return "m4a" if sniffed == "mp4" and is_sound else sniffed


def fitting_name(name: str, kind: str) -> str:
    """The name with an ending that tells what the file really is: NemoVideo goes by it."""
    path = PurePath(name)
    return name if path.suffix.lower() == f".{kind}" else f"{path.stem or 'file'}.{kind}"


def is_drawn(file: Attachment) -> bool:
    """Whether it is an animated sticker of the kind that holds no pictures but how to draw them."""
    return file.name.lower().endswith(".tgs")


def is_promising(file: Attachment) -> bool:
    """Whether a file may be of a kind that is taken; its content decides when it is opened."""
    if kind_of_name(file.name) is not None or file.content_type in CONTENT_TYPES.values():
        return True
    # Neither its ending nor whoever sent it says what it is: look inside.
    return file.content_type in _UNTOLD and mimetypes.guess_type(file.name)[0] in (None, *_UNTOLD)


def taken_as(file: Attachment) -> str | None:
    """The kind as which NemoVideo would get a file, as far as its name tells."""
    kind = kind_of_name(file.name)
    return None if kind is None else CONVERTED.get(kind, kind)
