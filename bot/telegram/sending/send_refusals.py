"""What Telegram's refusals of a message mean, and what a message is sent without next: one table, for every method.

In which form a refused video is sent next is in ``result_forms.py``.
"""

import html
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import Enum
from functools import reduce
from typing import TypeVar

import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import ParseMode
from telegram.error import BadRequest, NetworkError, TelegramError

from bot.jobs.buttons import AnswerQuestion, ButtonAction, unpack
from bot.telegram.sending.message_fields import MessageFields

log = structlog.get_logger(__name__)

T = TypeVar("T")


_LINK = re.compile(r"""<a href="([^"]*)">(.*?)</a>""", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")

SHORT_CHARS = 700
"""Characters kept of a text that Telegram finds too long; a caption may have 1024."""


class SendRefusal(Enum):
    """What is wrong with a message that Telegram refused."""

    UNMODIFIED = "unmodified"  # an edit that changes nothing, which is a success
    BUTTON = "button"  # a button: send it without links, then without any
    THREAD = "thread"  # its topic is gone or closed: send it without the topic
    REPLY = "reply"  # the message it replies to was deleted: send it without the reply
    TOO_LARGE = "too_large"  # the server, or a proxy before it, takes less: never upload it again
    KIND = "kind"  # this kind of message is not allowed in the chat: send another kind
    FORMATTING = "formatting"  # its entities: send the text without them
    LENGTH = "length"  # its text: send the beginning
    PICTURE = "picture"  # its cover or thumbnail: send it without them
    CHAT = "chat"  # nothing can be sent to the chat or its topic, as the call's own errors tell
    UNANSWERED = "unanswered"  # sent several times without an answer, and not found in the chat
    OTHER = "other"  # for a reason that is not known


_TABLE: tuple[tuple[SendRefusal, re.Pattern[str]], ...] = tuple(
    (refusal, re.compile(pattern, re.IGNORECASE))
    for refusal, pattern in (
        # It goes on with words about the reply markup.
        (
            SendRefusal.UNMODIFIED,
            r"message[ _](?:is )?not[ _]modified",
        ),
        (
            SendRefusal.TOO_LARGE,
            r"(?:entity|content|payload|file) (?:is )?too (?:large|big)|request entity|too large for|\(413\)"
            r"|FILE_PARTS_INVALID",
        ),
        (SendRefusal.FORMATTING, r"entit|unsupported start tag"),
        (
            SendRefusal.BUTTON,
            r"button|keyboard|reply.?markup|wrong http url|URL_INVALID|BOT_DOMAIN|url host|specified in the url",
        ),
        (SendRefusal.THREAD, r"message thread|topic|FORUM_MISSING"),
        (SendRefusal.REPLY, r"repl(?:y|ied)|quote|(?:MSG|MESSAGE)_ID_INVALID"),
        (
            SendRefusal.KIND,
            r"not enough rights to send (?!text)|restricted receiving|(?:VOICE|VIDEO)_MESSAGES_FORBIDDEN"
            r"|CHAT_SEND_(?!PLAIN)\w+_FORBIDDEN",
        ),
        (SendRefusal.LENGTH, r"too.long"),
        (SendRefusal.PICTURE, r"PHOTO_|IMAGE_PROCESS|thumb|cover"),
    )
)


_NOT_ONLY_IN_400 = (SendRefusal.TOO_LARGE, SendRefusal.KIND)


_NOBODY_THERE = (
    "chat not found", "chat_write_forbidden", "chat_send_plain_forbidden", "chat_guest_send_forbidden",
    "not enough rights to send text", "have no rights to send", "need administrator rights in the channel chat",
    "chat_admin_required", "chat_restricted", "channel_private", "peer_id_invalid", "payment_required",
    "group chat was deactivated", "user is deactivated", "user_deactivated", "user_is_blocked",
    "user_banned_in_channel", "user_privacy_restricted",
)  # fmt: skip
"""Pieces of Telegram's 400s that mean that nothing can be sent to this chat any more."""


def is_nobody_there(error: BadRequest) -> bool:
    """Return whether nothing can be sent to the chat any more."""
    return any(piece in error.message.lower() for piece in _NOBODY_THERE)


def send_refusal_of(error: TelegramError) -> SendRefusal:
    """Return why a message was refused.

    Args:
        error: What PTB raised. It raises ``NetworkError`` for a 413.
    """
    for refusal, pattern in _TABLE:
        if pattern.search(error.message) and (isinstance(error, BadRequest) or refusal in _NOT_ONLY_IN_400):
            return refusal
    return SendRefusal.OTHER


_PLAINEST = (
    SendRefusal.BUTTON,
    SendRefusal.BUTTON,
    SendRefusal.REPLY,
    SendRefusal.FORMATTING,
    SendRefusal.PICTURE,
)
"""What is left out if the reason of a refusal is unknown: all but the text, its chat and its topic."""


def without(refusal: SendRefusal, fields: MessageFields) -> MessageFields:
    """Return the parameters of a call without what was refused; the same ones if they have no such part."""
    match refusal:
        case SendRefusal.BUTTON:  # At first those with a link.
            others = _without_links(fields.reply_markup)
            if others == fields.reply_markup:
                return replace(fields, reply_markup=None)
            return replace(fields, reply_markup=others, text=_with_addresses(fields))
        case SendRefusal.THREAD:  # A reply goes to the topic of its message.
            if fields.message_thread_id is not None:
                fields = replace(fields, reply_markup=_usable_anywhere(fields.reply_markup))
            return replace(fields, message_thread_id=None, reply_parameters=None)
        case SendRefusal.REPLY:
            return replace(fields, reply_parameters=None)
        case SendRefusal.PICTURE:
            return replace(fields, thumbnail=None, cover=None)
        case SendRefusal.FORMATTING | SendRefusal.LENGTH:
            plain = _without_tags if fields.parse_mode == ParseMode.HTML else str
            fit = _cut if refusal is SendRefusal.LENGTH else str  # Without tags a cut can't halve one.
            text, caption = (one and fit(plain(one)) for one in (fields.text, fields.caption))
            return replace(fields, parse_mode=None, entities=None, text=text, caption=caption)
    return fields


async def send_in_best_form(
    send: Callable[..., Awaitable[T]], fields: MessageFields, *, plain_in_the_end: bool = False
) -> T:
    """Send or edit a message, and again without what Telegram refused.

    Args:
        send: Makes the call with the given parameters.
        fields: The call's parameters that depend on the form.
        plain_in_the_end: Whether to try the plainest form against a refusal for a reason that is not known.

    Raises:
        BadRequest: No form of the message was taken. Also for a 413, which PTB takes for a broken connection.
        TelegramError: Any other failure.
    """
    while True:
        try:
            return await send(**fields.as_kwargs())
        except NetworkError as error:
            refusal = send_refusal_of(error)
            rest = without(refusal, fields)
            if rest == fields and plain_in_the_end and _may_be_anything(error, refusal):
                rest, plain_in_the_end = (
                    reduce(lambda rest, one: without(one, rest), _PLAINEST, fields),
                    False,
                )
            elif rest == fields:
                if refusal is SendRefusal.TOO_LARGE and not isinstance(error, BadRequest):
                    raise BadRequest(error.message) from error
                raise
            log.info("telegram.refused", refusal=refusal.value, error=error.message)
            fields = rest


def _may_be_anything(error: NetworkError, refusal: SendRefusal) -> bool:
    is_known = refusal in (
        SendRefusal.UNMODIFIED,
        SendRefusal.KIND,
        SendRefusal.TOO_LARGE,
        SendRefusal.THREAD,
    )
    return isinstance(error, BadRequest) and not (is_known or is_nobody_there(error))


def _without_tags(text: str) -> str:
    """Return HTML as plain text; links keep their addresses."""
    return html.unescape(_TAG.sub("", _LINK.sub(r"\2: \1", text)))


def _cut(text: str) -> str:
    return f"{text[:SHORT_CHARS]}…" if len(text) > SHORT_CHARS else text


def _without_links(markup: InlineKeyboardMarkup | None) -> InlineKeyboardMarkup | None:
    return _filtered(markup, lambda button: not button.url)


def _usable_anywhere(markup: InlineKeyboardMarkup | None) -> InlineKeyboardMarkup | None:
    """Leave out the buttons that would act on the project of the place where a message comes instead of its topic."""
    return _filtered(markup, lambda one: bool(one.url) or isinstance(_action_of(one), AnswerQuestion))


def _action_of(button: InlineKeyboardButton) -> ButtonAction | None:
    return unpack(button.callback_data) if isinstance(button.callback_data, str) else None


def _filtered(
    markup: InlineKeyboardMarkup | None, keeps: Callable[[InlineKeyboardButton], bool]
) -> InlineKeyboardMarkup | None:
    rows = [[button for button in row if keeps(button)] for row in markup.inline_keyboard] if markup else []
    rows = [row for row in rows if row]
    return InlineKeyboardMarkup(rows) if rows else None


def _with_addresses(fields: MessageFields) -> str | None:
    """Return a text with the addresses of its buttons, which may be all that the message is for."""
    markup, text = fields.reply_markup, fields.text
    if text is None or markup is None:
        return text
    escape = html.escape if fields.parse_mode == ParseMode.HTML else str
    linked = {one.url: one.text for row in markup.inline_keyboard for one in row if one.url}
    lines = [
        escape(f"{label}: {address}") for address, label in linked.items() if escape(address) not in text
    ]
    return "\n\n".join((text, "\n".join(lines))) if lines else text
