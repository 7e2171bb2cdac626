"""Messages with a file that is held in memory or by Telegram, of each kind that Telegram has."""

from typing import Any

from telegram import Message
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot.jobs.model import Attachment
from bot.jobs.ports import FileGone
from bot.media.file_type import is_decompression_bomb, sniff
from bot.media.kinds import fitting_name, is_usable, kind_of
from bot.telegram.reading.attachments import safe_name
from bot.telegram.sending.api_calls import OutcomeUnknown, TelegramCalls
from bot.telegram.sending.bot import TelegramBot
from bot.telegram.sending.rate_limiter import SendPriority

_PHOTO_KINDS = frozenset({"jpg", "png", "webp"})
"""What Telegram shows as a photo; an animated picture stays a file."""


def name_and_kind(name: str, content_type: str, content: bytes, kind_sent: str) -> tuple[str, str]:
    """Return the name that a file is sent under, and as what; see ``ports.Responder.send_file``."""
    found = sniff(content)
    kind = kind_of(found, name, content_type, "document")
    name = safe_name(name or "file", kind or "bin")
    if found is not None and kind is not None and is_usable(kind):
        name = fitting_name(name, kind)  # The agent's name and type may be wrong.
    if not kind_sent and found in _PHOTO_KINDS and not is_decompression_bomb(content):
        kind_sent = "photo"
    return name, kind_sent


async def send_as(
    bot: TelegramBot, kind: str, chat_id: int, content: bytes | str, caption: str, **fields: Any
) -> Message:
    """Send a file as a photo, a video, an animation, audio, a video message or, without such a kind, a document.

    Telegram's id of a file does as well as its bytes; PTB would take any other text for a path.
    """
    if kind == "video_note":
        return await bot.send_video_note(chat_id, content, **fields)
    fields["caption"] = caption
    match kind:
        case "photo":
            return await bot.send_photo(chat_id, content, **fields)
        case "video":
            return await bot.send_video(chat_id, content, **fields)
        case "animation":
            return await bot.send_animation(chat_id, content, **fields)
        case "audio":
            return await bot.send_audio(chat_id, content, **fields)
    return await bot.send_document(chat_id, content, disable_content_type_detection=True, **fields)


async def edit_to_same(
    bot: TelegramBot, kind: str, chat_id: int, message_id: int, caption: str, **fields: Any
) -> Message | bool:
    """Edit a message to what it should say already, which tells whether it was sent."""
    if kind == "video_note":  # It has no caption.
        return await bot.edit_message_reply_markup(chat_id, message_id, rate_limit_args=SendPriority.FREE)
    return await bot.edit_message_caption(
        chat_id, message_id, caption=caption, rate_limit_args=SendPriority.FREE, **fields
    )


async def post_to_channel(
    bot: TelegramBot, telegram_calls: TelegramCalls, channel_id: int, file: Attachment, caption: str
) -> str | None:
    """See ``post`` of ``ports.Responder``."""
    acquired = await telegram_calls.acquire(channel_id, SendPriority.ANSWER)

    async def send(chat_id: int) -> Message:
        form: dict[str, Any] = {"parse_mode": ParseMode.HTML, "rate_limit_args": acquired}
        return await send_as(bot, file.kind, chat_id, file.file_id, caption, **form)

    try:
        message = await telegram_calls.call(channel_id, send, repeatable=False)
    except OutcomeUnknown:
        return None
    except BadRequest as error:
        raise FileGone(error.message) from error
    return message.link or ""
