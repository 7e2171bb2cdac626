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
from bot.nemo.envelopes import call_id_of, inner_of, tool_name
from bot.nemo.errors import message_of
from bot.nemo.keep_alives import is_keep_alive, is_keep_alive_object
from bot.nemo.questions import (
    QuestionSet,
    asks,
    asks_as_event,
    holds_choices,
    read_confirmations,
    read_logins,
    read_open_question,
    read_questions,
    read_tool_question,
)
from bot.nemo.stream_errors import StreamError, is_thought, parse_error, parts_of

_MAX_ENVELOPES = 4
_MAX_TYPE_CHARS = 200
"""Of a type that is compared with known words, which takes quadratic time."""
_NO_WORDS = frozenset(
    {
        *("", "ok", "success", "done", "complete", "completed", "finished", "end", "eof"),
        *("null", "none", "true", "false", "connected"),
    }
)
_OTHERS = ("user", "tool", "function", "system", "developer")
"""Roles of what is no answer: the person's own words, and what tools return."""
_TEXT_KEYS = ("content", "text", "message", "data", "delta", "value")
_BARE = ("text", "content", "reply", "output_text", "outputText")
_MESSAGE_ALONE = frozenset({"message", "msg", "id", "author", "timestamp", "partial", "role"})
"""Where nothing stands beside it, a message is the agent's; else it may be about a state, or explain a code."""
_ENDS = ("done", "complete", "completed", "end")
_OF_TURN = "(?:run|turn|agent|stream|message|response|session|task|workflow|chat|model|llm|server|service|internal|api)"
_ERROR_TYPE = re.compile(
    rf"^(?:error|failed|failure|exception)$|(?:^|[._]){_OF_TURN}[._](?:error|failed|failure|exception)$"
)
"""Types of events that end a turn: of a step that failed, the agent may go on."""
_ENDED = re.compile(
    r"(?:end|ended|result|response|output|complete|completed|done|finish|finished|error|failed)$"
)
_BEGINS = re.compile(r"start\w*|begin\w*|call\w*|run\w*|in_progress", re.IGNORECASE)
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
    name = (
        "" if name.lower() == "message" else name[:_MAX_TYPE_CHARS]
    )  # Which is what an event without a name is called.
    if is_keep_alive(name) or data in ("", '""') or stripped == "null" or is_keep_alive(stripped):
        return (KeepAlive(),)
    payload = read.parse(stripped)
    if payload is None:
        several = read.parse_several(stripped)
        payload = several if any(isinstance(one, dict | list) for one in several) else None
    if payload in ({}, []):
        return (KeepAlive(),)
    if not isinstance(payload, dict | list | str):
        payload = data  # In a stream of plain text, blanks and numbers are pieces of it.
    events = tuple(_read_value(payload, name, _MAX_ENVELOPES))
    if (
        all(isinstance(event, Unknown) for event in events)
        and (other := read.with_lower_keys(payload)) != payload
    ):
        events = tuple(_read_value(other, name, _MAX_ENVELOPES))
    return events or (Unknown(name[:40]),)


def _read_value(value: Any, name: str, depth: int) -> Iterator[Event]:
    """Read a value in the place of an event: several of them, or words in no envelope."""
    if isinstance(value, str):
        value = value.removeprefix("data:")  # Some servers write the field's name twice.
        inner = read.parse(value)
        # A blank at an end makes it a piece of a text.
        words = value.lower() if value.strip() else ""
        if isinstance(inner, (dict, list)) and depth:
            yield from _read_value(inner, name, depth - 1)
        elif is_keep_alive(value):
            yield KeepAlive()
        elif words.startswith(("{", "[", "<!doctype", "<html")) or (
            words in _NO_WORDS and value == value.strip()
        ):
            yield Unknown(name[:40])
        elif name.lower() in _ENDS:
            yield Unknown(name[:40])  # Words such as "stream closed" are the server's.
        elif not name or _typed(read.in_snake_case(name)) is not None:
            yield from _read({"content": value}, name, depth)
        else:
            yield Unknown(name[:40])
    elif isinstance(value, list) and depth:
        for item in value:
            yield from _read_value(item, name, depth - 1)
    elif isinstance(value, dict):
        yield from _read(value, name, depth)


def _read(payload: Mapping[str, Any], name: str, depth: int) -> Iterator[Event]:
    # A question's choices are its options.
    is_models = not isinstance(payload.get("type"), str) and not asks(_type_of(payload, name))
    choices = read.items(read.first_of(payload, ("candidates", "choices"))) if is_models else []
    for choice in choices[:1]:
        payload = {**payload, **read.mapping(choice)}  # a model's own answer; others are alternatives
    type_ = _type_of(payload, name)
    if is_keep_alive(type_) or is_keep_alive_object(payload):
        yield KeepAlive()
        return
    kind = read.in_snake_case(type_)
    typed = _typed(kind) or (_typed_question if asks(kind) and holds_choices(payload) else None)
    read_so = () if typed is None else tuple(typed(payload))
    is_flat = isinstance(payload.get("type"), str)
    if "tool" in kind or not all(isinstance(event, Unknown) for event in read_so):
        within = () if "tool" in kind or not depth else _event_within(payload, depth)
        yield from within or read_so
        return
    # A flat event of an undocumented type is not the agent's answer, whatever text it holds.
    bare = () if is_flat else _bare(payload)
    events = (*_adk(payload), *_calls(payload), *bare)
    yield from events
    if (error := parse_error(payload)) is not None:
        yield error
    elif not events:
        inner = inner_of(payload)
        is_read = depth and (isinstance(inner, dict | list) or not is_flat)
        found = tuple(_read_value(inner, "" if typed else name, depth - 1)) if is_read else ()
        is_known = any(not isinstance(event, Unknown) for event in found)
        yield from found if is_known else read_so or (Unknown((type_ or name)[:40]),)


def _event_within(payload: Mapping[str, Any], depth: int) -> tuple[Event, ...]:
    """Return what an event says that another is wrapped in, which only seems to be a text."""
    if any(isinstance(payload.get(name), str) for name in ("content", "text")):
        return ()
    for wrapper in ("data", "payload", "message", "delta", "event"):
        inner = read.mapping(payload.get(wrapper))
        events = tuple(_read(inner, "", depth - 1)) if inner else ()
        if any(not isinstance(event, Unknown | AgentText) for event in events):
            return events
    return ()


def _type_of(payload: Mapping[str, Any], name: str) -> str:
    """Return an event's type, in whatever place it stands."""
    if not isinstance(payload.get("type"), str) and isinstance(payload.get("kind"), str):
        kind: str = payload["kind"][:_MAX_TYPE_CHARS]
        if _typed(read.in_snake_case(kind)) is not None or is_keep_alive(kind):
            return kind
    event = payload.get("event")
    type_ = payload.get("type") or (event if isinstance(event, str) else None) or name
    return type_[:_MAX_TYPE_CHARS] if isinstance(type_, str) else ""


def _adk(payload: Mapping[str, Any]) -> Iterator[Event]:
    content = payload if "parts" in payload else payload.get("content")
    author = read.text(payload.get("author")) or ""
    is_partial = _completeness(payload) is Completeness.PARTIAL
    completeness = Completeness.PARTIAL if is_partial else Completeness.COMPLETE
    parts = content if isinstance(content, list) else parts_of(read.mapping(content).get("parts"))
    role = (read.text(read.mapping(content).get("role")) or "").lower()
    if author.lower() == "user":
        parts = []  # Some servers repeat the message that they were sent.
    texts: list[str] = []
    for item in parts:
        source = {"text": item} if isinstance(item, str) else read.mapping(item)
        text = source.get("text") or inline_text(source)
        if isinstance(text, str) and text:
            if is_thought(source):
                yield Thought(text)
            elif role not in _OTHERS:
                texts.append(text)
    if texts:
        # Texts of one event are one text: the complete event repeats the partial ones joined.
        yield from _words("".join(texts), completeness, author)
    long_running = read.items(read.first_of(payload, ("longRunningToolIds", "long_running_tool_ids")))
    for item in parts:
        source = read.mapping(item)
        if call := read.mapping(read.first_of(source, ("functionCall", "function_call"))):
            yield from _call(call, is_long_running=call.get("id") in long_running)
        if response := read.mapping(read.first_of(source, ("functionResponse", "function_response"))):
            yield _tool_result(response)
        is_words = is_thought(source) or inline_text(source)
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
        yield from _words(content["text"], _completeness(payload), author)


def _bare(payload: Mapping[str, Any]) -> Iterator[Event]:
    text = next((one for name in _BARE if isinstance(one := payload.get(name), str)), None)
    if text is None and _MESSAGE_ALONE.issuperset(payload) and parse_error(payload) is None:
        said = read.text_at(payload, "message", "msg") or ""
        text = said if " " in said or not said.isascii() else None
    if isinstance(text, str) and text and not read.mapping(text).get("parts"):
        whose = [(read.text(payload.get(name)) or "").lower() for name in ("author", "role")]
        if is_thought(payload):
            yield Thought(text)
        elif whose[0] != "user" and whose[1] not in _OTHERS:
            yield from _words(text, _completeness(payload), read.text(payload.get("author")) or "")


def _words(text: str, completeness: Completeness, author: str) -> Iterator[Event]:
    """Read the agent's words, which may be data: then as an event, or what of it is a sentence."""
    data = None if completeness is Completeness.PARTIAL else read.data_in(text)
    if data is None:
        yield AgentText(text, completeness, author)
        return
    events = tuple(_read_value(data, "", 1))
    if all(isinstance(event, Unknown | KeepAlive) for event in events):
        words = read.text_at(read.mapping(data), "message", "summary", "reply", "msg")
        events = (AgentText(words, completeness, author),) if words and " " in words else (Unknown(),)
    yield from events


def _completeness(payload: Mapping[str, Any]) -> Completeness:
    match str(payload.get("partial")).lower():
        case "true" | "1":
            return Completeness.PARTIAL
        case "false" | "0":
            return Completeness.COMPLETE
    return Completeness.UNMARKED


def _typed(kind: str) -> Callable[[Mapping[str, Any]], Iterator[Event]] | None:
    """Return what reads an event of a type, given in snake case."""
    if kind in _TYPED:
        return _TYPED[kind]
    if asks_as_event(kind):
        return _typed_question
    if "tool" in kind or "function" in kind:
        return _typed_tool
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
    yield from _calls(payload) or _call(_tool_of(payload))


def _calls(payload: Mapping[str, Any]) -> tuple[Event, ...]:
    """Read calls that come in a list, as OpenAI's models write them."""
    sources = (payload, *(read.mapping(payload.get(name)) for name in ("delta", "message", "data")))
    lists = (read.first_of(source, ("tool_calls", "toolCalls")) for source in sources)
    tools = [_tool_of(read.mapping(one)) for found in lists for one in read.items(found)]
    return tuple(event for tool in tools if tool_name(tool) for event in _call(tool))


def _call(source: Mapping[str, Any], *, is_long_running: bool = False) -> Iterator[Event]:
    given = read.first_of(source, ("args", "arguments", "input"))
    args = {"questions": given} if isinstance(given, list) else read.mapping(given)
    call = ToolCall(tool_name(source), args, is_long_running, call_id_of(source))
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


def _typed_tool(payload: Mapping[str, Any]) -> Iterator[Event]:
    """Read an event about a tool that has a type of its own: what it holds tells a call from a result."""
    tool = _tool_of(payload)
    kind = read.in_snake_case(_type_of(payload, ""))
    holds = {key for key in ("result", "response", "output", "error") if tool.get(key) or payload.get(key)}
    state = read.text_at(payload, "status", "state")
    if not tool_name(tool):
        yield Unknown(kind[:40])
    elif holds or _ENDED.search(kind) or (state and not _BEGINS.fullmatch(state)):
        result = _tool_result({**payload, **tool})
        is_bare = isinstance(result, ToolResult) and result.result is None
        said = {
            key: value for key, value in payload.items() if key in ("status", "state", "error", "progress")
        }
        yield ToolResult(tool_name(tool), said, call_id_of({**payload, **tool})) if is_bare else result
    else:
        yield from _call(tool)


def _typed_error(payload: Mapping[str, Any]) -> Iterator[Event]:
    payload = {**read.mapping(payload.get("data")), **payload}
    error = parse_error(payload, is_error=True)
    if error is None:
        yield Unknown("error")  # It names the end of a turn.
        return
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
            *("tool_call_start", "tool_started", "tool_calls", "function_calls"),
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
    **dict.fromkeys(("text_end", *_ENDS), _typed_text_end),
    **dict.fromkeys(
        ("tool_result", "tool_response", "function_response", "tool_call_result", "tool_end", "tool_output"),
        _typed_result,
    ),
    **dict.fromkeys(
        ("image", "picture", "file", "video", "audio", "attachment", "artifact", "image_url"), _typed_file
    ),
    "error": _typed_error,
}


def _tool_result(source: Mapping[str, Any]) -> ToolResult | AgentQuestion:
    result = read.first_of(source, ("result", "response", "output"))
    if (asked := read_open_question(tool_name(source), read.mapping(result))) is not None:
        return AgentQuestion(asked)
    return ToolResult(tool_name(source), result, call_id_of(source))


def _tool_of(payload: Mapping[str, Any], depth: int = _MAX_ENVELOPES) -> Mapping[str, Any]:
    """Return the part of a typed event that names the tool."""
    if tool_name(payload) or not depth:
        return payload
    inner = (_tool_of(one, depth - 1) for name in _TOOLS if (one := read.mapping(payload.get(name))))
    tool = next((one for one in inner if tool_name(one)), payload)
    return tool if tool is payload or call_id_of(tool) else {"id": call_id_of(payload), **tool}
