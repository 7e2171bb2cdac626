"""Typed events of the agent, read from every form that the service is known to send.

The agent runs on Google's Agent Development Kit (https://google.github.io/adk-docs/events/). Some servers in front of
it send flat events with a ``type``, bare texts or envelopes instead, mixed in one stream.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bot.nemo import lenient_json as read
from bot.nemo.agent_file import AgentFile, inline_text, read_file, read_typed_file
from bot.nemo.errors import Call, ServiceError, code_of, error_for, error_of, message_of
from bot.nemo.failures import is_normal_end
from bot.nemo.questions import (
    QuestionSet,
    asks,
    read_confirmations,
    read_logins,
    read_questions,
    read_tool_question,
)

_KEEP_ALIVE_NAMES = frozenset({"heartbeat", "keep-alive", "keepalive", "keep_alive", "ping", "warming_up"})
_MAX_ENVELOPES = 4
_NO_WORDS = frozenset(
    {"", "ok", "success", "done", "end", "eof", "null", "none", "true", "false", "connected"}
)
_OTHERS = ("user", "tool", "function", "system", "developer")
"""Roles of what is no answer: the person's own words, and what tools return."""
_TEXT_KEYS = ("content", "text", "message", "data", "delta", "value")
_CALL_IDS = ("call_id", "callId", "tool_call_id", "toolCallId", "tool_use_id", "toolUseId", "id")
_WRAPPERS = ("data", "delta", "event", "result", "response", "answer", "output")
_BAD_END = re.compile(
    "SAFETY|BLOCK|PROHIBIT|RECITATION|SPII|LANGUAGE|OTHER|FILTER|REFUS|MALFORMED|UNEXPECTED|NO_IMAGE|TOO_MANY|MISSING"
    "|ERROR|FAIL|CANCEL|TIMEOUT|INTERRUPT",
    re.IGNORECASE,
)
_ERROR_TYPE = re.compile(r"(?:^|[._])(?:error|failed|failure|exception)$")
_TOOLS = ("data", "function", "tool", "tool_call", "toolCall", "function_call", "functionCall", "payload")


class Completeness(Enum):
    """How a text relates to the ones before it."""

    PARTIAL = "partial"
    """Continues the author's last partial text; the complete text follows."""
    COMPLETE = "complete"
    """Complete; repeats the partial texts before it, if there were any."""
    UNMARKED = "unmarked"
    """The server does not say."""


@dataclass(frozen=True, slots=True)
class AgentText:
    """Text for the chat. May end in half a surrogate pair: :class:`~bot.nemo.turn_text.TurnText` joins them."""

    text: str
    completeness: Completeness = Completeness.COMPLETE
    author: str = ""


@dataclass(frozen=True, slots=True)
class Thought:
    """The agent's reasoning: a sign of life, not for the chat."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The agent starts a tool, such as ``generate_video``."""

    name: str
    args: Mapping[str, Any]
    is_long_running: bool = False  # whether its result may come after the turn
    call_id: str = ""  # tells calls of one tool apart; empty if the server gives none


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool has ended."""

    name: str
    result: Any
    call_id: str = ""  # of the call that it answers; empty if the server gives none


@dataclass(frozen=True, slots=True)
class AgentQuestion:
    """A question to a person. It ends the turn, and nothing is finished."""

    asked: QuestionSet


@dataclass(frozen=True, slots=True)
class StateDelta:
    """A change of the session's state."""

    delta: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The server is alive; nothing has happened."""


@dataclass(frozen=True, slots=True)
class StreamError:
    """The turn failed, or a part of it.

    Args:
        code: The service's numeric code, if there is one.
        message: The service's message, bounded and without tokens.
        reason: A code that is a word, such as ``SAFETY``.
    """

    code: int | None
    message: str
    reason: str | None = None

    def as_error(self, call: Call) -> ServiceError:
        """Return the exception that the same code raises outside of a stream."""
        return error_for(call, status=None, code=self.code, message=self.message or self.reason or "")


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event that this library does not know; ``type`` is the server's name for it."""

    type: str = ""


Event = (
    AgentText
    | Thought
    | ToolCall
    | ToolResult
    | AgentQuestion
    | AgentFile
    | StateDelta
    | KeepAlive
    | StreamError
    | Unknown
)


def read_event(data: str, name: str = "") -> tuple[Event, ...]:
    """Read one server-sent event.

    Args:
        data: Its ``data`` field.
        name: Its ``event`` field.

    Returns:
        At least one event, whatever the data contains.
    """
    stripped = data.strip()
    if name.lower() in _KEEP_ALIVE_NAMES or stripped.strip('"').lower() in ("", "null", *_KEEP_ALIVE_NAMES):
        return (KeepAlive(),)
    payload = read.parse(stripped)
    if payload is None:
        payload = read.parse_several(stripped) or data
    events = tuple(_read_value(payload, name, _MAX_ENVELOPES))
    if (
        all(isinstance(event, Unknown) for event in events)
        and (other := _with_lower_keys(payload)) != payload
    ):
        events = tuple(_read_value(other, name, _MAX_ENVELOPES))
    return events or (Unknown(name[:40]),)


def _read_value(value: Any, name: str, depth: int) -> Iterator[Event]:
    """Read a value in the place of an event: several of them, or words in no envelope."""
    if isinstance(value, str):
        value = value.removeprefix("data:")  # Some servers write the field's name twice.
        inner = read.parse(value)
        words = value.strip().lower()
        if isinstance(inner, (dict, list)) and depth:
            yield from _read_value(inner, name, depth - 1)
        elif words.startswith(("{", "[", "<!doctype", "<html")) or words in _NO_WORDS:
            yield Unknown(name[:40])
        elif name.lower() in ("", "message") or _typed(read.in_snake_case(name)) is not None:
            yield from _read({"content": value}, name, depth)
        else:
            yield Unknown(name[:40])
    elif isinstance(value, list) and depth:
        for item in value:
            yield from _read_value(item, name, depth - 1)
    elif isinstance(value, dict):
        yield from _read(value, name, depth)


def _with_lower_keys(value: Any, depth: int = 5) -> Any:
    """Return a value with keys as ADK writes them, where a server writes them with a capital."""
    if isinstance(value, dict) and depth:
        return {key[:1].lower() + key[1:]: _with_lower_keys(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list) and depth:
        return [_with_lower_keys(item, depth - 1) for item in value]
    return value


def _read(payload: Mapping[str, Any], name: str, depth: int) -> Iterator[Event]:
    # A question's choices are its options.
    is_models = not isinstance(payload.get("type"), str) and not asks(name)
    choices = read.items(read.first_of(payload, ("candidates", "choices"))) if is_models else []
    for choice in choices[:1]:
        payload = {**payload, **read.mapping(choice)}  # a model's own answer; others are alternatives
    event = payload.get("event")
    type_ = payload.get("type") or (event if isinstance(event, str) else None) or name
    if not isinstance(type_, str):
        type_ = ""
    if type_.lower() in _KEEP_ALIVE_NAMES:
        yield KeepAlive()
        return
    kind = read.in_snake_case(type_)
    if (typed := _typed(kind)) is not None:
        yield from typed(payload)
        return
    # A flat event of an undocumented type is not the agent's answer, whatever text it holds.
    bare = () if isinstance(payload.get("type"), str) else _bare(payload)
    events = (*_adk(payload), *bare)
    yield from events
    if (error := _parse_error(payload)) is not None:
        yield error
    elif not events:
        # What a tool returns is no answer.
        inner = read.first_of(payload, _WRAPPERS[: 3 if _tool_name(payload) else None])
        inner = read.mapping(payload.get("message")) if inner is None else inner
        is_read = depth and (isinstance(inner, dict) or not isinstance(payload.get("type"), str))
        found = tuple(_read_value(inner, name, depth - 1)) if is_read else ()
        is_known = any(not isinstance(event, Unknown) for event in found)
        yield from found if is_known else (Unknown((type_ or name)[:40]),)


def _adk(payload: Mapping[str, Any]) -> Iterator[Event]:
    content = payload if "parts" in payload else payload.get("content")
    author = read.text(payload.get("author")) or ""
    is_partial = _completeness(payload) is Completeness.PARTIAL
    completeness = Completeness.PARTIAL if is_partial else Completeness.COMPLETE
    parts = content if isinstance(content, list) else _parts(read.mapping(content).get("parts"))
    role = (read.text(read.mapping(content).get("role")) or "").lower()
    if author.lower() == "user":
        parts = []  # Some servers repeat the message that they were sent.
    texts: list[str] = []
    for item in parts:
        source = {"text": item} if isinstance(item, str) else read.mapping(item)
        text = source.get("text") or inline_text(source)
        if isinstance(text, str) and text:
            if _is_thought(source):
                yield Thought(text)
            elif role not in _OTHERS:
                texts.append(text)
    if texts:
        # Texts of one event are one text: the complete event repeats the partial ones joined.
        yield AgentText("".join(texts), completeness, author)
    long_running = read.items(read.first_of(payload, ("longRunningToolIds", "long_running_tool_ids")))
    for item in parts:
        source = read.mapping(item)
        if call := read.mapping(read.first_of(source, ("functionCall", "function_call"))):
            yield from _call(call, is_long_running=call.get("id") in long_running)
        if response := read.mapping(read.first_of(source, ("functionResponse", "function_response"))):
            yield _tool_result(response)
        is_words = _is_thought(source) or inline_text(source)
        if not is_words and (file := read_file(source)) is not None:
            yield file
    actions = read.mapping(payload.get("actions"))
    if delta := read.mapping(read.first_of(actions, ("stateDelta", "state_delta"))):
        yield StateDelta(delta)
    confirmations = ("requestedToolConfirmations", "requested_tool_confirmations")
    if asked := read_confirmations(read.mapping(read.first_of(actions, confirmations))):
        yield AgentQuestion(asked)
    logins = ("requestedAuthConfigs", "requested_auth_configs")
    if asked := read_logins(read.mapping(read.first_of(actions, logins))):
        yield AgentQuestion(asked)
    if isinstance(content, dict) and not parts and isinstance(content.get("text"), str) and content["text"]:
        yield AgentText(content["text"], _completeness(payload), author)


def _parts(value: Any) -> list[Any]:
    """Return the parts of a content; a single one may stand for all."""
    if isinstance(value, str) or (isinstance(value, dict) and "text" in value):
        return [value]
    return read.items(value)


def _bare(payload: Mapping[str, Any]) -> Iterator[Event]:
    text = payload.get("text")
    if not isinstance(text, str):
        text = payload.get("content")
    if isinstance(text, str) and text and not read.mapping(text).get("parts"):
        whose = [(read.text(payload.get(name)) or "").lower() for name in ("author", "role")]
        if _is_thought(payload):
            yield Thought(text)
        elif whose[0] != "user" and whose[1] not in _OTHERS:
            yield AgentText(text, _completeness(payload), read.text(payload.get("author")) or "")


def _is_thought(source: Mapping[str, Any]) -> bool:
    return str(source.get("thought")).lower() == "true"


def _completeness(payload: Mapping[str, Any]) -> Completeness:
    match str(payload.get("partial")).lower():
        case "true" | "1":
            return Completeness.PARTIAL
        case "false" | "0":
            return Completeness.COMPLETE
    return Completeness.UNMARKED


def _parse_error(payload: Mapping[str, Any], *, is_error: bool = False) -> StreamError | None:
    code = code_of(payload)
    detail = read.text(payload.get("detail"))
    if code is None and detail and "not found" in detail.lower():
        code = 404
    names = ("errorCode", "error_code", *(("code",) if read.text(payload.get("message")) else ()))
    reason = read.text(read.first_of(payload, names))
    finish_reason = reason or _finish_reason(payload)
    error = error_of(payload)
    if code is None and is_normal_end(finish_reason) and not error:
        return None  # The errorMessage beside it only explains the finish.
    if _is_empty(payload.get("content")):
        reason = finish_reason
    words = read.text(error)
    has_error = (words and not is_normal_end(words)) or any(read.mapping(error).values()) or error is True
    status = read.text(payload.get("status")) or ""
    failed = payload.get("success") is False or status.lower() in ("error", "failed")
    message = read.text(read.first_of(payload, ("errorMessage", "error_message")))
    if code is not None or read.integer(reason) is not None:
        reason = None
    if not (is_error or code or reason or has_error or detail or failed or message):
        return None
    return StreamError(code, message_of(payload), reason)


def _is_empty(content: Any) -> bool:
    """Return whether a content holds nothing but thoughts and empty parts."""
    parts = [read.mapping(part) for part in _parts(read.mapping(content).get("parts"))]
    is_wordless = not any(any(part.values()) and not _is_thought(part) for part in parts)
    return not content or (isinstance(content, dict) and not content.get("text") and is_wordless)


def _finish_reason(payload: Mapping[str, Any]) -> str | None:
    if payload.get("interrupted") is True:
        return "INTERRUPTED"
    refused = read.mapping(read.first_of(payload, ("promptFeedback", "prompt_feedback")))
    reason = read.text_at(payload, "finishReason", "finish_reason")
    if reason and not _BAD_END.search(reason):
        return "STOP"  # Every model has words of its own for a normal end.
    return reason or read.text_at(refused, "blockReason", "block_reason")


def _typed(kind: str) -> Callable[[Mapping[str, Any]], Iterator[Event]] | None:
    """Return what reads an event of a type, given in snake case."""
    if kind in _TYPED:
        return _TYPED[kind]
    if asks(kind):
        return _typed_question
    return _typed_error if _ERROR_TYPE.search(kind) and "tool" not in kind else None


def _typed_text(payload: Mapping[str, Any]) -> Iterator[Event]:
    content = read.first_of(payload, _TEXT_KEYS)
    if isinstance(content, dict) and (inner := read.first_of(content, _TEXT_KEYS)) is not None:
        payload, content = {**payload, **content}, inner
    if isinstance(content, dict | list):
        yield from _adk({**payload, "content": content})
    else:
        yield from _bare({**payload, "text": content, "content": None})


def _typed_thought(payload: Mapping[str, Any]) -> Iterator[Event]:
    yield Thought(read.text_at(payload, "content", "text", "message", "status") or "")


def _typed_call(payload: Mapping[str, Any]) -> Iterator[Event]:
    yield from _call(_tool_of(payload))


def _call(source: Mapping[str, Any], *, is_long_running: bool = False) -> Iterator[Event]:
    args = read.mapping(read.first_of(source, ("args", "arguments", "input")))
    call = ToolCall(_tool_name(source), args, is_long_running, _call_id(source))
    asked = read_tool_question(call.name, call.args, is_long_running=is_long_running)
    yield call if asked is None else AgentQuestion(asked)


def _typed_question(payload: Mapping[str, Any]) -> Iterator[Event]:
    words = read.text(payload.get("content"))  # which is a wrapper elsewhere
    asked = read_questions({"prompt": words, **payload} if words else payload)
    yield Unknown("ask_question") if asked is None else AgentQuestion(asked)


def _typed_chunk(payload: Mapping[str, Any]) -> Iterator[Event]:
    text = read.first_of(payload, ("content", "text", "delta", "chunk", "token"))
    text = read.first_of(text, ("content", "text")) if isinstance(text, dict) else text
    if isinstance(text, str) and text:
        yield AgentText(text, Completeness.PARTIAL, read.text(payload.get("author")) or "")


def _typed_text_end(payload: Mapping[str, Any]) -> Iterator[Event]:
    text = read.text_at(payload, "content", "text")
    if text and text.lower() not in _NO_WORDS:
        yield AgentText(text, Completeness.COMPLETE, read.text(payload.get("author")) or "")


def _typed_file(payload: Mapping[str, Any]) -> Iterator[Event]:
    yield read_typed_file(payload) or Unknown("file")


def _typed_result(payload: Mapping[str, Any]) -> Iterator[Event]:
    yield _tool_result(_tool_of(payload))


def _typed_error(payload: Mapping[str, Any]) -> Iterator[Event]:
    payload = {**read.mapping(payload.get("data")), **payload}
    error = _parse_error(payload, is_error=True) or StreamError(None, "")
    if not error.message and (text := read.text(payload.get("content"))):
        error = StreamError(error.code, message_of({"message": text}), error.reason)
    yield error


_TYPED: dict[str, Callable[[Mapping[str, Any]], Iterator[Event]]] = {
    **dict.fromkeys(
        ("thought", "thinking", "thinking_start", "thinking_delta", "thinking_end", "status"), _typed_thought
    ),
    **dict.fromkeys(
        (
            *("text_delta", "chunk", "token", "delta", "content_delta", "message_delta", "message_chunk"),
            *("text_chunk", "text_message_content", "response.output_text.delta", "text.delta"),
        ),
        _typed_chunk,
    ),
    **dict.fromkeys(
        (
            *("tool_call", "tool_start", "toolcall_start", "tool_use", "function_call"),
            *("tool_call_start", "tool_started"),
        ),
        _typed_call,
    ),
    **dict.fromkeys(
        (
            *("text", "message", "content", "answer", "response", "assistant", "final", "output_text"),
            *("agent_message", "assistant_message", "ai_message", "final_answer", "final_response"),
            *("reply", "model", "markdown"),
        ),
        _typed_text,
    ),
    **dict.fromkeys(("text_end", "done", "complete", "completed", "end"), _typed_text_end),
    **dict.fromkeys(
        ("tool_result", "tool_response", "function_response", "tool_call_result", "tool_end", "tool_output"),
        _typed_result,
    ),
    **dict.fromkeys(
        ("image", "picture", "file", "video", "audio", "attachment", "artifact", "image_url"), _typed_file
    ),
    "error": _typed_error,
}


def _tool_result(source: Mapping[str, Any]) -> ToolResult:
    result = read.first_of(source, ("result", "response", "output"))
    return ToolResult(_tool_name(source), result, _call_id(source))


def _call_id(source: Mapping[str, Any]) -> str:
    return read.text_at(source, *_CALL_IDS) or ""


def _tool_of(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a typed event that names the tool."""
    inner = (read.mapping(payload.get(name)) for name in _TOOLS)
    return payload if _tool_name(payload) else next((one for one in inner if _tool_name(one)), payload)


def _tool_name(source: Mapping[str, Any]) -> str:
    return (read.text_at(read.snake_keys(source), "name", "tool", "tool_name", "tool_call_name") or "")[:200]
