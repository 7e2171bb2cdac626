"""What stands under a result: the agent's answer with what changed, and a line of the bot's own about the video."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from telegram import Chat, Message, MessageEntity
from telegramify_markdown import utf16_len

from bot.jobs.messages import AgentMessage, ListMessage, LocalizedMessage, TextMessage
from bot.telegram.sending.formatting import format_lines
from bot.telegram.sending.markdown import to_pieces
from bot.words import Html, Words

_TAG = re.compile(r"<[^>]*>")

_SEPARATOR, _CUT = "\n\n", " …"


@dataclass(frozen=True, slots=True)
class Caption:
    """A text under a result.

    Args:
        text: The text, as HTML.
        is_whole: Whether the answer is in it as a whole.
    """

    text: Html
    is_whole: bool = True


def caption_of(answer: TextMessage | None, own: Html, words: Words, limit: int) -> Caption:
    """Put an answer above the bot's own line; one that is too long is cut.

    Args:
        answer: The answer; ``None`` if there is none.
        own: The line about the video; empty if there is nothing to say beside the answer.
        words: The texts in the chat's language.
        limit: The longest text that Telegram takes, in UTF-16 units without formatting.
    """
    if answer is None:
        return Caption(own)
    room = limit - visible_length(own) - len(_SEPARATOR)
    said, lines = _parts(answer, words)
    text = Html(_SEPARATOR.join(part for part in (said, "\n".join(lines)) if part))
    if visible_length(text) <= room:
        return Caption(Html(_SEPARATOR.join(part for part in (text, own) if part)))
    return Caption(Html(f"{_beginning(answer, lines, room)}{_SEPARATOR}{own}"), is_whole=False)


def visible_length(text: Html) -> int:
    """Return the length of HTML as Telegram counts it: UTF-16 units after its entities are read."""
    return utf16_len(plain_text(text))


def plain_text(text: Html) -> str:
    """Return HTML without its formatting."""
    return html.unescape(_TAG.sub("", text))


def _parts(answer: TextMessage, words: Words) -> tuple[Html, list[Html]]:
    """Return the agent's words, and the lines under them."""
    match answer:
        case AgentMessage(markdown=markdown, lines=lines):
            pieces = to_pieces(markdown, cut_note=words.plain("answer.cut"))
            said = "\n".join(_as_html(piece.text, piece.entities) for piece in pieces)
            return Html(said), [format_lines(words, [line]) for line in lines]
        case ListMessage(heading=heading, lines=lines):
            return Html(""), [format_lines(words, [line]) for line in (heading, *lines)]
        case LocalizedMessage():
            return Html(""), [format_lines(words, [answer])]


def _beginning(answer: TextMessage, lines: Sequence[Html], room: int) -> Html:
    """Return as much of an answer as fits, with a mark of what is missing."""
    room -= len(_CUT)
    if isinstance(answer, AgentMessage):
        first = next(iter(to_pieces(answer.markdown, limit=max(1, room))), None)
        return Html(_as_html(first.text, first.entities) + _CUT) if first is not None else Html(_CUT)
    fitting: list[Html] = []
    for line in lines:
        if visible_length(Html("\n".join([*fitting, line]))) > room:
            break
        fitting.append(line)
    return Html("\n".join(fitting) + _CUT)


def _as_html(text: str, entities: Sequence[MessageEntity]) -> Html:
    # PTB writes entities as HTML for messages only.
    message = Message(1, datetime.now(UTC), Chat(1, Chat.PRIVATE), text=text, entities=list(entities))
    return Html(message.text_html)
