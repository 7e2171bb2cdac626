"""Notices put into a language: catalogue keys and typed parameters become Telegram HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from bot.jobs.messages import Bytes, ListMessage, LocalizedMessage, Param, Seconds, UncutText
from bot.words import Html, Words


def format_message(words: Words, key: str, params: Mapping[str, Param]) -> Html:
    """A text of the catalogue with lengths of time and sizes written out."""
    return words.text(key, **{name: _shown(words, value) for name, value in params.items()})


def format_list(words: Words, report: ListMessage) -> Html:
    """A heading with its lines under it."""
    return format_lines(words, [report.heading, *report.lines])


def format_lines(words: Words, lines: Sequence[LocalizedMessage]) -> Html:
    """One line for each notice."""
    return Html("\n".join(format_message(words, line.key, line.params) for line in lines))


def _shown(words: Words, value: Param) -> str | int | float:
    match value:
        case Seconds():
            return words.duration(value.duration_s, tenths=value.tenths)
        case Bytes():
            return words.size(value.size_bytes)
        case UncutText():
            return Html(html.escape(value.text))
        case LocalizedMessage():
            return format_message(words, value.key, value.params)
        case _:
            return value
