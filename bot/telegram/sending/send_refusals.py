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


_LINK = re.compile(r"""<a href="([^"]*)">(.*?)</a>""", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")

SHORT_CHARS = 700
"""Of a text that Telegram finds too long; a caption takes 1024."""


class Refusal(Enum):
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


_TABLE: tuple[tuple[Refusal, re.Pattern[str]], ...] = tuple(
    (refusal, re.compile(pattern, re.IGNORECASE))
    for refusal, pattern in (
        (
            Refusal.UNMODIFIED,
            r"message[ _](?:is )?not[ _]modified",
        ),  # It goes on with words about the reply markup.
        (
            Refusal.TOO_LARGE,
            r"(?:entity|content|payload|file) (?:is )?too (?:large|big)|request entity|too large for|\(413\)"
            r"|FILE_PARTS_INVALID",
        ),
        (Refusal.FORMATTING, r"entit|unsupported start tag"),
        (
            Refusal.BUTTON,
            r"button|keyboard|reply.?markup|wrong http url|URL_INVALID|BOT_DOMAIN|url host|specified in the url",
        ),
        (Refusal.THREAD, r"message thread|topic|FORUM_MISSING"),
        (Refusal.REPLY, r"repl(?:y|ied)|quote|(?:MSG|MESSAGE)_ID_INVALID"),
        (
            Refusal.KIND,
            r"not enough rights to send (?!text)|restricted receiving|(?:VOICE|VIDEO)_MESSAGES_FORBIDDEN"
            r"|CHAT_SEND_(?!PLAIN)\w+_FORBIDDEN",
        ),
        (Refusal.LENGTH, r"too.long"),
        (Refusal.PICTURE, r"PHOTO_|IMAGE_PROCESS|thumb|cover"),
    )
)


_NOT_ONLY_IN_400 = (Refusal.TOO_LARGE, Refusal.KIND)


_NOBODY_THERE = (
    "chat not found",
    "chat_write_forbidden",
    "chat_send_plain_forbidden",
    "chat_guest_send_forbidden",
    "not enough rights to send text",
    "have no rights to send",
    "need administrator rights in the channel chat",
    "chat_admin_required",
    "chat_restricted",
    "channel_private",
    "peer_id_invalid",
    "payment_required",
    "group chat was deactivated",
    "user is deactivated",
    "user_deactivated",
    "user_is_blocked",
    "user_banned_in_channel",
    "user_privacy_restricted",
)
"""Pieces of Telegram's 400s that mean that nothing can be sent to this chat any more."""


def is_nobody_there(error: BadRequest) -> bool:
    """Return whether nothing can be sent to the chat any more."""
    return any(piece in error.message.lower() for piece in _NOBODY_THERE)


def refusal_of(error: TelegramError) -> Refusal:
    """Return why a message was refused.

    Args:
        error: What PTB raised. It raises ``NetworkError`` for a 413.
    """
    for refusal, pattern in _TABLE:
        if pattern.search(error.message) and (isinstance(error, BadRequest) or refusal in _NOT_ONLY_IN_400):
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
    # Nor does the group take it without its topic; what it refuses of one method it may take of another.
    Refusal.THREAD: (ResultForm.FILE, ResultForm.PRIVATE, ResultForm.LINK, ResultForm.KEPT),
    Refusal.CHAT: (ResultForm.PRIVATE, ResultForm.LINK, ResultForm.KEPT),
    Refusal.UNANSWERED: (ResultForm.LINK, ResultForm.SMALLER, ResultForm.PRIVATE, ResultForm.KEPT),
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
        buttons: All the others.
        thread: The topic.
        reply: The reply to the request.
        formatting: The text's formatting.
        full_length: All of the text.
        pictures: A video's cover and thumbnail.
    """

    link_buttons: bool = True
    buttons: bool = True
    thread: bool = True
    reply: bool = True
    formatting: bool = True
    full_length: bool = True
    pictures: bool = True

    def after(self, refusal: Refusal) -> Self | None:
        """Return the form after a refusal; ``None`` if no other form helps."""
        match refusal:
            case Refusal.BUTTON if self.link_buttons:
                return replace(self, link_buttons=False)
            case Refusal.BUTTON if self.buttons:
                return replace(self, buttons=False)
            case Refusal.THREAD if self.thread:
                return replace(self, thread=False, reply=False)  # A reply goes to the topic of its message.
            case Refusal.REPLY if self.reply:
                return replace(self, reply=False)
            case Refusal.FORMATTING if self.formatting:
                return replace(self, formatting=False)
            case Refusal.LENGTH if self.full_length:
                return replace(self, full_length=False, formatting=False)  # Half a tag is none.
            case Refusal.PICTURE if self.pictures:
                return replace(self, pictures=False)
        return None

    def plainest(self) -> Self:
        """Return what is left if nobody knows what was refused: the text, where it belongs."""
        return replace(self, link_buttons=False, buttons=False, reply=False, formatting=False, pictures=False)

    def apply(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a call without what this form leaves out."""
        left_out: dict[str, Any] = {}
        if not self.link_buttons:
            left_out["reply_markup"] = _without_links(fields.get("reply_markup")) if self.buttons else None
        if not self.thread:
            left_out["message_thread_id"] = None
        if not self.reply:
            left_out["reply_parameters"] = None
        if not self.pictures:
            left_out |= {"thumbnail": None, "cover": None}
        if not self.formatting:
            left_out |= {"parse_mode": None, "entities": ()}
            for name in ("text", "caption"):
                text = fields.get(name) or ""
                text = _without_tags(text) if fields.get("parse_mode") == ParseMode.HTML else text
                is_cut = not self.full_length and len(text) > SHORT_CHARS
                left_out[name] = f"{text[:SHORT_CHARS]}…" if is_cut else text
        return {name: left_out.get(name, value) for name, value in fields.items()}


async def send_in_best_form(
    send: Callable[..., Awaitable[T]], fields: Mapping[str, Any], *, plain_in_the_end: bool = False
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
    form = MessageForm()
    while True:
        given = form.apply(fields)
        try:
            return await send(**given)
        except NetworkError as error:
            refusal = refusal_of(error)
            next_form = form.after(refusal)
            while next_form is not None and next_form.apply(fields) == given:  # It has no such part.
                next_form = next_form.after(refusal)
            if next_form is None and plain_in_the_end and _may_be_anything(error, refusal):
                next_form, plain_in_the_end = form.plainest(), False
            if next_form is None:
                if refusal is Refusal.TOO_LARGE and not isinstance(error, BadRequest):
                    raise BadRequest(error.message) from error
                raise
            log.info("telegram.refused", refusal=refusal.value, error=error.message)
            form = next_form


def _may_be_anything(error: NetworkError, refusal: Refusal) -> bool:
    is_known = refusal in (Refusal.UNMODIFIED, Refusal.KIND, Refusal.TOO_LARGE, Refusal.THREAD)
    return isinstance(error, BadRequest) and not (is_known or is_nobody_there(error))


def _without_tags(text: str) -> str:
    """Return HTML as plain text; links keep their addresses."""
    return html.unescape(_TAG.sub("", _LINK.sub(r"\2: \1", text)))


def _without_links(markup: InlineKeyboardMarkup | None) -> InlineKeyboardMarkup | None:
    rows = [[button for button in row if not button.url] for row in markup.inline_keyboard] if markup else []
    rows = [row for row in rows if row]
    return InlineKeyboardMarkup(rows) if rows else None
