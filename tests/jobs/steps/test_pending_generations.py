import pytest

from bot.jobs.steps.pending_generations import Announced, PendingGenerations
from bot.nemo.events import ToolCall, ToolResult

PENDING = {"status": "pending"}
DONE = {"status": "ok"}


def call(call_id: str = "", name: str = "generate_video", *, is_long_running: bool = False) -> ToolCall:
    return ToolCall(name, {}, is_long_running, call_id)


def result(value: object, call_id: str = "", name: str = "generate_video") -> ToolResult:
    return ToolResult(name, value, call_id)


@pytest.mark.parametrize(
    ("events", "is_announced"),
    [
        ([call("a"), call("b"), result(PENDING, "a"), result(DONE, "b")], True),
        ([call("a"), call("b"), result(DONE, "b"), result(PENDING, "a")], True),
        ([call("a"), call("b"), result(PENDING, "a"), result({"error": "no"}, "b")], True),
        ([call("a", is_long_running=True), call("b"), result(DONE, "b")], True),
        ([call("a", is_long_running=True), result(PENDING, "a"), result(DONE, "a")], False),
        ([call("a", is_long_running=True), call("a"), result(DONE, "a")], False),
        ([call(), call(), result(PENDING), result(DONE)], True),
        ([call(), call(), result(PENDING), result(DONE), result(DONE)], False),
        ([call(name="seedance"), call(), result(PENDING, name="seedance"), result(DONE)], True),
        ([result(PENDING)], True),
        ([result(PENDING), result(DONE)], False),
        ([call("a"), result(DONE)], False),
        ([call("a", "set_title", is_long_running=True)], False),
    ],
)
def test_a_video_is_announced_until_its_own_result_is_final(
    events: list[ToolCall | ToolResult], is_announced: bool
) -> None:
    generations = PendingGenerations()
    for event in events:
        generations.take(event)
    assert generations.announced is (Announced.VIDEO if is_announced else None)


@pytest.mark.parametrize(
    ("events", "announced"),
    [
        ([call("a", "kling", is_long_running=True), result("Task submitted", "a", "kling")], Announced.VIDEO),
        (
            [call("a", "dreamer", is_long_running=True), result("Task submitted", "a", "dreamer")],
            Announced.WORK,
        ),
        ([call("a", "dreamer"), result(PENDING, "a", "dreamer")], Announced.WORK),
        ([call("a", "dreamer"), result({"result": "processing"}, "a", "dreamer")], Announced.WORK),
        ([call("a", "generate_music"), result({"task_status": "queued"}, "a")], Announced.WORK),
        ([call("a", "transcribe"), result("The train is running late.", "a", "transcribe")], None),
        ([call("a", "add_title"), result({"status": "accepted"}, "a", "add_title")], None),
        ([call("a", "dreamer"), result(PENDING, "a", "dreamer"), result(DONE, "a", "dreamer")], None),
    ],
)
def test_what_goes_on_is_waited_for_under_any_name(
    events: list[ToolCall | ToolResult], announced: Announced | None
) -> None:
    generations = PendingGenerations()
    for event in events:
        generations.take(event)
    assert generations.announced is announced
