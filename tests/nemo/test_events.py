"""Every shape of event that the service is known to send, and the ones it is not."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.nemo.agent_file import AgentFile
from bot.nemo.errors import AuthError, Call, NoCredits, SessionGone
from bot.nemo.events import (
    AgentQuestion,
    AgentText,
    Completeness,
    Event,
    KeepAlive,
    StateDelta,
    Thought,
    ToolCall,
    ToolResult,
    Unknown,
    read_event,
)
from bot.nemo.questions import Question, QuestionSet
from bot.nemo.stream_errors import StreamError

# Literal events of an ADK server (google-adk 2.13), as they came over the wire.
STREAMS: dict[str, list[str]] = json.loads((Path(__file__).parent / "streams.json").read_text("utf-8"))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([
        "content", "parts", "text", "type", "error", "code", "data", "actions", "stateDelta", "functionCall",
        "functionResponse", "name", "args", "partial", "author", "thought", "errorCode", "errorMessage", "detail",
    ]), inner),
    max_leaves=25,
)  # fmt: skip


def read_all(name: str) -> list[Event]:
    return [event for line in STREAMS[name] for event in read_event(line.removeprefix("data:"))]


def test_a_whole_turn_of_a_real_server() -> None:
    assert read_all("whole_turn") == [
        Thought("Let me think"),
        AgentText("Hel", Completeness.PARTIAL, "scripted"),
        AgentText("lo 🎬 你好\nline2", Completeness.PARTIAL, "scripted"),
        AgentText("Hello 🎬 你好\nline2", Completeness.COMPLETE, "scripted"),
        ToolCall(
            "generate_video", {"prompt": "a cat", "duration_s": 5.5, "nested": {"a": [1, 2]}}, True, "fc-1"
        ),
        ToolResult("generate_video", {"status": "ok", "url": "https://x/y.mp4"}, "fc-1"),
        StateDelta({"draft": {"tracks": []}}),
        AgentText("All done", Completeness.COMPLETE, "scripted"),
    ]


def test_the_other_streams_of_a_real_server() -> None:
    assert read_all("error_event") == [StreamError(None, "blocked", "SAFETY")]
    assert read_all("failure_after_text") == [
        AgentText("before error", Completeness.COMPLETE, "scripted"),
        StreamError(None, "RuntimeError: scripted failure 中文"),
    ]
    assert [event.text for event in read_all("silence") if isinstance(event, AgentText)] == ["first", "last"]
    assert read_all("unknown_session") == [StreamError(404, "Session not found: nope")]


NORMAL_CODES = (
    "stop",
    "FinishReason.STOP",
    "FINISH_REASON_STOP",
    "end_turn",
    "length",
    "OK",
    "0",
    0,
    200,
    "",
)

ASKED = {"title": "Look", "questions": [{"prompt": "Which look?", "options": [{"label": "Cartoon"}]}]}
ASK_FUNCTION = {"name": "ask_question", "arguments": json.dumps(ASKED)}
CONFIRMATION = AgentQuestion(QuestionSet((Question("Pay?", is_confirmation=True),)))
QUESTION = AgentQuestion(QuestionSet((Question("Which look?", ("Cartoon",)),), "Look"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # ADK, in snake case and with several parts in one event
        (
            {"content": {"parts": [{"function_call": {"name": "trim", "args": {"to": 5}}}]}},
            [ToolCall("trim", {"to": 5})],
        ),
        (
            {"content": {"parts": [{"function_response": {"name": "trim", "response": {"ok": True}}}]}},
            [ToolResult("trim", {"ok": True})],
        ),
        (
            {"content": {"parts": [{"text": "hm", "thought": True}, {"text": "a"}, {"text": "b"}]}},
            [Thought("hm"), AgentText("ab")],
        ),
        ({"content": {"parts": [{"text": "hm", "thought": "true"}, "a"]}}, [Thought("hm"), AgentText("a")]),
        ({"content": [{"type": "text", "text": "a"}]}, [AgentText("a")]),
        ({"type": "text", "content": [{"text": "a"}]}, [AgentText("a")]),
        # the person's own words, which some servers repeat
        ({"content": {"parts": [{"text": "cut it"}], "role": "user"}, "author": "user"}, [Unknown()]),
        ({"text": "cut it", "author": "user"}, [Unknown()]),
        ({"content": {"parts": [{"text": "cut it"}], "role": "user"}}, [Unknown()]),
        ({"content": "cut it", "role": "user"}, [Unknown()]),
        ({"type": "message", "message": {"role": "tool", "content": "{}"}}, [Unknown("message")]),
        ({"actions": {"state_delta": {"x": 1}}}, [StateDelta({"x": 1})]),
        (
            {"content": {"parts": [{"text": "cut"}]}, "errorCode": "MAX_TOKENS"},
            [AgentText("cut")],
        ),
        ({"errorCode": "STOP", "turnComplete": True}, [Unknown()]),
        (
            {
                "content": {"role": "model", "parts": [{"text": ""}]},
                "finishReason": "STOP",
                "errorCode": "MODEL_RETURNED_NO_CONTENT",
                "errorMessage": "The model returned no actionable content.",
            },
            [Unknown()],
        ),
        ({"finishReason": "STOP", "errorMessage": "The model returned nothing."}, [Unknown()]),
        ({"errorCode": "null", "errorMessage": ""}, [Unknown()]),
        *(({"errorCode": code, "turnComplete": True}, [Unknown()]) for code in NORMAL_CODES),
        ({"errorCode": "SAFETY", "errorMessage": "blocked"}, [StreamError(None, "blocked", "SAFETY")]),
        ({"errorCode": "STOP", "error": "boom"}, [StreamError(None, "boom", "STOP")]),
        # questions
        ({"content": {"parts": [{"functionCall": {"name": "ask_question", "args": ASKED}}]}}, [QUESTION]),
        ({"type": "tool_call", "name": "ask_question", "args": ASKED}, [QUESTION]),
        ({"type": "ask_question", **ASKED}, [QUESTION]),
        ({"type": "ask_question", "data": ASKED}, [QUESTION]),
        ({"type": "ask_question", "payload": ASKED}, [QUESTION]),
        ({"type": "askQuestion", **ASKED}, [QUESTION]),
        ({"type": "question", **ASKED}, [QUESTION]),
        ({"type": "tool_call", "data": {"name": "ask_question", "args": ASKED}}, [QUESTION]),
        (
            {"type": "tool_call", "function": {"name": "ask_question", "arguments": json.dumps(ASKED)}},
            [QUESTION],
        ),
        (
            {
                "type": "ask_question",
                "prompt": "Music?",
                "choices": [{"type": "x", "prompt": "a", "text": "Calm"}],
            },
            [AgentQuestion(QuestionSet((Question("Music?", ("Calm",)),)))],
        ),
        ({"type": "ask_question"}, [Unknown("ask_question")]),
        ({"type": "tool_call", "tool_call": {"function": ASK_FUNCTION}}, [QUESTION]),
        ({"type": "tool_calls", "tool_calls": [{"type": "function", "function": ASK_FUNCTION}]}, [QUESTION]),
        ({"choices": [{"message": {"tool_calls": [{"function": ASK_FUNCTION}]}}]}, [QUESTION]),
        ({"event": "ask_question", "data": ASKED}, [QUESTION]),
        ({"event": "ask_question", **ASKED}, [QUESTION]),
        ({"kind": "ask_question", **ASKED}, [QUESTION]),
        ({"type": "user_choice", **ASKED}, [QUESTION]),
        ({"type": "user_input", "text": "cut it"}, [Unknown("user_input")]),
        (
            {"type": "tool_result", "name": "ask_question", "result": {**ASKED, "status": "pending"}},
            [QUESTION],
        ),
        (
            {"type": "tool_result", "name": "ask_question", "result": {**ASKED, "answer": "Cartoon"}},
            [ToolResult("ask_question", {**ASKED, "answer": "Cartoon"})],
        ),
        (
            {
                "content": {
                    "parts": [{"functionCall": {"id": "f", "name": "buy", "args": {"hint": "Pay?"}}}]
                },
                "longRunningToolIds": ["f"],
            },
            [CONFIRMATION],
        ),
        ({"actions": {"requestedToolConfirmations": {"f": {"hint": "Pay?"}}}}, [CONFIRMATION]),
        (
            {
                "actions": {
                    "requestedAuthConfigs": {"f": {"exchangedAuthCredential": {"oauth2": {"authUri": "u"}}}}
                }
            },
            [AgentQuestion(QuestionSet((Question("", login_url="u"),)))],
        ),
        ({"errorCode": "1001", "errorMessage": "bad token"}, [StreamError(1001, "bad token")]),
        ({"code": "RATE_LIMITED", "message": "slow down"}, [StreamError(None, "slow down", "RATE_LIMITED")]),
        ({"code": 200, "message": "ok", "data": {"text": "Hi"}}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"text": "Hi", "code": "en"}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"status": "error", "message": "no"}, [StreamError(None, "no")]),
        # typed
        ({"type": "text", "content": "Hi"}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"type": "text", "content": "H", "partial": True}, [AgentText("H", Completeness.PARTIAL)]),
        ({"type": "text", "content": {"parts": [{"text": "Hi"}]}}, [AgentText("Hi")]),
        ({"type": "text", "text": "hm", "thought": True}, [Thought("hm")]),
        ({"type": "tool_call", "name": "trim", "args": {"to": 5}}, [ToolCall("trim", {"to": 5})]),
        ({"type": "tool_call", "name": "trim", "args": '{"to":5}'}, [ToolCall("trim", {"to": 5})]),
        ({"type": "tool_call"}, [ToolCall("", {})]),
        ({"type": "tool_result", "name": "trim", "result": [1]}, [ToolResult("trim", [1])]),
        ({"type": "tool_start", "name": "trim"}, [ToolCall("trim", {})]),
        ({"type": "toolcall_start", "tool_name": "trim"}, [ToolCall("trim", {})]),
        ({"type": "toolcall_start", "toolName": "trim"}, [ToolCall("trim", {})]),
        ({"type": "question", "content": "Why?"}, [AgentQuestion(QuestionSet((Question("Why?"),)))]),
        ({"type": "thinking_delta", "content": "hm"}, [Thought("hm")]),
        ({"type": "warming_up", "message": "Starting"}, [KeepAlive()]),
        ({"type": "status", "status": "working"}, [Thought("working")]),
        ({"type": "chunk", "content": "Hel"}, [AgentText("Hel", Completeness.PARTIAL)]),
        ({"type": "text_delta", "delta": "Hel"}, [AgentText("Hel", Completeness.PARTIAL)]),
        ({"type": "text_end", "content": "Hello"}, [AgentText("Hello")]),
        ({"type": "heartbeat"}, [KeepAlive()]),
        ({"type": "error", "message": "no"}, [StreamError(None, "no")]),
        ({"type": "error", "error": "no"}, [StreamError(None, "no")]),
        ({"type": "error", "error": {"code": 2001, "message": "no"}}, [StreamError(2001, "no")]),
        ({"type": "error", "content": "no"}, [StreamError(None, "no")]),
        ({"type": "error"}, [StreamError(None, "")]),
        ({"kind": "error", "message": "no"}, [StreamError(None, "no")]),
        # normal ends in the place of errors
        ({"type": "error", "errorCode": "STOP"}, [Unknown("error")]),
        ({"type": "error", "code": "STOP", "message": "done"}, [Unknown("error")]),
        (
            {"type": "error", "errorCode": "MODEL_RETURNED_NO_CONTENT", "errorMessage": "nothing"},
            [Unknown("error")],
        ),
        ({"error": {"code": "STOP", "message": "x"}}, [Unknown()]),
        ({"error": {"type": "MODEL_RETURNED_NO_CONTENT"}}, [Unknown()]),
        ({"error": "MODEL_RETURNED_NO_CONTENT: nothing actionable"}, [Unknown()]),
        ({"error": {"code": "SAFETY", "message": "x"}}, [StreamError(None, "x")]),
        # data in the place of words
        ({"type": "text", "content": '{"error": "boom"}'}, [StreamError(None, "boom")]),
        (
            {"content": {"parts": [{"text": '```json\n{"text": "Hi"}\n```'}]}},
            [AgentText("Hi", Completeness.UNMARKED)],
        ),
        ({"text": '{"status": "ok", "tracks": [1]}'}, [Unknown()]),
        ({"text": '{"message": "I cut it."}'}, [AgentText("I cut it.", Completeness.UNMARKED)]),
        ({"text": "[1]"}, [AgentText("[1]", Completeness.UNMARKED)]),
        ({"type": "TEXT", "Content": "Hi"}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"type": "message", "content": "Hi"}, [AgentText("Hi", Completeness.UNMARKED)]),
        (
            {"type": "message", "message": {"role": "assistant", "content": "Hi"}},
            [AgentText("Hi", Completeness.UNMARKED)],
        ),
        ({"type": "text", "delta": "Hi"}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"type": "text", "data": {"text": "Hi"}}, [AgentText("Hi", Completeness.UNMARKED)]),
        (
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}},
            [AgentText("Hi", Completeness.PARTIAL)],
        ),
        ({"type": "toolCall", "toolCall": {"name": "ask_question", "args": ASKED}}, [QUESTION]),
        ({"type": "tool_use", "name": "ask_question", "input": ASKED}, [QUESTION]),
        ({"type": "function-call", "name": "trim", "arguments": "{}"}, [ToolCall("trim", {})]),
        ({"type": "error", "data": {"code": 2001, "message": "no"}}, [StreamError(2001, "no")]),
        # a model's own answers, passed on as they are
        (
            {
                "candidates": [
                    {"content": {"parts": [{"text": text}]}, "finishReason": "STOP"} for text in "ab"
                ]
            },
            [AgentText("a")],
        ),
        ({"candidates": [{"finishReason": "SAFETY"}]}, [StreamError(None, "", "SAFETY")]),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, [StreamError(None, "", "SAFETY")]),
        ({"choices": [{"delta": {"content": "Hi"}}]}, [AgentText("Hi", Completeness.UNMARKED)]),
        # values of other types, keys in other cases
        ({"content": {"parts": [{"text": "H"}]}, "partial": "true"}, [AgentText("H", Completeness.PARTIAL)]),
        ({"content": {"parts": [{"text": "H"}]}, "partial": 1}, [AgentText("H", Completeness.PARTIAL)]),
        ({"text": "Hi", "partial": "False"}, [AgentText("Hi")]),
        ({"Content": {"Parts": [{"Text": "Hi"}], "Role": "model"}}, [AgentText("Hi")]),
        ({"content": {"parts": None}, "actions": None, "longRunningToolIds": None}, [Unknown()]),
        (
            {"content": {"parts": [{"inlineData": {"mimeType": "text/plain", "data": "SGkhCg=="}}]}},
            [AgentText("Hi!\n")],
        ),
        (
            ["Hi", {"text": "there"}],
            [AgentText("Hi", Completeness.UNMARKED), AgentText("there", Completeness.UNMARKED)],
        ),
        ("Hi", [AgentText("Hi", Completeness.UNMARKED)]),
        (json.dumps({"text": "Hi"}), [AgentText("Hi", Completeness.UNMARKED)]),
        ({"code": 0, "data": "Here it is."}, [AgentText("Here it is.", Completeness.UNMARKED)]),
        ({"code": 0, "data": [{"text": "Hi"}]}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"code": 0, "data": "success"}, [Unknown()]),
        # the end of a turn
        ({"turnComplete": True, "usageMetadata": {"totalTokenCount": 5}}, [Unknown()]),
        ({"interrupted": True}, [StreamError(None, "", "INTERRUPTED")]),
        # ends that a content without words doesn't hide, and words of other models for a normal end
        *(
            ({"content": {"role": "model", "parts": parts}, "finishReason": "SAFETY"}, expected)
            for parts, expected in (
                ([], [StreamError(None, "", "SAFETY")]),
                ([{"text": ""}], [StreamError(None, "", "SAFETY")]),
                ([{"text": "hm", "thought": True}], [Thought("hm"), StreamError(None, "", "SAFETY")]),
                ([{"text": "Hi"}], [AgentText("Hi")]),
            )
        ),
        *(({"finishReason": reason}, [Unknown()]) for reason in ("tool_calls", "eos_token", "FINISHED")),
        # whose words, in other cases; one part for all; JSON within JSON
        ({"content": {"parts": [{"text": "cut it"}], "role": "USER"}}, [Unknown()]),
        ({"text": "cut it", "author": "User"}, [Unknown()]),
        ({"content": {"parts": "Hi"}}, [AgentText("Hi")]),
        ({"message": {"parts": [{"text": "Hi"}], "role": "agent"}}, [AgentText("Hi")]),
        ({"content": '{"parts": [{"text": "Hi"}]}'}, [AgentText("Hi")]),
        # the type as "event", other wrappers and other types
        ({"event": "error", "data": {"message": "no"}}, [StreamError(None, "no")]),
        ({"event": "heartbeat"}, [KeepAlive()]),
        ({"event": {"content": {"parts": [{"text": "Hi"}]}}}, [AgentText("Hi")]),
        ({"result": {"text": "Hi"}}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"answer": "Hi"}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"name": "trim", "result": "two clips"}, [Unknown()]),
        # names of events, and what tools return, are no words
        ({"event": "workflow_started", "task_id": "t1"}, [Unknown("workflow_started")]),
        ({"event": "node_finished", "status": "succeeded"}, [Unknown("node_finished")]),
        ({"event": "message_end", "id": "m1"}, [Unknown("message_end")]),
        ({"event": "progress", "message": {"text": "Hi"}}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"tool_call_id": "c1", "result": "OK: clip added"}, [Unknown()]),
        ({"result": "accepted"}, [Unknown()]),
        ({"output": "s3://bucket/a.mp4"}, [Unknown()]),
        ({"result": "I cut it."}, [AgentText("I cut it.", Completeness.UNMARKED)]),
        # a step that failed
        *(
            ({"type": kind, "message": "no histogram, retrying"}, [Unknown(kind)])
            for kind in ("step_failed", "node.failed", "analysis_error")
        ),
        # ends in words of their own that are no normal ones
        *(
            ({"finishReason": reason}, [StreamError(None, "", reason)])
            for reason in (
                "INSUFFICIENT_CREDITS",
                "QUOTA_EXCEEDED",
                "RATE_LIMITED",
                "ABORTED",
                "DEADLINE_EXCEEDED",
                "ACCESS_DENIED",
            )
        ),
        ({"finishReason": "TOKEN_LIMIT_EXCEEDED"}, [Unknown()]),
        ({"finishReason": "HALTED", "errorMessage": "no"}, [StreamError(None, "no", "HALTED")]),
        ({"type": "RUN_ERROR", "message": "no"}, [StreamError(None, "no")]),
        ({"type": "turn.failed", "message": "no"}, [StreamError(None, "no")]),
        ({"type": "tool_error", "message": "no"}, [Unknown("tool_error")]),
        ({"type": "error", "status": 429}, [StreamError(429, "")]),
        ({"type": "token", "token": "Hel"}, [AgentText("Hel", Completeness.PARTIAL)]),
        ({"type": "agent_message", "content": "Hi"}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"type": "done", "content": "All is cut."}, [AgentText("All is cut.")]),
        ({"type": "done", "content": "ok"}, [Unknown("done")]),
        ({"type": "done", "content": "completed"}, [Unknown("done")]),
        ({"type": "TOOL_CALL_START", "toolCallName": "trim"}, [ToolCall("trim", {})]),
        ({"type": "image", "url": "https://x/y.png"}, [AgentFile("", "", url="https://x/y.png")]),
        ({"type": "image_url", "image_url": {"url": "https://x/y"}}, [AgentFile("", "", url="https://x/y")]),
        (
            {"type": "file", "data": {"filename": "a.png", "mimeType": "image/png", "data": "-_8="}},
            [AgentFile("a.png", "image/png", b"\xfb\xff")],
        ),
        ({"type": "artifact", "filename": "a.png"}, [Unknown("file")]),
        *(
            ({"type": "video", "data": url}, [AgentFile("", "", url=url)])
            for url in ("https://x/cut.mp4", "https://x/cu.mp4", "https://x/c.mp4", "/files/a1b2c3")
        ),
        *(
            ({"type": "image", "data": data}, [AgentFile("", "", b"\xff\xd8\xff")])
            for data in ("/9j/", "_9j_", "data:image/jpeg;base64,/9j/")
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/"}},
            [AgentFile("", "", b"\xff\xd8\xff")],
        ),
        ({"type": "file", "data": "no Base64!"}, [Unknown("file")]),
        # what only the agent can reach
        ({"type": "video", "name": "out.mp4", "src": "/mnt/userdata/out.mp4"}, [Unknown("file")]),
        (
            {"content": {"parts": [{"fileData": {"fileUri": "file:///mnt/userdata/out.mp4"}}]}},
            [Unknown()],
        ),
        # bare, enveloped, failed
        ({"errors": [{"message": "boom"}]}, [StreamError(None, "boom")]),
        ({"text": "Hi", "error": {"code": 0, "message": ""}}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"text": "Hi", "error": "None"}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"text": "Hi"}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"code": 2001, "message": "no credits"}, [StreamError(2001, "no credits")]),
        ({"code": "1002", "message": "gone"}, [StreamError(1002, "gone")]),
        ({"code": 0, "data": {"text": "Hi"}}, [AgentText("Hi", Completeness.UNMARKED)]),
        ({"code": 0, "message": "ok"}, [Unknown()]),
        ({"error": "boom"}, [StreamError(None, "boom")]),
        ({"error": {"code": 429, "message": "slow"}}, [StreamError(429, "slow")]),
        ({"success": False, "error": "x"}, [StreamError(None, "x")]),
        ({"success": "false", "message": "no"}, [StreamError(None, "no")]),
        ({"state": "failed", "reason": "boom"}, [StreamError(None, "boom")]),
        ({"exception": "boom"}, [StreamError(None, "boom")]),
        ({"detail": [{"loc": ["body"], "msg": "missing"}]}, [StreamError(None, "missing")]),
        # words in further places
        *(
            ({key: "I cut it."}, [AgentText("I cut it.", Completeness.UNMARKED)])
            for key in ("message", "msg", "reply", "output_text")
        ),
        ({"code": 0, "data": {"message": "I cut it."}}, [AgentText("I cut it.", Completeness.UNMARKED)]),
        ({"status": "running", "message": "Still cutting it"}, [Unknown()]),
        ({"code": 0, "message": "The request was accepted"}, [Unknown()]),
        ({"events": [{"content": {"parts": [{"text": "Hi"}]}}]}, [AgentText("Hi")]),
        ({"type": "event", "payload": {"content": {"parts": [{"text": "Hi"}]}}}, [AgentText("Hi")]),
        (
            {"result": {"kind": "status-update", "status": {"message": {"parts": [{"text": "Hi"}]}}}},
            [AgentText("Hi")],
        ),
        # tools and questions of other types
        ({"type": "on_tool_start", "name": "trim"}, [ToolCall("trim", {})]),
        (
            {"type": "tool_status", "tool": "seedance", "status": "pending", "id": "t"},
            [ToolResult("seedance", {"status": "pending"}, "t")],
        ),
        ({"event": "on_tool_end", "name": "trim", "output": "ok"}, [ToolResult("trim", "ok")]),
        ({"type": "TOOL_CALL_ARGS", "toolCallId": "t", "delta": "{"}, [Unknown("tool_call_args")]),
        ({"type": "interrupt", "value": ASKED}, [QUESTION]),
        (
            {"type": "confirmation_request", "message": "Pay?"},
            [AgentQuestion(QuestionSet((Question("Pay?"),)))],
        ),
        # nothing known
        ({"type": "from_the_future", "x": 1}, [Unknown("from_the_future")]),
        ({"type": "from_the_future", "text": "not an answer"}, [Unknown("from_the_future")]),
        ({"content": {"parts": [{"inlineData": {}}]}}, [Unknown()]),
        ({"errorCode": None, "error": None, "text": ""}, [Unknown()]),
        ({}, [KeepAlive()]),
        ([1, 2], [Unknown()]),
        (5, [AgentText("5", Completeness.UNMARKED)]),
    ],
)
def test_shapes(data: Any, expected: list[Event]) -> None:
    assert list(read_event(json.dumps(data))) == expected


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("", ""),
        ("", "heartbeat 3"),
        ("", "pong"),
        ("", "1795218452.17"),
        ("", "{}"),
        ("", '["heartbeat"]'),
        ("", '{"heartbeat": true}'),
        ("", '{"type": "ping", "ts": 5}'),
        ("", '{"event": "heartbeat", "data": "ping"}'),
        ("", '{"code": 0, "message": "success", "data": "heartbeat"}'),
        ("", "heartbeat"),
        ("", '"heartbeat"'),
        ("", "null"),
        ("heartbeat", ""),
        ("heartbeat", '{"text":"not shown"}'),
        ("ping", "1"),
    ],
)
def test_keep_alives(name: str, data: str) -> None:
    assert read_event(data, name) == (KeepAlive(),)


def test_the_type_may_stand_in_the_event_field() -> None:
    assert read_event('{"content":"Hi"}', "text") == (AgentText("Hi", Completeness.UNMARKED),)
    assert read_event('{"message":"no"}', "error") == (StreamError(None, "no"),)
    assert read_event("upstream timed out", "error") == (StreamError(None, "upstream timed out"),)
    assert read_event('"overloaded"', "error") == (StreamError(None, "overloaded"),)


@pytest.mark.parametrize(
    "data", ["<html>", "<!DOCTYPE html><p>Error", '{"text": "cut o', "[DONE]", "done", "OK"]
)
def test_pages_pieces_of_json_and_end_marks_are_no_words(data: str) -> None:
    assert read_event(data) == (Unknown(),)


@pytest.mark.parametrize("name", ["end", "done", "complete", "completed"])
def test_bare_words_at_the_end_of_a_stream_are_the_servers(name: str) -> None:
    assert read_event("stream closed", name) == (Unknown(name),)
    assert read_event('{"content": "All is cut."}', name) == (AgentText("All is cut."),)


def test_words_that_are_no_json_are_the_agents() -> None:
    assert read_event("Hello there.", "message") == (AgentText("Hello there.", Completeness.UNMARKED),)
    assert read_event(" and then") == (AgentText(" and then", Completeness.UNMARKED),)
    assert read_event("5 clips", "text") == (AgentText("5 clips", Completeness.UNMARKED),)
    assert read_event("Hel", "chunk") == (AgentText("Hel", Completeness.PARTIAL),)
    assert read_event("loading the model", "log") == (Unknown("log"),)


@pytest.mark.parametrize("piece", [" ", "3", " 3", "0.5", "10 20", " done", " [music]", "\n"])
def test_blanks_and_numbers_are_pieces_of_a_plain_text(piece: str) -> None:
    assert read_event(piece) == (AgentText(piece, Completeness.UNMARKED),)


def test_an_event_may_hold_several_values() -> None:
    """Where the blank line between events is missing, or the field is named twice."""
    hi = AgentText("Hi", Completeness.UNMARKED)
    assert read_event('{"text":"Hi"}\n{"text":"Hi"}') == (hi, hi)
    assert read_event('data: {"text":"Hi"}') == (hi,)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (StreamError(1011, "x"), AuthError),
        (StreamError(1002, "x"), SessionGone),
        (StreamError(404, "Session not found: s"), SessionGone),
        (StreamError(2001, "x"), NoCredits),
    ],
)
def test_an_error_in_the_stream_is_the_error_it_would_be_outside(
    event: StreamError, error: type[Exception]
) -> None:
    assert type(event.as_error(Call("POST", "/run_sse"))) is error


def test_tokens_do_not_come_back_in_messages() -> None:
    (event,) = read_event('{"error":"bad token nmv_usr_0123abc, Bearer xyz.123"}')
    assert isinstance(event, StreamError)
    assert "nmv_usr" not in event.message
    assert "xyz" not in event.message


@given(JSON)
def test_no_json_value_breaks_the_reader(value: Any) -> None:
    assert read_event(json.dumps(value))


@given(st.text(), st.text())
def test_no_text_breaks_the_reader(data: str, name: str) -> None:
    assert read_event(data, name)


def test_depth_does_not_break_the_reader() -> None:
    assert read_event('{"data":' * 5000 + "1" + "}" * 5000)
    assert read_event('{"data":' * 300 + "1" + "}" * 300)


def test_a_types_length_does_not_hold_up_the_reader() -> None:
    type_, began_s = "confirm" * 3_000, time.process_time()
    assert read_event(json.dumps({"type": type_, "options": ["a"]}), type_) == (Unknown(type_[:40]),)
    assert read_event("Hello", type_) == (Unknown(type_[:40]),)
    assert time.process_time() - began_s < 1


@pytest.mark.parametrize(
    ("part", "file"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "-_8="}}, AgentFile("", "image/png", b"\xfb\xff")),
        ({"inline_data": {"mime_type": "image/png", "data": "+/8"}}, AgentFile("", "image/png", b"\xfb\xff")),
        (
            {"fileData": {"fileUri": "gs://b/cup.png", "displayName": "cup.png"}},
            AgentFile("cup.png", "", url="gs://b/cup.png"),
        ),
        (
            {"file_data": {"file_uri": "https://x/y", "mime_type": "video/mp4"}},
            AgentFile("", "video/mp4", url="https://x/y"),
        ),
        (
            {"fileData": {"fileUri": "gs://b/c", "displayName": "c" * 300, "mimeType": "m" * 300}},
            AgentFile("c" * 200, "m" * 100, url="gs://b/c"),
        ),
        ({"inlineData": {"mimeType": "image/png", "data": "é"}}, None),
        ({"inlineData": {"mimeType": "image/png", "data": "a"}}, None),
        ({"inlineData": {"mimeType": "image/png"}}, None),
        ({"inlineData": "x", "fileData": 5}, None),
        ({"inlineData": {"mimeType": "image/png", "data": "-_8="}, "thought": True}, None),
    ],
)
def test_files_within_an_event(part: Any, file: AgentFile | None) -> None:
    events = read_event(json.dumps({"content": {"parts": [part]}}))
    assert [event for event in events if isinstance(event, AgentFile)] == ([file] if file else [])
