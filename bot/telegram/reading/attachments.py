"""Files in messages: which there are, and under which names they are passed on."""

import mimetypes
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePath
from typing import Any

from telegram import ExternalReplyInfo, Message, VideoQuality

from bot.jobs.model import Attachment, Variant
from bot.media.kinds import (
    CONTENT_TYPES,
    CONVERTED,
    claimed_kind,
    is_usable,
    kind_of_name,
)
from bot.runtime.tokens import has_token

# Telegram's servers count in units of 1024 x 1024 bytes; PTB's own constants are 5 % below.
LOCAL_SIZE_LIMIT = 2000 * 1024 * 1024
CLOUD_SIZE_LIMIT = 20 * 1024 * 1024
"""Bytes of the largest file that a bot may fetch, from a Bot API server of its own and from Telegram's."""

LOCAL_SEND_LIMIT = 2000 * 1024 * 1024
CLOUD_SEND_LIMIT = 50 * 1024 * 1024
"""Bytes of the largest file that a bot may send through either."""

ENDING_LENGTH = 16
NAME_LENGTH = 80

# A live photo comes as a photo too, for bots that don't know it, and an animation as a document, for older clients.
_KINDS = (
    "live_photo", "photo", "sticker", "video", "animation", "video_note", "audio", "voice", "document",
)  # fmt: skip

_DEFAULT_ENDINGS = {
    "live_photo": "mp4", "video": "mp4", "video_note": "mp4", "animation": "mp4", "photo": "jpg", "voice": "ogg",
}  # fmt: skip
_DEFAULT_TYPES = {"live_photo": "video/mp4", "photo": "image/jpeg"}

_UNSAFE = re.compile(r"[^\w.\- ()\[\]]+")


def attachment_of(message: Message) -> Attachment | None:
    """Return the file of a message, or ``None``; of a photo the largest size.

    A file without a name is named after its kind and the message's number, because people may read the name.
    """
    file = _file_of(message, message.message_id)
    return None if file is None else replace(file, message_id=message.message_id)


def attachment_elsewhere(message: Message) -> Attachment | None:
    """Return the file of a message in another chat that this one answers, or ``None``."""
    answered = message.external_reply
    return None if answered is None else _file_of(answered, message.message_id)


def still_of(message: Message) -> Attachment | None:
    """Return the photo beside the moving part of a live photo; ``None`` for any other message."""
    if message.live_photo is None:
        return None
    sizes = message.photo or message.live_photo.photo
    return _attachment("photo", sizes[-1], message.message_id) if sizes else None


def _file_of(message: Message | ExternalReplyInfo, message_id: int) -> Attachment | None:
    for kind in _KINDS:
        if media := getattr(message, kind):
            return _attachment(kind, media[-1] if kind == "photo" else media, message_id)
    return None


def _attachment(kind: str, media: Any, message_id: int) -> Attachment:
    """Return the file of a message in the attribute of this name."""
    # As the sender's program writes it, perhaps with parameters.
    written = getattr(media, "mime_type", None) or _DEFAULT_TYPES.get(kind, "")
    declared = written.partition(";")[0].strip().lower()
    ending = _DEFAULT_ENDINGS.get(kind) or (mimetypes.guess_extension(declared) or ".bin").lstrip(".")
    if kind == "live_photo" and declared == CONTENT_TYPES["mov"]:
        ending = "mov"
    elif kind == "sticker":
        ending = "tgs" if media.is_animated else "webm" if media.is_video else "webp"
        declared = CONTENT_TYPES.get(ending, "")
    given = getattr(media, "file_name", None) or f"{kind}_{message_id}.{ending}"
    side = getattr(media, "length", None)  # of a video note, which is square
    qualities: Sequence[VideoQuality] = getattr(media, "qualities", None) or ()
    return Attachment(
        media.file_id,
        "video" if kind == "live_photo" else kind,
        safe_name(given, ending),
        media.file_size,
        declared,
        duration_s=_seconds(getattr(media, "duration", None)),
        width=getattr(media, "width", None) or side,
        height=getattr(media, "height", None) or side,
        variants=tuple(
            Variant(one.file_id, one.file_size, one.codec, one.width, one.height) for one in qualities
        ),
        unique_id=media.file_unique_id,
    )


def _seconds(duration: int | timedelta | None) -> float | None:
    # PTB gives whole seconds or a timedelta, depending on PTB_TIMEDELTA; clients that don't know say 0.
    value = duration.total_seconds() if isinstance(duration, timedelta) else duration
    return float(value) if value else None


def safe_name(given: str, ending: str) -> str:
    """Return a file name that is safe in a path, a header and a shell, and tells no token."""
    plain = unicodedata.normalize("NFC", PurePath(given.replace("\\", "/")).name)
    path = PurePath(_UNSAFE.sub("_", plain))
    suffix = path.suffix.lower()[:ENDING_LENGTH] if path.suffix.strip(" ._") else f".{ending}"
    # Nothing is left of a name that has only symbols.
    stem = "file" if has_token(given) else path.stem.strip(" ._") or "file"
    return f"{stem[: NAME_LENGTH - len(suffix)]}{suffix}"


def certainly_unusable(file: Attachment) -> str | None:
    """Return the kind of a file that can't be used if that is certain before it is opened, else ``None``."""
    kind = claimed_kind(file.name, file.content_type, file.kind)
    return None if kind is None or is_usable(kind) else kind


def upload_kind(file: Attachment) -> str | None:
    """Return the kind as which NemoVideo would get a file, by its name."""
    kind = kind_of_name(file.name)
    return CONVERTED.get(kind, kind) if kind is not None and is_usable(kind) else None
