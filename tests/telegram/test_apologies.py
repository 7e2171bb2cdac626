"""What people are told when the handling of what they sent fails by a fault of the bot."""

from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.jobs.model import Job, JobKind
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.receiving.receiver import UpdateReceiver
from bot.words import Words
from tests.telegram.test_forged_presses import stored
from tests.telegram.test_guest_mode import Guest, bo
from tests.telegram.test_handlers import (
    ANN,
    GROUP,
    PRIVATE,
    VIDEO,
    Json,
    Received,
    docket,
    message,
    received,
    said_key,
)

__all__ = ["bo", "docket", "received"]  # fixtures

FROM_ANN = {"from": ANN}
EDITED = message("make it shorter", PRIVATE, edit_date=2, **FROM_ANN)["message"]
CLIP: Json = {"video": VIDEO, "media_group_id": "album"}


async def receive(received: Received, *updates: Json) -> list[Job]:
    """Let updates come the ordinary way; return the jobs that are stored then."""
    receiver = UpdateReceiver(received.application, received.telegram.clock, AsyncMock(), AsyncMock())
    for number, update in enumerate(updates, 900):
        await receiver.receive_one({"update_id": number, **update})
    return await stored(received)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> AsyncMock:
    failing = AsyncMock(side_effect=ZeroDivisionError)
    monkeypatch.setattr(JobSubmitter, "read", failing)
    return failing


@pytest.mark.parametrize(
    ("updates", "keys"),
    [
        pytest.param([message("make it shorter", PRIVATE, **FROM_ANN)], ["error.not_handled"], id="words"),
        pytest.param(
            [message("", PRIVATE, message_id=number, **FROM_ANN, **CLIP) for number in (7, 8, 9)],
            ["error.not_handled"],
            id="an album",
        ),
        pytest.param([{"edited_message": EDITED}], ["error.edit_not_handled"], id="an edit"),
        pytest.param(
            [{"edited_message": {**EDITED, "chat": GROUP, "text": "@sandbox_bot cut it"}}],
            ["error.edit_not_handled"],
            id="an edit in a group",
        ),
        pytest.param([{"edited_message": {**EDITED, "chat": GROUP}}], [], id="an edit for others"),
        pytest.param(
            [{"edited_message": message("hi", PRIVATE, **FROM_ANN)["message"]}], [], id="a reaction"
        ),
    ],
)
async def test_a_fault_is_told_with_what_to_do_next(
    received: Received, broken: AsyncMock, updates: list[Json], keys: list[str]
) -> None:
    assert [said_key(job) for job in await receive(received, *updates)] == keys
    assert broken.await_count == len(updates)


async def test_a_guest_is_answered_unless_the_request_is_stored(
    received: Received, bo: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = message("@sandbox_bot generate a cat", **{"from": bo.user}, guest_query_id="query-1")["message"]
    monkeypatch.setattr(JobSubmitter, "localize_jobs", AsyncMock(side_effect=ZeroDivisionError))
    assert await receive(received, {"guest_message": called}) == []
    assert await bo.said() == Words("en").plain("error.not_handled")
    monkeypatch.undo()
    monkeypatch.setattr(received.job_queue, "enqueue", _fails_behind(received.job_queue.enqueue))
    (request,) = await receive(received, {"guest_message": {**called, "guest_query_id": "query-2"}})
    assert request.kind is JobKind.EDIT
    assert len(await bo.answers()) == 1


def _fails_behind(enqueue: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def enqueue_and_fail(*args: Any) -> Any:
        await enqueue(*args)
        raise ZeroDivisionError

    return enqueue_and_fail
