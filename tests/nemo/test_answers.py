"""The service's answers, in every shape."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from bot.nemo import answers
from bot.nemo.errors import Call, FileSizeRefused, FileTypeRefused, ServiceError
from bot.nemo.wire import Attribution
from tests.fuzz import service_answers
from tests.nemo.test_drafts import JSON


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T14:00:00+02:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00.000000", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (1772366400, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (1772366400000, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("soon", None),
        (None, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_expiry(value: Any, expected: datetime | None) -> None:
    found = answers.read_anonymous_token({"code": 0, "data": {"token": "t", "expires_at": value}})
    assert found is not None
    assert found.expires_at == expected


def test_a_token_is_not_in_the_repr() -> None:
    token = answers.read_anonymous_token(
        {"data": {"token": "nmv_usr_1", "user_id": "anon_1", "credits": 100}}
    )
    claim = answers.read_claim_token({"data": {"claim_token": "clm_1", "expires_in": 604800}})
    assert "nmv_usr_1" not in repr(token)
    assert "clm_1" not in repr(claim)
    assert claim is not None
    assert claim.expires_in_s == 604800


def test_links() -> None:
    claim = answers.ClaimToken("clm_a/b")
    skill = Attribution("reels & more", "1.0.0", "clawhub")
    about_skill = "skill_name=reels%20%26%20more&skill_version=1.0.0&skill_source=clawhub"
    assert (
        answers.claim_link("https://w/", claim, skill)
        == f"https://w/workspace/claim?ct=clm_a%2Fb&{about_skill}"
    )
    page = f"https://w/workspace/claim?task=t%2F1&session=s&{about_skill}"
    assert answers.project_link("https://w/", "t/1", "s", skill) == page
    assert answers.register_link("https://w", "anon_1") == "https://w/register?bind=anon_1"
    assert answers.register_link("https://w", None) == "https://w/register"


def test_a_state_without_a_draft() -> None:
    state = answers.read_state({"code": 0, "data": {"state": {}, "task_id": 5, "session_id": "s"}})
    assert state is not None
    assert (state.draft, state.task_id) == (None, "5")


def test_uploaded_files() -> None:
    upload = answers.read_upload(
        {
            "data": {
                "files": [
                    {
                        "filename": "a.mp4",
                        "file_type": "video",
                        "cdn_url": "https://c/a.mp4",
                        "duration": 5.5,
                        "width": 1920,
                        "height": 1080,
                        "fps": 30,
                        "hash": "h",
                        "new": 1,
                    },
                    {},
                    {"filename": "b.mov", "error": "unsupported codec"},
                    {"filename": "c.mov", "status": "failed"},
                    None,
                ],
            }
        }
    )
    assert upload == (answers.AcceptedFile("a.mp4", "video", 5.5, 1920, 1080),)


@pytest.mark.parametrize(
    "data",
    [
        {"files": [{"file_name": "a.mp4"}]},
        {"files": [{"fileName": "a.mp4"}, {"fileName": "b.mp4", "success": False}]},
        {"files": [{"filename": "a.mp4", "status": "processing"}, {"filename": "b", "status": "REJECTED"}]},
        {"files": [{"filename": "a.mp4", "error": None}, {"filename": "b.mp4", "code": 4001}]},
        {"files": ["a.mp4"]},
        {"files": '[{"filename": "a.mp4"}]'},
        {"file": {"filename": "a.mp4"}, "failed": [{"filename": "b.mp4"}]},
        {"filename": "a.mp4", "cdn_url": "https://c/1"},
        {"uploadedFiles": [{"name": "a.mp4"}], "errors": ["b.mp4 is damaged"]},
        [{"filename": "a.mp4"}],
    ],
)
def test_uploaded_files_in_other_shapes(data: Any) -> None:
    assert [file.name for file in answers.read_upload({"code": 0, "data": data})] == ["a.mp4"]


UPLOAD = Call("POST", "/api/upload-video/nemo_agent/me/s")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"files": []}, ServiceError),
        ({"files": None, "failed": [{"filename": "a.mp4", "code": 4001}]}, FileTypeRefused),
        ({"files": [{"filename": "a.mp4", "error": {"code": 4002, "message": "too big"}}]}, FileSizeRefused),
        ({"errors": ["unsupported codec"]}, FileTypeRefused),
    ],
)
def test_an_upload_of_which_nothing_was_accepted(data: Any, error: type[ServiceError]) -> None:
    with pytest.raises(ServiceError) as caught:
        answers.accepted_files(UPLOAD, {"code": 0, "data": data})
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "payload", [{}, {"code": 0, "data": None}, {"data": {"task_id": "t", "status": "processing"}}]
)
def test_an_upload_that_names_no_file(payload: Any) -> None:
    assert answers.accepted_files(UPLOAD, payload) == ()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"available": "12.5", "frozen": 0, "total": 20}, (12.5, 0, 20)),
        ({"availableCredits": 3}, (3, None, None)),
        ({"available": None, "remaining": 4}, (4, None, None)),
        ({"balance": 90}, (90, None, None)),
        ({"credits": {"available": 90, "total": 100}}, (90, None, 100)),
        ({"balances": [{"available": 1, "total": 1}, {"available": 2, "total": 5}]}, (3, None, 6)),
        ([{"available": 1}, {"available": 2}], (3, None, None)),
        ({"total": 100, "frozen": 120}, (0, 120, 100)),
        ({"available": 5, "credits": {"used": 7}}, (5, None, None)),
        ([], (None, None, None)),
    ],
)
def test_credits_in_other_shapes(data: Any, expected: tuple[float | None, ...]) -> None:
    assert answers.read_credits({"code": 0, "data": data}) == answers.Credits(*expected)


@pytest.mark.parametrize(
    "payload",
    [
        {"data": {"sessionId": "s", "state": {"draft": [{"tt": 0, "sg": [{}]}], "videoInfos": ["v"]}}},
        {"data": {"draft": {"t": [{"tt": 0, "sg": [{}]}]}, "video_infos": ["v"]}},
        {"data": {"state": {"draft": {"timeline": {"tracks": [{"sg": [{}]}]}}, "video_infos": ["v"]}}},
        {"data": None, "session_id": "s", "state": {"draft": {"t": [{"sg": [{}]}]}, "video_infos": ["v"]}},
    ],
)
def test_a_state_in_other_shapes(payload: Any) -> None:
    state = answers.read_state(payload)
    assert state is not None
    assert state.draft is not None
    assert (state.draft.is_ready, state.video_infos) == (True, ["v"])


def test_a_session_one_level_deeper() -> None:
    found = answers.read_session({"data": {"session": {"id": "s", "taskId": "t"}}})
    assert found == answers.Session("s", "t")


@pytest.mark.parametrize(
    ("expires_in", "expires_in_s"), [(604800, 604800), ("60", 60), (-1, None), (1.8e12, None), ("soon", None)]
)
def test_how_long_a_claim_token_holds(expires_in: object, expires_in_s: float | None) -> None:
    claim = answers.read_claim_token({"data": {"claim_token": "clm_1", "expires_in": expires_in}})
    assert claim == answers.ClaimToken("clm_1", expires_in_s)


@pytest.mark.parametrize("payload", [{"code": 0, "data": [1]}, {"code": 0, "data": {}}, {"code": 0}, {}])
def test_an_answer_that_tells_nothing_is_no_empty_session(payload: dict[str, Any]) -> None:
    assert answers.read_state(payload) is None


@given(JSON)
def test_no_json_value_breaks_any_answer(value: Any) -> None:
    service_answers(value)
