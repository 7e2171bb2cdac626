"""What stands around an event, and which tool it is about."""

import re
from collections.abc import Mapping
from typing import Any

from bot.nemo import lenient_json as read

_CALL_IDS = ("call_id", "callId", "tool_call_id", "toolCallId", "tool_use_id", "toolUseId", "id")
_TOOL_CALL_IDS = tuple(name for name in _CALL_IDS if name != "id")
_WRAPPERS = ("data", "delta", "event", "payload", "events", "body", "item")
_RESULTS = ("result", "response", "answer", "output")
"""Wrappers that hold what a tool returns where an event is about one."""
_NO_SENTENCE = re.compile(
    r"\S+://\S*|/\S*|accepted|queued|pending|processing|submitted|started|running|in.progress|succeeded|completed?"
    r"|finished|failed|error|cancel+ed|created|updated|saved",
    re.IGNORECASE,
)


def inner_of(payload: Mapping[str, Any]) -> Any:
    """Return what an event that says nothing itself may hold: another event, or the agent's words."""
    values = {name: payload[name] for name in _WRAPPERS if payload.get(name) is not None}
    if isinstance(values.get("event"), str) and not read.mapping(values["event"]):
        del values["event"]  # It is the event's name.
    # What a tool returns is no answer.
    if not tool_name(payload) and not any(payload.get(name) for name in _TOOL_CALL_IDS):
        values |= {name: payload[name] for name in _RESULTS if _may_be_words(name, payload.get(name))}
    others = (
        read.mapping(payload.get(name)) for name in ("message", "status", "artifact", "content", "chunk")
    )
    return next(iter((*values.values(), *filter(None, others))), {})


def _may_be_words(name: str, value: Any) -> bool:
    """Return whether a result may be the agent's words, or have them in it."""
    is_bare = isinstance(value, str) and name in ("result", "output")
    return value is not None and not (is_bare and _NO_SENTENCE.fullmatch(value.strip()))


def call_id_of(source: Mapping[str, Any]) -> str:
    """Return what tells a call of a tool apart; empty if there is nothing."""
    return read.text_at(source, *_CALL_IDS) or ""


def tool_name(source: Mapping[str, Any]) -> str:
    """Return the name of a tool; empty if there is none."""
    return (read.text_at(read.snake_keys(source), "name", "tool", "tool_name", "tool_call_name") or "")[:200]
