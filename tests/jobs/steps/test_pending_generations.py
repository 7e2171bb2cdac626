import pytest

from bot.jobs.steps.pending_generations import Announced, AnnouncedKind, PendingGenerations
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
    announced = generations.announced
    assert (announced is not None and announced.kind is AnnouncedKind.VIDEO) is is_announced


@pytest.mark.parametrize(
    ("events", "announced"),
    [
        (
            [call("a", "kling", is_long_running=True), result("Task submitted", "a", "kling")],
            AnnouncedKind.VIDEO,
        ),
        (
            [call("a", "dreamer", is_long_running=True), result("Task submitted", "a", "dreamer")],
            AnnouncedKind.WORK,
        ),
        ([call("a", "dreamer"), result(PENDING, "a", "dreamer")], AnnouncedKind.WORK),
        ([call("a", "dreamer"), result({"result": "processing"}, "a", "dreamer")], AnnouncedKind.WORK),
        ([call("a", "generate_music"), result({"task_status": "queued"}, "a")], AnnouncedKind.WORK),
        ([call("a", "transcribe"), result("The train is running late.", "a", "transcribe")], None),
        ([call("a", "add_title"), result({"status": "accepted"}, "a", "add_title")], None),
        ([call("a", "dreamer"), result(PENDING, "a", "dreamer"), result(DONE, "a", "dreamer")], None),
        ([call("a", "dreamer"), result({"task_id": "t1"}, "a", "dreamer")], AnnouncedKind.WORK),
        ([call("a", "dreamer"), result({"id": "t1"}, "a", "dreamer")], AnnouncedKind.WORK),
        ([call("a", "dreamer"), result({"task_id": "t1", "state": "created"}, "a")], AnnouncedKind.WORK),
        ([call("a", "execute_task"), result(PENDING, "a", "execute_task")], AnnouncedKind.WORK),
        (
            [call("a", "remove_background"), result(PENDING, "a", "remove_background")],
            AnnouncedKind.WORK,
        ),
        ([call("a", "sync_lips"), result({"task_id": "t1"}, "a", "sync_lips")], AnnouncedKind.WORK),
        ([call("a", "generate_asset"), result(PENDING, "a", "generate_asset")], AnnouncedKind.WORK),
        ([call("a", "check_task_status"), result(PENDING, "a", "check_task_status")], AnnouncedKind.WORK),
        *(
            ([call("a", name), result(value, "a", name)], None)
            for name, value in (
                ("create_project", {"project_id": "p1"}),
                ("list_templates", {"results": [{"id": "t1"}, {"id": "t2"}]}),
                ("get_account", {"status": "active"}),
                ("get_status", {"status": "created"}),
                ("create_project", {"id": "p1", "status": "active"}),
                ("create_video_project", {"project_id": "p1"}),
                ("create_project", {"id": "p1"}),
                ("generate_script", {"status": "created", "script": "A cat walks."}),
                ("init_canvas", {"status": "initialized"}),
                ("select_music", {"id": "m1"}),
                ("upload_media", {"status": "processing"}),
                ("todo_write", [{"status": "pending"}]),
                ("write_plan", {"data": {"status": "in_progress"}}),
            )
        ),
    ],
)
def test_what_goes_on_is_waited_for_under_any_name(
    events: list[ToolCall | ToolResult], announced: AnnouncedKind | None
) -> None:
    generations = PendingGenerations()
    for event in events:
        generations.take(event)
    assert (generations.announced and generations.announced.kind) == announced


def test_videos_that_a_turn_has_made_are_told_from_those_to_come() -> None:
    generations = PendingGenerations()
    events: list[ToolCall | ToolResult] = [call("a"), call("b"), call("c")]
    events += [result(DONE, "a"), result(PENDING, "b"), result(PENDING, "c")]
    for event in events:
        generations.take(event)
    assert generations.announced == Announced(videos=2, made=1)


def asks(task: str = "t", name: str = "check_generation_status") -> ToolCall:
    return ToolCall(name, {"task_id": task} if task else {}, call_id="z")


def answer(value: object, name: str = "check_generation_status") -> ToolResult:
    return ToolResult(name, value, "z")


BEGUN = [call("a"), result({"status": "processing", "task_id": "t"}, "a")]
BEGUN_WITHOUT_ID = [call("a"), result(PENDING, "a")]


@pytest.mark.parametrize(
    ("events", "videos", "made"),
    [
        ([*BEGUN, asks(), answer({"status": "failed"})], 0, 0),
        ([*BEGUN, asks(), answer({"data": {"state": "completed"}})], 0, 1),
        ([*BEGUN, asks(""), answer({"status": "done", "taskId": "t"})], 0, 1),
        ([*BEGUN, asks(), answer({"video_url": "https://m/a.mp4"})], 0, 1),
        ([*BEGUN, asks(), answer("The generation failed.")], 0, 0),
        ([*BEGUN, asks(name="get_task"), answer({"status": "completed"}, "get_task")], 0, 1),
        ([*BEGUN, asks(name="cancel_generation"), answer(DONE, "cancel_generation")], 0, 0),
        ([*BEGUN_WITHOUT_ID, asks(), answer({"status": "failed"})], 0, 0),
        ([*BEGUN_WITHOUT_ID, asks(""), answer({"status": "completed"})], 0, 1),
        ([*BEGUN_WITHOUT_ID, answer({"status": "completed"})], 0, 1),
        (
            [
                *(
                    ToolCall("check_video_status", {}, call_id="y"),
                    ToolResult("check_video_status", PENDING, "y"),
                ),
                *(asks("", "check_video_status"), answer(DONE, "check_video_status")),
            ],
            0,
            0,
        ),
        # It goes on, or nothing is said of it
        ([*BEGUN, asks(), answer(PENDING)], 1, 0),
        ([*BEGUN, asks(), answer("Still generating")], 1, 0),
        ([*BEGUN, asks(), answer({"status": "warm"})], 1, 0),
        ([*BEGUN, asks(), answer({})], 1, 0),
        ([*BEGUN, asks(), answer({"error": "connection reset"})], 1, 0),
        ([*BEGUN, asks("other"), answer({"status": "failed"})], 1, 0),
        ([*BEGUN, asks(name="add_title"), answer(DONE, "add_title")], 1, 0),
        ([*BEGUN, asks("", "get_project_status"), answer(DONE, "get_project_status")], 1, 0),
        ([*BEGUN, asks("", "check_subtitles"), answer(DONE, "check_subtitles")], 1, 0),
        ([*BEGUN, call("b"), result(PENDING, "b"), asks(), answer({"status": "failed"})], 1, 0),
    ],
)
def test_a_tool_that_asks_after_a_video_tells_its_end(
    events: list[ToolCall | ToolResult], videos: int, made: int
) -> None:
    generations = PendingGenerations()
    has_made = [generations.take(event) for event in events]
    announced = generations.announced
    assert announced == (Announced(videos=videos) if videos else None)
    assert sum(has_made) == made
