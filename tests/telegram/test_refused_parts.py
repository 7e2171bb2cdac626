"""What can't be used is refused together with the words that were sent beside it, and nothing is charged."""

import pytest

from bot.jobs.buttons import RunSaved
from bot.jobs.checkpoints import PREPARED_MESSAGE, MessageSend, SentMessage
from bot.jobs.model import Job, JobKind
from bot.jobs.payloads import MessagePayload
from bot.jobs.queue.waiting_checkpoints import WaitingCheckpoints
from tests.telegram.test_handlers import (
    ANN,
    FROM_BO,
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

_ = docket, received

LINK = "https://www.youtube.com/watch?v=abc"

REFUSED: dict[str, tuple[Json, str]] = {
    "link": ({"text": LINK}, "link.streaming_site"),
    "link to a message": ({"text": "https://t.me/some_channel/1234"}, "link.telegram_message"),
    "private address": ({"text": "http://192.168.0.1/a.mp4"}, "link.private_address"),
    "story": ({"story": {"id": 3, "chat": GROUP}}, "error.story"),
    "large file": ({"video": VIDEO | {"file_size": 30_000_000}}, "error.file_too_large_telegram"),
    "kind of file": (
        {"document": {"file_id": "f", "file_unique_id": "u", "file_name": "a.zip", "file_size": 9}},
        "error.unusable_archive",
    ),
}


def sent(number: int, body: Json, chat: Json = PRIVATE) -> Json:
    fields = {name: value for name, value in body.items() if name != "text"}
    return message(body.get("text", ""), chat, message_id=number, **{"from": ANN}, **fields)


async def refusals_of(received: Received, job: Job) -> list[str]:
    parts = (await received.job_queue.gathered(job)).parts
    return [part.refusal.key for part in parts if part.refusal is not None]


@pytest.mark.parametrize("forwarded", [{}, {"forward_origin": FROM_BO}], ids=["own", "forwarded"])
@pytest.mark.parametrize(("body", "key"), REFUSED.values(), ids=REFUSED)
async def test_words_are_refused_with_what_was_sent_beside_them(
    received: Received, body: Json, key: str, forwarded: Json
) -> None:
    (asked,) = await received(sent(7, {"text": "cut the first second of it"}))
    assert await received(sent(8, body | forwarded)) == []
    assert await refusals_of(received, asked) == [key]


@pytest.mark.parametrize(("body", "key"), REFUSED.values(), ids=REFUSED)
async def test_what_comes_alone_is_refused_at_once(received: Received, body: Json, key: str) -> None:
    (job,) = await received(sent(7, body))
    assert (job.kind, said_key(job)) == (JobKind.MESSAGE, key)


@pytest.mark.parametrize(("body", "key"), REFUSED.values(), ids=REFUSED)
async def test_words_right_behind_it_are_refused_unless_the_refusal_was_read(
    received: Received, body: Json, key: str
) -> None:
    (job,) = await received(sent(7, body))
    (refused,) = await received(sent(8, {"text": "cut the first second of it"}))
    assert (refused.kind, said_key(refused), refused.prompt) == (
        JobKind.MESSAGE,
        key,
        "cut the first second of it",
    )
    shown = MessageSend(sent=SentMessage(message_id=9, telegram_chat_id=PRIVATE["id"]))
    await WaitingCheckpoints(received.job_queue, job).save(shown, PREPARED_MESSAGE)
    (asked,) = await received(sent(10, {"text": "cut the first second of it"}))
    assert asked.kind is JobKind.EDIT


async def test_a_refused_request_does_not_touch_the_one_before_it(received: Received) -> None:
    (asked,) = await received(sent(7, {"text": "trim it to 2 seconds"}))
    (job,) = await received(sent(8, {"text": f"{LINK} cut the first second of it"}))
    refusal = job.payload_as(MessagePayload).message
    assert refusal.buttons[0].action == RunSaved(job.id)
    assert await refusals_of(received, asked) == []


async def test_words_in_a_group_are_refused_with_the_link_that_is_forwarded_behind_them(
    received: Received,
) -> None:
    (asked,) = await received(sent(7, {"text": "/edit cut the first second of it"}, GROUP))
    assert await received(sent(8, {"text": LINK, "forward_origin": FROM_BO}, GROUP)) == []
    assert await refusals_of(received, asked) == ["link.streaming_site"]


@pytest.mark.parametrize("command", ["", "/new "])
async def test_the_caption_of_a_refused_file_can_be_run_without_it(received: Received, command: str) -> None:
    body = REFUSED["kind of file"][0] | {"caption": f"{command}make a sunset clip"}
    (job,) = await received(sent(7, body))
    refusal = job.payload_as(MessagePayload).message
    assert [button.action for button in refusal.buttons] == [RunSaved(job.id)]
    assert job.prompt == "make a sunset clip"
