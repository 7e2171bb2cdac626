"""Jobs that another release wrote: they end, and their chat hears what became of them."""

from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import Export
from bot.jobs.checkpoints import (
    PROGRESS_MESSAGE,
    AgentAnswered,
    Checkpoint,
    MessageSend,
    PromptSent,
    RenderStarted,
    SentMessage,
    Turn,
    field_of,
)
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import Job, JobKind, QueueName
from bot.jobs.payloads import MessagePayload
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.tickets import queue_id
from bot.jobs.steps.send_text import SendText
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, Responders, new_chats, new_job, new_runner
from tests.jobs.test_open_questions import asking as suspended

QUICK = queue_id(CHAT, QueueName.QUICK)

LOST = LocalizedMessage("error.unreadable_job")
KEPT = LocalizedMessage("error.unreadable_begun", buttons=(Button("button.export", Export()),))

PROGRESS = MessageSend(sent=SentMessage(message_id=77, telegram_chat_id=CHAT.chat_id))


async def enqueue_unreadable(
    job_queue: JobQueue, redis: Redis, job: Job, *saved: tuple[Checkpoint, str]
) -> None:
    """Enqueue a job as another release stores it, with what it has saved."""
    await job_queue.enqueue([job], job.id)
    values = {field_of(type(one), key): one.model_dump(mode="json") for one, key in saved}
    if values:
        await job_queue.save_waiting(job, values)
    await redis.hset(keys.job_key(str(job.chat), job.id), "request", "of another release")


async def apologies(job_queue: JobQueue, *jobs: Job) -> list[Job]:
    """Claim jobs that can't be read; return what their chat is sent."""
    for job in jobs:
        assert await job_queue.find(job.chat, job.id) is None
        assert await job_queue.claim(queue_id(job.chat, job.queue), job.id) is None
        assert job.id not in await job_queue.current(job.chat, job.queue)
    return await job_queue.current_jobs(jobs[0].chat, QueueName.QUICK)


def messages_of(said: list[Job]) -> list[Any]:
    return [job.payload_as(MessagePayload).message for job in said]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("is_chosen", [False, True])
async def test_of_requests_that_waited_unseen_the_chat_hears_once(
    job_queue: JobQueue, redis: Redis, language: str, *, is_chosen: bool
) -> None:
    if is_chosen:
        await new_chats(redis).update(CHAT, ChatFields(language=language))
    jobs = [replace(new_job(number), language="en" if is_chosen else language) for number in range(2)]
    for job in jobs:
        await enqueue_unreadable(job_queue, redis, job)
    (said,) = await apologies(job_queue, *jobs)
    assert said.payload_as(MessagePayload).message == LOST
    assert said.language == language


async def test_a_topic_hears_of_that_in_the_language_that_its_chat_chose(
    job_queue: JobQueue, redis: Redis
) -> None:
    topic = ChatKey(CHAT.chat_id, 7)
    await new_chats(redis).update(topic.of_account, ChatFields(language="zh"))
    job = new_job(chat=topic)
    await enqueue_unreadable(job_queue, redis, job)
    (said,) = await apologies(job_queue, job)
    assert said.language == "zh"


@pytest.mark.parametrize(
    "saved",
    [
        [(PromptSent(), "")],
        [(AgentAnswered(has_changed=True), "")],
        [(Turn(number=2), ""), (PromptSent(), "2")],
        [(PromptSent(), "@2")],
        [(RenderStarted(), "")],
    ],
    ids=["sent", "answered", "second message", "second variation", "export"],
)
async def test_what_was_paid_for_is_offered_as_an_export_and_never_to_be_sent_again(
    job_queue: JobQueue, redis: Redis, saved: list[tuple[Checkpoint, str]]
) -> None:
    before, paid = new_job(1), new_job(2)
    await enqueue_unreadable(job_queue, redis, before)
    await enqueue_unreadable(job_queue, redis, paid, *saved)
    # The apology of an hour ago is no reason to pass over this one.
    assert messages_of(await apologies(job_queue, before, paid)) == [LOST, KEPT]


async def test_the_apology_takes_the_place_of_the_progress_message(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    jobs = [new_job(number) for number in range(2)]
    for job in jobs:
        await enqueue_unreadable(job_queue, redis, job, (PROGRESS, PROGRESS_MESSAGE))
    said = await apologies(job_queue, *jobs)
    assert messages_of(said) == [LOST, LOST], "each request that the chat saw waiting has its end"
    runner = new_runner(job_queue, redis, responders, clock, {JobKind.MESSAGE: [SendText()]})
    for apology in said:
        await runner.work(QUICK, apology.id, apology.id)
    assert [message for _, _, message in responders.sent] == [LOST, LOST]
    for apology in said:
        assert (apology.id, None) in responders.finished
        assert await job_queue.load_checkpoint(apology, MessageSend, PROGRESS_MESSAGE) == PROGRESS


@pytest.mark.parametrize("stored", ["", "{", "[]", '{"sent": 1}', '{"sent": null}'])
async def test_a_progress_message_that_cannot_be_read_either_changes_nothing(
    job_queue: JobQueue, redis: Redis, stored: str
) -> None:
    job = new_job()
    await enqueue_unreadable(job_queue, redis, job)
    await redis.hset(keys.job_key(str(CHAT), job.id), f"checkpoint:message:{PROGRESS_MESSAGE}", stored)
    assert messages_of(await apologies(job_queue, job)) == [LOST]


@pytest.mark.parametrize(
    ("kind", "prompt", "expected"),
    [
        (JobKind.CREDITS, "", []),
        (JobKind.MESSAGE, "", []),
        (JobKind.MESSAGE, "a request that its button would have run", [LOST]),
        (JobKind.LINK, "a request that waits for its file", [LOST]),
    ],
)
async def test_a_quick_job_has_an_apology_only_if_a_request_is_lost_with_it(
    job_queue: JobQueue, redis: Redis, kind: JobKind, prompt: str, expected: list[LocalizedMessage]
) -> None:
    job = new_job(kind=kind, queue=QueueName.QUICK, prompt=prompt)
    await enqueue_unreadable(job_queue, redis, job)
    assert messages_of(await apologies(job_queue, job)) == expected


async def test_a_question_that_nobody_can_answer_any_more_holds_nothing_up(
    job_queue: JobQueue, redis: Redis
) -> None:
    asking = await suspended(job_queue)
    await job_queue.save_waiting(asking, {field_of(PromptSent): {}})
    await redis.hset(keys.job_key(str(CHAT), asking.id), "request", "of another release")
    behind = new_job(1)
    await job_queue.enqueue([behind], behind.id)
    main = queue_id(CHAT, QueueName.MAIN)
    assert await job_queue.claim(main, "a") is None, "it waits for the answer"
    await job_queue.sweep()
    assert await job_queue.questions.asking_job_id(CHAT) is None
    assert messages_of(await apologies(job_queue, asking)) == [KEPT]
    claimed = await job_queue.claim(main, "b")
    assert claimed is not None
    assert claimed.job == behind


async def test_a_question_that_can_be_read_stays_open(job_queue: JobQueue) -> None:
    job = await suspended(job_queue)
    await job_queue.sweep()
    assert await job_queue.questions.asking_job_id(CHAT) == job.id
