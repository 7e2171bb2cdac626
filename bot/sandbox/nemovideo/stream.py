"""The agent's events on the wire: ADK's in both spellings, typed ones, and bare ones."""

import base64
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Shape = Literal["adk", "adk_snake", "typed", "bare"]

# Each documented kind in turn.
KEEPALIVES = (": keep-alive\n\n", "data:\n\n", "data: heartbeat\n\n", "event: heartbeat\n\n")

# An ADK server sends these in every event.
_ACTIONS: dict[str, Any] = {
    "stateDelta": {},
    "artifactDelta": {},
    "requestedAuthConfigs": {},
    "requestedToolConfirmations": {},
}
_CALLER_KEYS = {"args", "response", "stateDelta"}  # below it is data, whose keys aren't ADK's


@dataclass(slots=True)
class Events:
    """Formats the events of a turn.

    Args:
        shape: Their shape.
        now_s: Their Unix time in seconds.
    """

    shape: Shape
    now_s: float
    invocation_id: str = field(default_factory=lambda: f"e-{uuid.uuid4()}")

    def thought(self, text: str) -> Iterator[str]:
        """Return a thought of the agent, which nobody should see; only ADK has them."""
        if self.shape.startswith("adk"):
            yield self._adk([{"text": text, "thought": True}], partial=True)

    def text(self, text: str, *, last: bool = False) -> Iterator[str]:
        """Return a text: in ADK's shapes in pieces, then as a whole again.

        Args:
            text: The text.
            last: Whether it ends the turn.
        """
        if self.shape == "typed":
            yield encode({"type": "text", "content": text})
        elif self.shape == "bare":
            yield encode({"text": text})
        else:
            pieces = re.findall(r".{1,24}(?:\s|$)|.{1,24}", text, re.DOTALL)
            if len(pieces) > 1:
                for piece in pieces:
                    yield self._adk([{"text": piece}], partial=True)
            yield self._adk([{"text": text}], last=last)

    def tool(self, name: str, args: dict[str, Any], result: dict[str, Any]) -> Iterator[str]:
        """Return a tool's call and its result."""
        call_id = f"adk-{uuid.uuid4()}"
        if self.shape == "typed":
            yield encode({"type": "tool_call", "name": name, "args": args})
            yield encode({"type": "tool_result", "name": name, "result": result})
        elif self.shape != "bare":
            yield self._adk([{"functionCall": {"id": call_id, "args": args, "name": name}}], running=call_id)
            yield self._adk([{"functionResponse": {"id": call_id, "name": name, "response": result}}])

    def file(self, name: str, content_type: str, *, content: bytes = b"", url: str = "") -> Iterator[str]:
        """Return a file as a part of an ADK event, as no other shape has files: its bytes, or its URL."""
        about = {"displayName": name, "mimeType": content_type}
        if url:
            yield self._adk([{"fileData": {**about, "fileUri": url}}])
        else:
            # ADK writes Base64 with the URL's alphabet.
            yield self._adk([{"inlineData": {**about, "data": base64.urlsafe_b64encode(content).decode()}}])

    def ask(self, args: dict[str, Any]) -> Iterator[str]:
        """Return a call of ``ask_question``; bare events have a type of their own for it."""
        call_id = f"adk-{uuid.uuid4()}"
        if self.shape == "typed":
            yield encode({"type": "tool_call", "name": "ask_question", "args": args})
        elif self.shape == "bare":
            yield encode({"type": "ask_question", **args})
        else:
            call = {"id": call_id, "args": args, "name": "ask_question"}
            yield self._adk([{"functionCall": call}], running=call_id)

    def confirm(self, tool: str, hint: str) -> Iterator[str]:
        """Return ADK's request for a confirmation: the tool's call, its first result, and a call of its own."""
        tool_id, call_id = f"adk-{uuid.uuid4()}", f"adk-{uuid.uuid4()}"
        call = {"id": tool_id, "args": {}, "name": tool}
        hint = hint or (
            f"Please approve or reject the tool call {tool}() by responding with a FunctionResponse with an "
            "expected ToolConfirmation payload."
        )
        result = {"error": "This tool call requires confirmation, please approve or reject."}
        args = {"originalFunctionCall": call, "toolConfirmation": {"hint": hint, "confirmed": False}}
        request = {"id": call_id, "args": args, "name": "adk_request_confirmation"}
        yield self._adk([{"functionCall": call}])
        yield self._adk([{"functionCall": request}], running=call_id)
        yield self._adk([{"functionResponse": {"id": tool_id, "name": tool, "response": result}}])

    def state(self, delta: dict[str, Any]) -> Iterator[str]:
        """Return a change of the session's state; only ADK has them."""
        if self.shape.startswith("adk"):
            yield self._adk(None, delta=delta)

    def error_event(self, code: str, message: str) -> str:
        """Return an ADK error event, as for a blocked answer."""
        return self._adk(None, error=(code, message))

    def _adk(
        self,
        parts: list[dict[str, Any]] | None,
        *,
        partial: bool = False,
        last: bool = False,
        running: str = "",
        delta: dict[str, Any] | None = None,
        error: tuple[str, str] | None = None,
    ) -> str:
        event: dict[str, Any] = {}
        if parts is not None:
            event["content"] = {"parts": parts, "role": "model"}
        if partial:
            event["partial"] = True
        if last:
            event["turnComplete"] = True
        if error is not None:
            event["errorCode"], event["errorMessage"] = error
        event |= {
            "invocationId": self.invocation_id,
            "author": "nemo_agent",
            "actions": {**_ACTIONS, "stateDelta": delta or {}},
            "nodeInfo": {"path": ""},
        }
        if running:
            event["longRunningToolIds"] = [running]
        event |= {"id": str(uuid.uuid4()), "timestamp": self.now_s}
        return encode(_snake(event) if self.shape == "adk_snake" else event)


def encode(value: object) -> str:
    """Return an SSE event with a JSON value, as an ADK server formats it."""
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _snake(value: Any) -> Any:
    if isinstance(value, list):
        return [_snake(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub(r"(?<=[a-z])([A-Z])", lambda found: f"_{found[1].lower()}", key): (
            item if key in _CALLER_KEYS else _snake(item)
        )
        for key, item in value.items()
    }
