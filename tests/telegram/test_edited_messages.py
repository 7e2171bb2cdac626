"""What an edit of a request says beside changing it."""

import pytest

from bot.jobs.model import JobKind
from tests.telegram.test_handlers import ANN, PRIVATE, VIDEO, Received, docket, message, received, said_key

__all__ = ["docket", "received"]  # fixtures


@pytest.mark.parametrize(
    ("caption", "keys"),
    [
        ("make it like https://www.youtube.com/watch?v=abc", ["link.streaming_site"]),
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
