import pytest

from bot.nemo.tool_results import Outcome, outcome_of

_RESULTS: dict[Outcome, list[object]] = {
    Outcome.DONE: [
        None,
        {"video_url": "x"},
        {"status": "SUCCEEDED"},
        {"status": 200},
        {"status": "processed"},
        {"errorCode": 0, "error": None, "errors": [], "url": "x"},
        {"message": "Video generated successfully, without errors"},
        "https://cdn.example/processing/failed.mp4",
        {"progress": 100},
    ],
    Outcome.PENDING: [
        "pending",
        "Task submitted, the video will be ready in 2-5 minutes",
        "任务已提交，请稍候",
        {"result": "processing"},
        {"status": "queued", "task_id": 1},
        {"state": "running"},
        {"任务状态": "排队中"},
        {"task_id": "t", "task_status": "IN_QUEUE"},
        {"code": 0, "data": {"taskStatus": "TASK_STATUS_PROCESSING"}},
        {"content": [{"type": "text", "text": '{"status": "not_started"}'}], "isError": False},
        {"success": True, "job_id": "3"},
        {"status": 202},
        {"status": "created", "task_id": "t"},
        {"progress": 40, "task_id": "t"},
        [{"status": "failed"}, {"status": "pending"}],
    ],
    Outcome.FAILED: [
        "Error: no capacity",
        "生成失败",
        False,
        {"result": {"status": "failed"}},
        {"success": False},
        {"success": "false"},
        {"isError": True, "content": []},
        {"errorMessage": "quota"},
        {"errors": ["x"]},
        [{"type": "text", "text": "Error: …"}],
        {"status": 500},
        {"status": "ok", "message": "I could not do it"},
    ],
    Outcome.UNKNOWN: [{"status": "purple"}],
}


@pytest.mark.parametrize(
    ("result", "outcome"), [(result, outcome) for outcome in _RESULTS for result in _RESULTS[outcome]]
)
def test_what_became_of_a_tool(result: object, outcome: Outcome) -> None:
    assert outcome_of(result) is outcome


@pytest.mark.parametrize("result", ["The train is running late.", {"text": "It started with an error."}])
def test_words_that_a_tool_has_read_say_nothing_about_it(result: object) -> None:
    assert outcome_of(result, has_prose=False) is Outcome.DONE


def test_a_result_of_any_depth_is_read() -> None:
    result: object = "pending"
    for _ in range(3000):
        result = {"status": result}
    assert outcome_of(result) is Outcome.DONE
