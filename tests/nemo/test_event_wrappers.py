"""Each event is read whatever stands around it, and however its keys are written."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from bot.nemo.events import (
    AgentQuestion,
    AgentText,
    KeepAlive,
    ToolCall,
    ToolResult,
    Unknown,
    read_event,
)
from bot.nemo.stream_errors import StreamError

ASKED = {"questions": [{"id": "a", "prompt": "Which look?", "options": [{"id": "x", "label": "Calm"}]}]}
CALL = {"functionCall": {"id": "q", "name": "ask_question", "args": ASKED}}
RESPONSE = {"functionResponse": {"id": "g", "name": "generate_video", "response": {"status": "pending"}}}
NOTHING = {
    "finishReason": "STOP",
    "errorCode": "MODEL_RETURNED_NO_CONTENT",
    "errorMessage": "nothing actionable",
}


def adk(part: Any, role: str = "model") -> dict[str, Any]:
    return {"author": "agent", "content": {"role": role, "parts": [part]}}


EVENTS: list[tuple[dict[str, Any], type | None]] = [
    (adk(CALL), AgentQuestion),
    ({"type": "ask_question", **ASKED}, AgentQuestion),
    ({"type": "tool_call", "name": "ask_question", "args": ASKED}, AgentQuestion),
    (adk({"text": "I made it."}), AgentText),
    ({"type": "text", "content": "I made it."}, AgentText),
    ({"text": "I made it."}, AgentText),
    ({"author": "agent", "errorCode": "SAFETY", "errorMessage": "blocked"}, StreamError),
    ({"error": "RuntimeError: boom"}, StreamError),
    ({"type": "error", "message": "boom"}, StreamError),
    ({"author": "agent", "errorCode": "STOP", "turnComplete": True}, None),
    ({**adk({"text": ""}), **NOTHING}, None),
    (adk({"functionCall": {"id": "g", "name": "generate_music", "args": {}}}), ToolCall),
    ({"type": "tool_call", "name": "generate_music", "args": {}}, ToolCall),
    (adk(RESPONSE, "user"), ToolResult),
    ({"type": "tool_result", "name": "generate_video", "result": {"status": "pending"}}, ToolResult),
    ({"type": "heartbeat"}, KeepAlive),
]


def with_keys(change: Callable[[str], str], value: Any) -> Any:
    if isinstance(value, dict):
        return {change(key): with_keys(change, item) for key, item in value.items()}
    return [with_keys(change, item) for item in value] if isinstance(value, list) else value


def snake(key: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", key).lower()


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "as it is": lambda event: event,
    "snake_case": lambda event: with_keys(snake, event),
    "PascalCase": lambda event: with_keys(lambda key: key[:1].upper() + key[1:], event),
    "UPPER_CASE": lambda event: with_keys(lambda key: snake(key).upper(), event),
    "an envelope": lambda event: {"code": 0, "message": "success", "data": event},
    "a list": lambda event: [event],
    "JSON in JSON": json.dumps,
    "JSON in an envelope": lambda event: {"data": json.dumps(event)},
    "events": lambda event: {"events": [event]},
    "JSON-RPC": lambda event: {"jsonrpc": "2.0", "result": event},
    "a type of its own": lambda event: {"type": "agent_update", "payload": event},
    "a name of its own": lambda event: {"event": "agent_event", "data": event},
    "the type of a text": lambda event: {"type": "message", "data": event},
    "the type of a piece": lambda event: {"type": "delta", "delta": event},
    "several": lambda event: {"data": {"event": {"payload": event}}},
    **{
        name: lambda event, name=name: {name: event}  # type: ignore[misc]
        for name in (
            "data",
            "payload",
            "event",
            "result",
            "response",
            "message",
            "output",
            "body",
            "item",
            "content",
        )
    },
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("name", ["", "message"])
def test_an_event_is_read_within_a_wrapper(wrapper: str, name: str) -> None:
    for event, kind in EVENTS:
        found = {type(one) for one in read_event(json.dumps(WRAPPERS[wrapper](event)), name)}
        assert found - {Unknown} == ({kind} if kind else set()), event
