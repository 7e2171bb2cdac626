"""What an edit of a request says beside changing it."""

import pytest

from bot.jobs.model import JobKind
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

__all__ = ["docket", "received"]  # fixtures


@pytest.mark.parametrize(
    ("caption", "keys"),
    [
        ("make it like https://www.youtube.com/watch?v=abc", ["link.left_out"]),
        ("make it shorter", []),
    ],
)
async def test_a_link_that_a_waiting_request_with_a_file_can_not_use_is_named(
    received: Received, caption: str, keys: list[str]
) -> None:
    clip = {"video": VIDEO, "from": ANN}
    (request,) = await received(message("", PRIVATE, **clip, caption="trim it"))
    edited = message("", PRIVATE, **clip, caption=caption, edit_date=60)
    said = await received({"edited_message": edited["message"]}, times=2)
    assert [said_key(job) for job in said if job.kind is JobKind.MESSAGE] == keys
    waiting = await received.job_queue.find(request.chat, request.id)
    assert waiting is not None
    assert waiting.job.prompt == caption


@pytest.mark.parametrize("said", ["Thanks!", "你好", ".", "👍"])
async def test_a_request_that_becomes_small_talk_asks_for_nothing(received: Received, said: str) -> None:
    (request,) = await received(message("trim it", PRIVATE, **{"from": ANN}))
    edited = message(said, PRIVATE, edit_date=60, **{"from": ANN})
    assert await received({"edited_message": edited["message"]}) == []
    waiting = await received.job_queue.find(request.chat, request.id)
    assert waiting is not None
    assert waiting.job.prompt == ""


async def test_an_edit_after_a_group_has_moved_leaves_the_request_of_that_number_before_alone(
    received: Received,
) -> None:
    old: Json = {"id": -1_000_042, "type": "group", "title": "Club"}
    new: Json = {**GROUP, "id": -1_001_000_000_042}
    (before,) = await received(message("/edit a cat", old, **{"from": ANN}))
    await received(message("", old, message_id=8, migrate_to_chat_id=new["id"], **{"from": ANN}))
    edited = message("/edit a dog", new, edit_date=60, **{"from": ANN})
    (after,) = await received({"edited_message": edited["message"]})
    waiting = [await received.job_queue.find(job.chat, job.id) for job in (before, after)]
    assert [status.job.prompt for status in waiting if status] == ["a cat", "a dog"]
