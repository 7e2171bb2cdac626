"""What Telegram's refusals of a message mean, and in which form it is sent next: one table, for every method."""

import html
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Any, Self, TypeVar

import structlog
from telegram import InlineKeyboardMarkup
from telegram.constants import ParseMode
from telegram.error import BadRequest, NetworkError, TelegramError

log = structlog.get_logger(__name__)

T = TypeVar("T")


_TAG = re.compile(r"<[^>]*>")


class Refusal(Enum):
    """What is wrong with a message that Telegram refused."""

    BUTTON = "button"  # a button's URL: send it without such buttons
    THREAD = "thread"  # its topic is gone or closed: send it without the topic
    REPLY = "reply"  # the message it replies to was deleted: send it without the reply
    TOO_LARGE = "too_large"  # the server, or a proxy before it, takes less: never upload it again
    KIND = "kind"  # this kind of message is not allowed in the chat: send another kind
    FORMATTING = "formatting"  # its entities: send the text without them
    CHAT = "chat"  # nothing can be sent to the chat or its topic, as the call's own errors tell
    OTHER = "other"  # another form would not help


_TABLE: tuple[tuple[Refusal, re.Pattern[str]], ...] = tuple(
    (refusal, re.compile(pattern, re.IGNORECASE))
    for refusal, pattern in (
        (
            Refusal.TOO_LARGE,
            r"entity too large|request entity|file is too big|too large for|FILE_PARTS_INVALID",
        ),
        (
            Refusal.BUTTON,
            r"BUTTON_(?:URL|TYPE|DATA|USER\w*)_INVALID|wrong http url|button url|inline keyboard button",
        ),
        (Refusal.THREAD, r"message thread not found|TOPIC_(?:DELETED|CLOSED)|TOPIC_ID_INVALID"),
        (Refusal.REPLY, r"message to be replied not found|reply message not found|REPLY_MESSAGE_ID_INVALID"),
        (Refusal.KIND, r"not enough rights to send (?!text)|CHAT_SEND_(?!PLAIN)\w+_FORBIDDEN"),
        (Refusal.FORMATTING, r"entit"),
    )
)


def refusal_of(error: TelegramError) -> Refusal:
    """Return why a message was refused.

    Args:
        error: What PTB raised. It raises ``NetworkError`` for a 413.
    """
    for refusal, pattern in _TABLE:
        if pattern.search(error.message) and (isinstance(error, BadRequest) or refusal is Refusal.TOO_LARGE):
            return refusal
    return Refusal.OTHER


class ResultForm(StrEnum):
    """The forms in which a result is sent, the best first."""

    VIDEO = "video"  # to be played in the chat
    FILE = "file"  # the same bytes, into which Telegram does not look
    SMALLER = "smaller"  # a version encoded again to fit
    LINK = "link"  # where it can be downloaded
    PRIVATE = "private"  # in the private chat of the person who asked in a group
    KEPT = "kept"  # only the news that it is kept in the project, with a button that costs nothing


_NEXT_FORMS: Mapping[Refusal, tuple[ResultForm, ...]] = {
    Refusal.TOO_LARGE: (ResultForm.SMALLER, ResultForm.LINK, ResultForm.KEPT),
    Refusal.KIND: (ResultForm.FILE, ResultForm.LINK, ResultForm.PRIVATE, ResultForm.KEPT),
    Refusal.CHAT: (ResultForm.PRIVATE, ResultForm.KEPT),
    Refusal.OTHER: (ResultForm.FILE, ResultForm.LINK, ResultForm.PRIVATE, ResultForm.KEPT),
}
"""The forms that may help against a refusal. Any other refusal left no form of the message, which is ``OTHER``."""

_RANKS = {form: rank for rank, form in enumerate(ResultForm)}


def next_form(refused: ResultForm, refusal: Refusal, possible: Collection[ResultForm]) -> ResultForm | None:
    """Return the form in which a refused result is sent next; ``None`` if none is left.

    Args:
        refused: The form that was refused.
        refusal: Why it was.
        possible: The forms that there are of this result.
    """
    forms = _NEXT_FORMS.get(refusal, _NEXT_FORMS[Refusal.OTHER])
    later = (form for form in forms if _RANKS[form] > _RANKS[refused] and form in possible)
    return next(later, None)


@dataclass(frozen=True, slots=True)
class MessageForm:
    """Which parts of a message are sent; each refusal leaves one out.

    Args:
        link_buttons: Buttons with a URL.
        thread: The topic.
        reply: The reply to the request.
        formatting: The text's formatting.
    """

    link_buttons: bool = True
    thread: bool = True
    reply: bool = True
    formatting: bool = True

    def after(self, refusal: Refusal) -> Self | None:
        """Return the form after a refusal; ``None`` if no other form helps."""
        match refusal:
            case Refusal.BUTTON if self.link_buttons:
                return replace(self, link_buttons=False)
            case Refusal.THREAD if self.thread:
                return replace(self, thread=False, reply=False)  # A reply goes to the topic of its message.
            case Refusal.REPLY if self.reply:
                return replace(self, reply=False)
            case Refusal.FORMATTING if self.formatting:
                return replace(self, formatting=False)
        return None

    def apply(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a call without what this form leaves out."""
        left_out: dict[str, Any] = {}
        if not self.link_buttons:
            left_out["reply_markup"] = _without_links(fields.get("reply_markup"))
        if not self.thread:
            left_out["message_thread_id"] = None
        if not self.reply:
            left_out["reply_parameters"] = None
        if not self.formatting:
            left_out |= {"parse_mode": None, "entities": ()}
            if fields.get("parse_mode") == ParseMode.HTML:
                left_out |= {
                    name: html.unescape(_TAG.sub("", fields[name]))
                    for name in ("text", "caption")
                    if name in fields
                }
        return {name: left_out.get(name, value) for name, value in fields.items()}


async def send_in_best_form(send: Callable[..., Awaitable[T]], fields: Mapping[str, Any]) -> T:
    """Send or edit a message, and again without what Telegram refused.

    Args:
        send: Makes the call with the given parameters.
        fields: The call's parameters that depend on the form.

    Raises:
        BadRequest: No form of the message was taken. Also for a 413, which PTB takes for a broken connection.
        TelegramError: Any other failure.
    """
    form = MessageForm()
    while True:
        try:
            return await send(**form.apply(fields))
        except NetworkError as error:
            refusal = refusal_of(error)
            next_form = form.after(refusal)
            if next_form is None:
                if refusal is Refusal.TOO_LARGE and not isinstance(error, BadRequest):
                    raise BadRequest(error.message) from error
                raise
            log.info("telegram.refused", refusal=refusal.value, error=error.message)
            form = next_form


def _without_links(markup: InlineKeyboardMarkup | None) -> InlineKeyboardMarkup | None:
    rows = [[button for button in row if not button.url] for row in markup.inline_keyboard] if markup else []
    rows = [row for row in rows if row]
    return InlineKeyboardMarkup(rows) if rows else None
