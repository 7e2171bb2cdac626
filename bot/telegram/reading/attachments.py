"""Files in messages: which there are, and under which names they are passed on."""

import mimetypes
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePath

from telegram import ExternalReplyInfo, Message, PhotoSize, Sticker, VideoQuality

from bot.jobs.model import Attachment, Variant
from bot.media.kinds import (
    CONTENT_TYPES,
    CONVERTED,
    claimed_kind,
    is_usable,
    kind_of,
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

_DEFAULT_ENDINGS = {"video": "mp4", "video_note": "mp4", "animation": "mp4", "photo": "jpg", "voice": "ogg"}

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
    return _photo(sizes[-1], message.message_id) if sizes else None


def _file_of(message: Message | ExternalReplyInfo, message_id: int) -> Attachment | None:
    if (live := message.live_photo) is not None:
        # A photo comes beside it, for bots that don't know it.
        declared = live.mime_type or "video/mp4"
        ending = "mov" if declared == CONTENT_TYPES["mov"] else "mp4"
        return Attachment(
            live.file_id,
            "video",
            f"live_photo_{message_id}.{ending}",
            live.file_size,
            declared,
            duration_s=_seconds(live.duration),
            width=live.width,
            height=live.height,
            unique_id=live.file_unique_id,
        )
    if message.photo:
        return _photo(message.photo[-1], message_id)
    if message.sticker:
        return _sticker(message.sticker, message_id)
    # An animation comes as a document too, for older clients.
    for kind in ("video", "animation", "video_note", "audio", "voice", "document"):
        media = getattr(message, kind)
        if media is None:
            continue
        declared = getattr(media, "mime_type", None) or ""
        ending = _DEFAULT_ENDINGS.get(kind) or (mimetypes.guess_extension(declared) or ".bin").lstrip(".")
        given = getattr(media, "file_name", None) or f"{kind}_{message_id}.{ending}"
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
            variants=_variants(getattr(media, "qualities", None) or ()),
            unique_id=media.file_unique_id,
        )
    return None


def _photo(photo: PhotoSize, message_id: int) -> Attachment:
    name = f"photo_{message_id}.jpg"
    return Attachment(
        photo.file_id,
        "photo",
        name,
        photo.file_size,
        "image/jpeg",
        width=photo.width,
        height=photo.height,
        unique_id=photo.file_unique_id,
    )


def _variants(qualities: Sequence[VideoQuality]) -> tuple[Variant, ...]:
    return tuple(Variant(one.file_id, one.file_size, one.codec, one.width, one.height) for one in qualities)


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
        unique_id=sticker.file_unique_id,
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


def is_vector_sticker(file: Attachment) -> bool:
    """Return whether a file is an animated sticker that holds no images but how to draw them."""
    return file.name.lower().endswith(".tgs")


def kind_by_content(file: Attachment, found: str | None) -> str | None:
    """Return the kind of a file, given what its content tells (``media/file_type.py``)."""
    return kind_of(found, file.name, file.content_type, file.kind)


def certainly_unusable(file: Attachment) -> str | None:
    """Return the kind of a file that can't be used if that is certain before it is opened, else ``None``."""
    kind = claimed_kind(file.name, file.content_type, file.kind)
    return None if kind is None or is_usable(kind) else kind


def upload_kind(file: Attachment) -> str | None:
    """Return the kind as which NemoVideo would get a file, by its name."""
    kind = kind_of_name(file.name)
    return CONVERTED.get(kind, kind) if kind is not None and is_usable(kind) else None
