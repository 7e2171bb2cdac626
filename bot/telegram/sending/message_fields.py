"""The parameters of a call that sends or edits a message, as far as they depend on its form."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from telegram import InlineKeyboardMarkup, MessageEntity, ReplyParameters
from telegram.constants import ParseMode


@dataclass(frozen=True, slots=True)
class MessageFields:
    """The parameters that are left out, one by one, if Telegram refuses the message; named as PTB names them."""

    text: str | None = None
    caption: str | None = None
    parse_mode: str | None = None
    entities: Sequence[MessageEntity] | None = None
    reply_markup: InlineKeyboardMarkup | None = None
    thumbnail: bytes | None = None
    cover: bytes | None = None
    message_thread_id: int | None = None
    reply_parameters: ReplyParameters | None = None

    def as_kwargs(self) -> dict[str, Any]:
        """Return what to pass to a method of the bot."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) is not None}


def html_text(text: str, markup: InlineKeyboardMarkup | None = None) -> MessageFields:
    """Return the parameters of a text in HTML with buttons."""
    return MessageFields(text, parse_mode=ParseMode.HTML, reply_markup=markup)
