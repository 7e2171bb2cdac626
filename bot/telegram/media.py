"""Files as messages bring them: which there are, what they may be called, and which NemoVideo takes."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from pathlib import PurePath

from telegram import Message

from bot.jobs.job import FileRef

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

SAME_KIND = {"jpeg": "jpg", "m4v": "mp4"}
"""Other endings of files that are taken."""

NAME_LENGTH = 80

_DEFAULT_ENDINGS = {"video": "mp4", "video_note": "mp4", "animation": "mp4", "photo": "jpg", "voice": "ogg"}

_UNSAFE = re.compile(r"[^\w.\- ()\[\]]+")


def file_of(message: Message) -> FileRef | None:
    """The file that a message brings, if any; of a photo the largest size."""
    if message.photo:
        photo = message.photo[-1]
        name = f"photo_{photo.file_unique_id}.jpg"
        return FileRef(photo.file_id, "photo", safe_name(name, "jpg"), photo.file_size, "image/jpeg")
    for kind in ("video", "animation", "video_note", "audio", "voice", "document"):
        media = getattr(message, kind)
        if media is None:
            continue
        declared = getattr(media, "mime_type", None) or ""
        ending = _DEFAULT_ENDINGS.get(kind) or (mimetypes.guess_extension(declared) or ".bin").lstrip(".")
        given = getattr(media, "file_name", None) or f"{kind}_{media.file_unique_id}.{ending}"
        return FileRef(media.file_id, kind, safe_name(given, ending), media.file_size, declared)
    if message.sticker:
        return FileRef(message.sticker.file_id, "sticker", "sticker", message.sticker.file_size, "")
    return None


def safe_name(given: str, ending: str) -> str:
    """A file name without anything that a path, a header or a shell could trip over.

    Args:
        given: As a stranger chose it.
        ending: Used when there is none.
    """
    plain = unicodedata.normalize("NFC", PurePath(given.replace("\\", "/")).name)
    cleaned = _UNSAFE.sub("_", plain).strip(" ._")
    path = PurePath(cleaned or "file")
    suffix = path.suffix.lower() or f".{ending}"
    return f"{path.stem[: NAME_LENGTH - len(suffix)]}{suffix}"


def kind_of_name(name: str) -> str | None:
    """The kind that a file's name claims, if it is one that NemoVideo takes."""
    ending = PurePath(name).suffix.lower().lstrip(".")
    ending = SAME_KIND.get(ending, ending)
    return ending if ending in CONTENT_TYPES else None


def fitting_name(name: str, kind: str) -> str:
    """The name with an ending that tells what the file really is: NemoVideo goes by it."""
    return name if kind_of_name(name) == kind else f"{PurePath(name).stem or 'file'}.{kind}"


def is_promising(file: FileRef) -> bool:
    """Whether a file may be of a kind that is taken; its content decides when it is opened."""
    if file.kind in ("sticker", "voice"):
        return False
    if kind_of_name(file.name) is not None:
        return True
    # A document with a foreign ending or none may still be declared as media: look inside.
    return file.content_type in CONTENT_TYPES.values()
