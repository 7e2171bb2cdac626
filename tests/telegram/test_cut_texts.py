"""A text that its sender's client cuts into several messages is one request, or one answer, whatever its end says."""

import pytest

from bot.jobs.model import Job, JobKind
from bot.jobs.payloads import EditPayload
from tests.telegram.test_handlers import ANN, GROUP, PRIVATE, Json, Received, docket, message, received
from tests.telegram.test_question_answers import answer_to, ask, shown

_ = docket, received

FULL = "The keeper climbs the stairs. " * 136 + "The keeper climb"
ENDS = [
    "s on",
    "2",
    "好的",
    "Thank you!",
    "你好",
    ")",
    "export",
    "settings",
    "/new scene: the sea",
    "/status",
    "yes",
]


def said(text: str, number: int, chat: Json = PRIVATE, **fields: int) -> Json:
    return message(text, chat, message_id=number, **{"from": ANN}, **fields)


async def prompt_of(received: Received, job: Job) -> str:
    return (await received.job_queue.gathered(job)).job.prompt


@pytest.mark.parametrize("end", ENDS)
async def test_the_end_of_a_cut_text_belongs_to_it(received: Received, end: str) -> None:
    assert len(FULL) == 4096
    (job,) = await received(said(FULL, 7))
    assert await received(said(end, 8)) == []
    assert await prompt_of(received, job) == f"{FULL}{end}"


@pytest.mark.parametrize("end", ENDS)
async def test_it_does_so_in_a_group(received: Received, end: str) -> None:
    (job,) = await received(said(f"/edit {FULL[:4090]}", 7, GROUP))
    assert await received(said(end, 8, GROUP)) == []
    assert await prompt_of(received, job) == f"{FULL[:4090]}{end}"


async def test_what_is_said_later_is_read_as_ever(received: Received) -> None:
    await received(said(FULL, 7))
    (job,) = await received(said("export", 8, date=9))
    assert job.kind is JobKind.EXPORT


async def test_a_cut_text_answers_a_question_as_a_whole(received: Received) -> None:
    asking = await ask(received, shown())
    (job,) = await received(said(FULL, 21))
    assert await received(said("2", 22)) == []
    assert await answer_to(received, asking) is None
    gathered = (await received.job_queue.gathered(job)).job
    assert (gathered.prompt, gathered.payload_as(EditPayload).answers_question) == (f"{FULL}2", True)
