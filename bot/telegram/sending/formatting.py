"""Messages put into a language: catalogue keys and typed parameters become Telegram HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from bot.jobs.clip_names import clip_names, track_label
from bot.jobs.messages import (
    Bytes,
    ListMessage,
    LocalizedMessage,
    Names,
    Param,
    Seconds,
    TimeRange,
    UncutText,
)
from bot.nemo.drafts import Draft
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
