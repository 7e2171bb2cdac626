"""What Telegram's refusals of a message mean, and in which form it is sent next: one table, for every method."""

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Self

from telegram.error import BadRequest, TelegramError


class Refusal(Enum):
    """What is wrong with a message that Telegram refused."""

    BUTTON = "button"  # one button: the same message without that one
    THREAD = "thread"  # its topic is gone or closed: without the thread
    REPLY = "reply"  # what it answers was deleted: without the reply
    TOO_LARGE = "too_large"  # the server, or a proxy before it, takes less: never upload it again
    KIND = "kind"  # this kind of message is not allowed here: another kind
    FORMATTING = "formatting"  # the entities: the same words without them
    OTHER = "other"  # nothing that another form would mend


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
    """Tell what a refused message lacks; the list of known words names things, all else is ``OTHER``.

    Args:
        error: What PTB raised. A 413 of a proxy comes as a ``NetworkError`` with the status' name.
    """
    said = error.message
    for refusal, pattern in _TABLE:
        if pattern.search(said) and (isinstance(error, BadRequest) or refusal is Refusal.TOO_LARGE):
            return refusal
    return Refusal.OTHER


@dataclass(frozen=True, slots=True)
class MessageForm:
    """What of a message is sent; each refusal takes one thing away.

    Args:
        link_buttons: Whether buttons that lead to an address stand under it.
        thread: Whether it goes into its topic.
        reply: Whether it answers the request.
        formatting: Whether its words are formatted.
    """

    link_buttons: bool = True
    thread: bool = True
    reply: bool = True
    formatting: bool = True

    def after(self, refusal: Refusal) -> Self | None:
        """Return the next form after a refusal; ``None`` if no form of this message is left."""
        match refusal:
            case Refusal.BUTTON if self.link_buttons:
                return replace(self, link_buttons=False)
            case Refusal.THREAD if self.thread:
                return replace(self, thread=False, reply=False)
            case Refusal.REPLY if self.reply:
                return replace(self, reply=False)
            case Refusal.FORMATTING if self.formatting:
                return replace(self, formatting=False)
        return None
