"""What the agent says while it works: typed events, read from every shape that the service is known to send.

The agent runs on Google's Agent Development Kit (https://google.github.io/adk-docs/events/); some servers
in front of it send flat events with a ``type``, a bare text or an envelope instead, all of them mixed in
one stream.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bot.nemo import read
from bot.nemo.errors import Call, ServiceError, code_of, error_for, message_of

_KEEP_ALIVE_NAMES = frozenset({"heartbeat", "keep-alive", "keepalive", "keep_alive", "ping"})
_MAX_ENVELOPES = 4


class TextPart(Enum):
    """How a text relates to the ones before it."""

    PIECE = "piece"
    """Goes on where the last piece of its author ended; is repeated whole later."""
    WHOLE = "whole"
    """Complete; repeats the pieces before it, if there were any."""
    UNMARKED = "unmarked"
    """The server does not say."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words for the chat. May end in half a surrogate pair: :class:`~bot.nemo.turns.TurnText` joins them."""

    text: str
    part: TextPart = TextPart.WHOLE
    author: str = ""


@dataclass(frozen=True, slots=True)
class Thought:
    """The agent thinks aloud. Not to be shown; a sign of life."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The agent starts a tool, such as ``generate_video``."""

    name: str
    args: Mapping[str, Any]
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool has ended."""

    name: str
    result: Any
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class StateDelta:
    """The session's state changes by this."""

    delta: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The server is alive, and nothing else."""


@dataclass(frozen=True, slots=True)
class StreamError:
    """The turn failed, or part of it.

    Args:
        code: The service's number, if it gave one.
        message: Its words, bounded and without tokens.
        reason: A code that is a word, such as ``SAFETY``.
    """

    code: int | None
    message: str
    reason: str | None = None

    def as_error(self, call: Call) -> ServiceError:
        """The exception that the same code would be outside a stream."""
        return error_for(call, status=None, code=self.code, message=self.message or self.reason or "")


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that this library does not know; ``kind`` is the server's name for it."""

    kind: str = ""


Event = Text | Thought | ToolCall | ToolResult | StateDelta | KeepAlive | StreamError | Unknown


def read_event(data: str, name: str = "") -> tuple[Event, ...]:
    """Read one server-sent event.

    Args:
        data: Its ``data`` field.
        name: Its ``event`` field.

    Returns:
        At least one event, whatever the data holds.
    """
    stripped = data.strip()
    if name.lower() in _KEEP_ALIVE_NAMES or stripped.strip('"').lower() in ("", "null", *_KEEP_ALIVE_NAMES):
        return (KeepAlive(),)
    payload = read.parse(stripped)
    if not isinstance(payload, dict):
        return (Unknown(name[:40]),)
    return tuple(_read(payload, name, _MAX_ENVELOPES)) or (Unknown(name[:40]),)


def _read(payload: Mapping[str, Any], name: str, depth: int) -> Iterator[Event]:
    kind = payload.get("type") or name
    typed = _TYPED.get(kind.lower()) if isinstance(kind, str) else None
    if isinstance(kind, str) and kind.lower() in _KEEP_ALIVE_NAMES:
        yield KeepAlive()
        return
    if typed is not None:
        yield from typed(payload)
        return
    found = False
    for event in (*_adk(payload), *_bare(payload)):
        found = True
        yield event
    if (error := _error(payload)) is not None:
        yield error
        return
    inner = payload.get("data")
    if isinstance(inner, dict) and depth and not found:
        yield from _read(inner, name, depth - 1)
        return
    if not found:
        yield Unknown((kind if isinstance(kind, str) else name)[:40])


def _adk(payload: Mapping[str, Any]) -> Iterator[Event]:
    content = payload.get("content")
    author = read.text(payload.get("author")) or ""
    part = TextPart.PIECE if payload.get("partial") is True else TextPart.WHOLE
    parts = read.items(content.get("parts")) if isinstance(content, dict) else []
    texts: list[str] = []
    for item in parts:
        source = read.mapping(item)
        words = source.get("text")
        if isinstance(words, str) and words:
            if source.get("thought") is True:
                yield Thought(words)
            else:
                texts.append(words)
    if texts:
        # Texts of one event are one text: the pieces were repeated as their sum.
        yield Text("".join(texts), part, author)
    for item in parts:
        source = read.mapping(item)
        if call := read.mapping(read.first(source, ("functionCall", "function_call"))):
            yield _tool_call(call)
        if response := read.mapping(read.first(source, ("functionResponse", "function_response"))):
            yield _tool_result(response)
    actions = read.mapping(payload.get("actions"))
    if delta := read.mapping(read.first(actions, ("stateDelta", "state_delta"))):
        yield StateDelta(delta)
    if isinstance(content, dict) and not parts and isinstance(content.get("text"), str) and content["text"]:
        yield Text(content["text"], _marked(payload), author)


def _bare(payload: Mapping[str, Any]) -> Iterator[Event]:
    words = payload.get("text")
    if not isinstance(words, str):
        words = payload.get("content")
    if isinstance(words, str) and words:
        if payload.get("thought") is True:
            yield Thought(words)
        else:
            yield Text(words, _marked(payload), read.text(payload.get("author")) or "")


def _marked(payload: Mapping[str, Any]) -> TextPart:
    match payload.get("partial"):
        case True:
            return TextPart.PIECE
        case False:
            return TextPart.WHOLE
    return TextPart.UNMARKED


def _error(payload: Mapping[str, Any], *, told: bool = False) -> StreamError | None:
    code = code_of(payload)
    word = read.text(read.first(payload, ("errorCode", "error_code")))
    error = payload.get("error")
    detail = read.text(payload.get("detail"))
    said = bool(read.text(error)) or bool(read.mapping(error)) or error is True
    failed = payload.get("success") is False
    message = read.text(read.first(payload, ("errorMessage", "error_message")))
    if not (told or code or (word and word != "0") or said or detail or failed or message):
        return None
    if code is None and detail and "not found" in detail.lower():
        code = 404
    return StreamError(code, message_of(payload), word if word and code is None and word != "0" else None)


def _typed_text(payload: Mapping[str, Any]) -> Iterator[Event]:
    if isinstance(payload.get("content"), dict):
        yield from _adk(payload)
    else:
        yield from _bare(payload)


def _typed_thought(payload: Mapping[str, Any]) -> Iterator[Event]:
    yield Thought(read.text_at(payload, "content", "text") or "")


def _typed_call(payload: Mapping[str, Any]) -> Iterator[Event]:
    yield _tool_call(payload)


def _typed_result(payload: Mapping[str, Any]) -> Iterator[Event]:
    yield _tool_result(payload)


def _typed_error(payload: Mapping[str, Any]) -> Iterator[Event]:
    error = _error(payload, told=True) or StreamError(None, "")
    if not error.message and (words := read.text(payload.get("content"))):
        error = StreamError(error.code, message_of({"message": words}), error.reason)
    yield error


_TYPED = {
    "text": _typed_text,
    "thought": _typed_thought,
    "thinking": _typed_thought,
    "tool_call": _typed_call,
    "tool_result": _typed_result,
    "error": _typed_error,
}


def _tool_call(source: Mapping[str, Any]) -> ToolCall:
    args = read.mapping(read.first(source, ("args", "arguments", "input")))
    return ToolCall(_tool_name(source), args, read.text(source.get("id")))


def _tool_result(source: Mapping[str, Any]) -> ToolResult:
    result = read.first(source, ("result", "response", "output"))
    return ToolResult(_tool_name(source), result, read.text(source.get("id")))


def _tool_name(source: Mapping[str, Any]) -> str:
    return (read.text_at(source, "name", "tool", "tool_name") or "")[:200]
