"""Messages put into a language: texts of the catalogue, the captions of results, and what one message can hold.

A longer answer of the agent is split into several messages in ``markdown.py``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING

from telegram import Chat, Message, MessageEntity
from telegram.constants import MessageLimit

from bot.jobs.clip_names import clip_names, track_label
from bot.jobs.messages import (
    AgentMessage,
    Bytes,
    ListMessage,
    LocalizedMessage,
    Names,
    Param,
    SampleClip,
    Seconds,
    TextMessage,
    TimelinePicture,
    TimeRange,
    UncutText,
)
from bot.nemo.drafts import Draft
from bot.telegram.sending.markdown import to_pieces
from bot.telegram.sending.message_fields import MessageFields, html_text
from bot.words import Html, Words

if TYPE_CHECKING:
    from bot.pictures.boxes import TimelineLabels


def format_message(words: Words, key: str, params: Mapping[str, Param]) -> Html:
    """Return a text of the catalogue with durations and sizes written out."""
    return words.text(key, **{name: _format_param(words, value) for name, value in params.items()})


def format_list(words: Words, message: ListMessage) -> Html:
    """Return a heading with its lines under it."""
    return format_lines(words, [message.heading, *message.lines])


def format_lines(words: Words, lines: Sequence[LocalizedMessage]) -> Html:
    """Return one line for each message."""
    return Html("\n".join(format_message(words, line.key, line.params) for line in lines))


def format_side_by_side(
    words: Words, parts: Sequence[LocalizedMessage], lines: Sequence[LocalizedMessage]
) -> Html:
    """Return messages in one line, with a line for each of the others under it."""
    texts = (format_message(words, part.key, part.params).rstrip(".。") for part in parts)
    return Html("\n".join([" · ".join(texts), *([format_lines(words, lines)] if lines else [])]))


def timeline_labels(words: Words, draft: Draft) -> TimelineLabels:
    """Return the words in the picture of a timeline."""
    from bot.pictures.boxes import TimelineLabels  # Here because Pillow is large and few jobs draw.

    return TimelineLabels(
        track=lambda track: words.plain(track_label(track).key),
        unnamed=lambda position: words.plain("track.unnamed", position=position),
        seconds=words.plain("unit.seconds", seconds=""),
        names={
            name: html.unescape(format_message(words, said.key, said.params))
            for name, said in clip_names(draft).items()
        },
    )


def _format_param(words: Words, value: Param) -> str | int | float:
    match value:
        case Seconds():
            return words.duration(value.duration_s, tenths=value.tenths)
        case Bytes():
            return words.size(value.size_bytes)
        case UncutText():
            return Html(html.escape(value.text))
        case Names():
            first, *rest = (_format_param(words, name) for name in value.names)
            joined = reduce(lambda names, name: words.text("clip.names", names=names, name=name), rest, first)
            return joined if value.are_all else words.text("clip.names_and_more", names=joined)
        case TimeRange():
            return _format_range(words, value)
        case LocalizedMessage():
            return format_message(words, value.key, value.params)
        case _:
            return value


def _format_range(words: Words, value: TimeRange) -> str:
    start, end = (
        "–" if ms is None else words.duration(ms / 1000, tenths=True) for ms in (value.start_ms, value.end_ms)
    )
    unit = words.plain("unit.seconds", seconds="")
    return f"{start.removesuffix(unit) if end.endswith(unit) else start}–{end}"


_TAG = re.compile(r"<[^>]*>")

_SEPARATOR, _CUT = "\n\n", " …"


@dataclass(frozen=True, slots=True)
class Caption:
    """A text under a result."""

    text: Html  # the text, as HTML
    is_whole: bool = True  # whether the answer is in it as a whole


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
    return _utf16_len(plain_text(text))


def _utf16_len(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


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


def texts_of(
    message: LocalizedMessage | ListMessage | AgentMessage | TimelinePicture | SampleClip, words: Words
) -> list[MessageFields]:
    """Return the texts of a message in a language, each no longer than Telegram takes."""
    match message:
        case LocalizedMessage():
            return [html_text(format_message(words, message.key, message.params))]
        case ListMessage():
            return [html_text(format_list(words, message))]
        case AgentMessage():
            pieces = to_pieces(message.markdown, cut_note=words.plain("answer.cut"))
            texts = [MessageFields(piece.text, entities=piece.entities) for piece in pieces]
            return _with_lines(texts, words, message.lines)
        case TimelinePicture():
            return [html_text(format_list(words, message.caption))]
        case SampleClip(caption):
            return [html_text(format_message(words, caption.key, caption.params))]


def _with_lines(
    texts: list[MessageFields], words: Words, lines: Sequence[LocalizedMessage]
) -> list[MessageFields]:
    """Add lines of our own to the agent's answer, in its last message if they fit."""
    if not lines:
        return texts
    text = plain_text(format_lines(words, lines))
    joined = f"{texts[-1].text}\n\n{text}" if texts else text
    if not texts or _utf16_len(joined) > MessageLimit.MAX_TEXT_LENGTH:
        return [*texts, MessageFields(text)]
    return [*texts[:-1], replace(texts[-1], text=joined)]
