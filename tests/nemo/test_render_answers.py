from typing import Any

import pytest

from bot.nemo.render_answers import Render, RenderStatus, has_status, read_render

COMPLETED = {"id": "render_1", "status": "completed", "progress": 100}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"status": "pending"}, Render("r", RenderStatus.PENDING)),
        (
            {"success": True, "data": {"id": "x", "status": "processing", "progress": 40}},
            Render("x", RenderStatus.PROCESSING, 40.0),
        ),
        (
            {**COMPLETED, "output": {"url": "https://m/a.mp4", "duration": 5.5, "size": 100}},
            Render("render_1", RenderStatus.COMPLETED, 100.0, "https://m/a.mp4", None, 5.5, 100),
        ),
        (
            {"code": 0, "data": {**COMPLETED, "outputUrl": "https://m/a.mp4"}},
            Render("render_1", RenderStatus.COMPLETED, 100.0, "https://m/a.mp4"),
        ),
        (
            {**COMPLETED, "output": "https://m/a.mp4"},
            Render("render_1", RenderStatus.COMPLETED, 100.0, "https://m/a.mp4"),
        ),
        ({"status": "failed", "error": "boom"}, Render("r", RenderStatus.FAILED, error="boom")),
        (
            {"success": False, "data": {"status": "failed"}, "error": "boom"},
            Render("r", RenderStatus.FAILED, error="boom"),
        ),
        (
            {"status": "failed", "error": {"message": "boom"}},
            Render("r", RenderStatus.FAILED, error="boom"),
        ),
        ({"status": "CANCELED"}, Render("r", RenderStatus.CANCELLED)),
        ({"status": "warming_up", "progress": 400}, Render("r", RenderStatus.UNKNOWN, 100.0)),
        ({"status": "finalized", "outputUrl": "/a.mp4"}, Render("r", RenderStatus.COMPLETED, url="/a.mp4")),
        (
            {"status": "muxing", "progress": 90, "outputUrl": "/a.mp4"},
            Render("r", RenderStatus.UNKNOWN, 90.0, "/a.mp4"),
        ),
        ({"status": "timed_out", "error": "boom"}, Render("r", RenderStatus.FAILED, error="boom")),
        ({"status": "Timeout"}, Render("r", RenderStatus.FAILED)),
        ({"data": None, "status": "finished"}, Render("r", RenderStatus.COMPLETED)),
        ({"status": "processing", "progress": "55%"}, Render("r", RenderStatus.PROCESSING, 55.0)),
        (
            {"output": {"url": "https://m/a.mp4"}},
            Render("r", RenderStatus.COMPLETED, url="https://m/a.mp4"),
        ),
        # Other words and shapes
        ({"state": "completed"}, Render("r", RenderStatus.COMPLETED)),
        ({"status": {"state": "completed"}}, Render("r", RenderStatus.COMPLETED)),
        ({"status": "RENDER_STATUS_COMPLETED"}, Render("r", RenderStatus.COMPLETED)),
        ({"status": "JobStatus.Failed"}, Render("r", RenderStatus.FAILED)),
        ({"status": "inProgress"}, Render("r", RenderStatus.PROCESSING)),
        ({"id": "x", "status": "pending", "data": {"status": "pending"}}, Render("x", RenderStatus.PENDING)),
        ({"status": "processing", "data": {"progress": 5}}, Render("r", RenderStatus.PROCESSING, 5.0)),
        ({"status": "success", "data": {"status": "pending"}}, Render("r", RenderStatus.PENDING)),
        ({"data": {"render": {"id": "x", "status": "done"}}}, Render("x", RenderStatus.COMPLETED)),
        ({"data": [{"renderId": "x", "status": "done"}]}, Render("x", RenderStatus.COMPLETED)),
        ({"status": "running", "progress": 0.4}, Render("r", RenderStatus.PROCESSING, 40.0)),
        ({"status": "running", "progress": "0.4"}, Render("r", RenderStatus.PROCESSING, 40.0)),
        ({"status": "running", "progress": 1}, Render("r", RenderStatus.PROCESSING, 1.0)),
        ({"status": "running", "progress": 1.0}, Render("r", RenderStatus.PROCESSING, 100.0)),
        ({"status": "running", "percent": 40}, Render("r", RenderStatus.PROCESSING, 40.0)),
        ({"status": "running", "progress": {"percent": 40}}, Render("r", RenderStatus.PROCESSING, 40.0)),
        # Remotion Lambda's own answers
        ({"done": False, "overallProgress": 0.3}, Render("r", RenderStatus.PROCESSING, 30.0)),
        (
            {"done": True, "overallProgress": 1, "outputFile": "https://m/a.mp4", "outputSizeInBytes": 9},
            Render("r", RenderStatus.COMPLETED, 100.0, "https://m/a.mp4", size_bytes=9),
        ),
        (
            {"done": False, "fatalErrorEncountered": True, "errors": [{"message": "boom"}]},
            Render("r", RenderStatus.FAILED, error="boom"),
        ),
        *(
            ({"status": "failed", name: "boom"}, Render("r", RenderStatus.FAILED, error="boom"))
            for name in ("message", "errorMessage", "reason", "failureReason")
        ),
        *(
            ({"status": "done", **output}, Render("r", RenderStatus.COMPLETED, url="https://m/a.mp4"))
            for output in (
                {"output": [{"url": "https://m/a.jpg"}, {"url": "https://m/a.mp4"}]},
                {"outputs": ["https://m/thumb", "https://m/a.mp4"]},
                {"output": {"mp4": "https://m/a.mp4"}},
                {"output": {"files": [{"downloadUrl": "https://m/a.mp4"}]}},
                {"result": {"videoUrl": "https://m/a.mp4"}},
                {"downloadUrl": "https://m/a.mp4"},
            )
        ),
        # A status of something else beside the render's own fields
        (
            {"status": "completed", "output": {"url": "https://m/a.mp4"}, "result": {"status": "ok"}},
            Render("r", RenderStatus.COMPLETED, url="https://m/a.mp4"),
        ),
        (
            {**COMPLETED, "output": {"url": "https://m/a.mp4"}, "job": {"id": "j7", "status": "SUCCEEDED"}},
            Render("render_1", RenderStatus.COMPLETED, 100.0, "https://m/a.mp4"),
        ),
        (
            {"status": "completed", "outputUrl": "https://m/a.mp4", "data": {"status": "ok", "credits": 1}},
            Render("r", RenderStatus.COMPLETED, url="https://m/a.mp4"),
        ),
        (
            {"status": "processing", "progress": 40, "result": {"status": "ok", "url": None}},
            Render("r", RenderStatus.PROCESSING, 40.0),
        ),
        (
            {"status": "completed", "render": {"id": "x", "status": "done", "output": {"url": "/a.mp4"}}},
            Render("x", RenderStatus.COMPLETED, url="/a.mp4"),
        ),
        ({"status": "ok", "job": {"id": "x", "status": "done"}}, Render("x", RenderStatus.COMPLETED)),
        # A video's address may have a word of a picture in it
        *(
            ({"status": "done", "outputs": links}, Render("r", RenderStatus.COMPLETED, url=links[-1]))
            for links in (
                ["https://m/discover/a.mp4"],
                ["https://m/thumbs/a"],
                ["https://m/my-cover-song.mp4?sign=1"],
                ["https://m/a.png?for=a.mp4", "https://m/cover.mp4", "https://m/a.mp4"],
            )
        ),
        ({"status": "done", "outputs": ["https://m/a.mp4/cover.jpg"]}, Render("r", RenderStatus.COMPLETED)),
        ({}, Render("r", RenderStatus.UNKNOWN)),
        (None, Render("r", RenderStatus.UNKNOWN)),
    ],
)
def test_renders(payload: Any, expected: Render) -> None:
    assert read_render(payload, "r") == expected


def test_an_output_nested_too_deep_is_no_link() -> None:
    output: Any = "https://m/a.mp4"
    for _ in range(900):
        output = [output]
    assert read_render({"status": "done", "output": output}, "r") == Render("r", RenderStatus.COMPLETED)


def test_only_three_statuses_are_the_end() -> None:
    over = {status for status in RenderStatus if status.is_over}
    assert over == {RenderStatus.COMPLETED, RenderStatus.FAILED, RenderStatus.CANCELLED}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"status": "failed"}, True),
        ({"data": {"status": "done"}}, True),
        ({"success": True, "data": {"id": "x", "progress": 5}}, True),
        ({"error": "x"}, False),
        (None, False),
    ],
)
def test_only_an_answer_with_a_status_or_progress_describes_a_render(payload: Any, expected: bool) -> None:
    assert has_status(payload) is expected
