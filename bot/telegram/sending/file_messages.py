"""Messages with a file that is held in memory or by Telegram, of each kind that Telegram has."""

from functools import partial

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
from bot.telegram.sending.send_once import Call

_KINDS_SENT = frozenset({"photo", "video", "animation", "audio", "video_note"})
"""What the bot has a method of its own for, ``send_<kind>``; anything else is sent as a document."""

_PHOTO_KINDS = frozenset({"jpg", "png", "webp"})
"""What Telegram shows as a photo; an animated picture stays a file."""


def name_and_kind(name: str, content_type: str, content: bytes, send_as: str) -> tuple[str, str]:
    """Return the name that a file is sent under, and as what; see ``ports.Responder.send_file``."""
    found = sniff(content)
    kind = kind_of(found, name, content_type, "document")
    name = safe_name(name or "file", kind or "bin")
    if found is not None and kind is not None and is_usable(kind):
        name = fitting_name(name, kind)  # The agent's name and type may be wrong.
    if not send_as and found in _PHOTO_KINDS and not is_decompression_bomb(content):
        send_as = "photo"
    return name, send_as


def calls_of(bot: TelegramBot, kind: str, content: bytes | str) -> tuple[Call, Call]:
    """Return the calls that send a file and edit its message to the same, which tells whether it was sent.

    Args:
        bot: The bot that sends.
        kind: What it is sent as; anything but a photo, a video, an animation, audio and a video message is a document.
        content: The file, or Telegram's id of it; PTB would take any other text for a path.
    """
    if kind not in _KINDS_SENT:
        send = partial(bot.send_document, document=content, disable_content_type_detection=True)
        return send, bot.edit_message_caption
    return partial(getattr(bot, f"send_{kind}"), **{kind: content}), (
        bot.edit_message_reply_markup if kind == "video_note" else bot.edit_message_caption
    )


async def post_to_channel(
    telegram_calls: TelegramCalls, channel_id: int, file: Attachment, caption: str
) -> str | None:
    """See ``post`` of ``ports.Responder``."""
    permit = await telegram_calls.acquire(channel_id, SendPriority.ANSWER)
    send, _ = calls_of(telegram_calls.bot, file.kind, file.file_id)
    post = partial(send, caption=caption, parse_mode=ParseMode.HTML, rate_limit_args=permit)
    try:
        message: Message = await telegram_calls.call(channel_id, post, repeatable=False)
    except OutcomeUnknown:
        return None
    except BadRequest as error:
        raise FileGone(error.message) from error
    return message.link or ""
