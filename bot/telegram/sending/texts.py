"""The texts of a message: one or, of a long answer of the agent, several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from telegram import InlineKeyboardMarkup, MessageEntity
from telegram.constants import MessageLimit, ParseMode
from telegramify_markdown import utf16_len

from bot.jobs.messages import AgentMessage, ListMessage, LocalizedMessage, SampleClip, TimelinePicture
from bot.telegram.sending.captions import plain_text
from bot.telegram.sending.formatting import format_lines, format_list, format_message
from bot.telegram.sending.markdown import to_pieces
from bot.words import Words


@dataclass(frozen=True, slots=True)
class Text:
    """A text ready to be sent: HTML, or plain text with entities."""

    text: str
    entities: Sequence[MessageEntity] | None = None
    quiet: bool = False

    @property
    def parse_mode(self) -> ParseMode | None:
        """How Telegram reads the text."""
        return ParseMode.HTML if self.entities is None else None

    def form(self, markup: InlineKeyboardMarkup | None) -> dict[str, Any]:
        """Return the parameters of a call that sends the text, or edits a message to it."""
        return {
            "text": self.text,
            "parse_mode": self.parse_mode,
            "entities": self.entities,
            "reply_markup": markup,
        }


def texts_of(
    message: LocalizedMessage | ListMessage | AgentMessage | TimelinePicture | SampleClip, words: Words
) -> list[Text]:
    """Return the texts of a message in a language, each no longer than Telegram takes."""
    match message:
        case LocalizedMessage():
            return [Text(format_message(words, message.key, message.params), quiet=message.quiet)]
        case ListMessage():
            return [Text(format_list(words, message))]
        case AgentMessage():
            pieces = to_pieces(message.markdown, cut_note=words.plain("answer.cut"))
            return _with_lines([Text(piece.text, piece.entities) for piece in pieces], words, message.lines)
        case TimelinePicture():
            return [Text(format_list(words, message.caption))]
        case SampleClip(caption):
            return [Text(format_message(words, caption.key, caption.params))]


def _with_lines(texts: list[Text], words: Words, lines: Sequence[LocalizedMessage]) -> list[Text]:
    """Add lines of our own to the agent's answer, in its last message if they fit."""
    if not lines:
        return texts
    text = plain_text(format_lines(words, lines))
    last = texts[-1] if texts else None
    if last is None or utf16_len(last.text) + utf16_len(text) + 2 > MessageLimit.MAX_TEXT_LENGTH:
        return [*texts, Text(text, ())]
    return [*texts[:-1], Text(f"{last.text}\n\n{text}", last.entities)]
