"""What a worker does while its store is away: it waits, and ends no job that it could not end properly."""

import asyncio
from unittest.mock import AsyncMock, Mock

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreAway

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobState, QueueName
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.jobs.worker.runner import STORE_PAUSE_S
from bot.runtime.tasks import cancel
from bot.store.schema import newer_store
from tests.clocks import PATIENCE_S, HandClock, settle
from tests.jobs.conftest import CHAT, Responders, new_job
from tests.jobs.test_runner import EDIT, Gate, a_runner, nothing, running, state_of

CANCELLED = LocalizedMessage("progress.cancelled")


async def _let_end(ticket: asyncio.Task[None], clock: HandClock) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not ticket.done():
            await clock.advance(STORE_PAUSE_S)
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("error", [StoreAway(), newer_store(99)], ids=["away", "of a later release"])
async def test_a_worker_pauses_before_it_asks_for_a_job_again(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    asked = 0

    async def claim(*_: object) -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise error

    monkeypatch.setattr(job_queue, "claim", claim)
    work = asyncio.create_task(a_runner(job_queue, redis, responders, clock, nothing).work(EDIT, "", "a"))
    for times in (1, 2, 3):
        await settle()
        assert (asked, work.done()) == (times, False)
        await clock.advance(STORE_PAUSE_S)
    await cancel(work)


async def test_a_worker_pauses_before_it_listens_for_cancellations_again(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subscribe = Mock(side_effect=StoreAway)
    monkeypatch.setattr(redis, "pubsub", subscribe)
    listening = asyncio.create_task(a_runner(job_queue, redis, responders, clock, nothing).listen())
    for times in (1, 2, 3):
        await settle()
        assert subscribe.call_count == times
        await clock.advance(STORE_PAUSE_S)
    await cancel(listening)


async def test_a_process_that_ends_waits_for_no_store_to_give_its_jobs_back(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate()
    monkeypatch.setattr(job_queue, "park", AsyncMock(side_effect=StoreAway))
    await job_queue.enqueue([new_job()], 1)
    runner = a_runner(job_queue, redis, responders, clock, gate.step)
    async with running(runner):
        await gate.arrived.wait()
        runner.drain()
    assert clock.slept == []


async def test_a_job_whose_last_message_the_store_failed_ends_later_with_that_message(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    async def step(attempt: Attempt) -> None:
        raise JobEnded(LocalizedMessage("error.nemo_down"))

    job = new_job()
    await job_queue.enqueue([job], 1)
    responders.failing["say"] = StoreAway()
    async with running(a_runner(job_queue, redis, responders, clock, step)) as ticket:
        await clock.asleep()
        assert await state_of(job_queue, job) is JobState.RUNNING
        responders.failing.clear()
        await _let_end(ticket, clock)
    assert responders.keys_of(job) == ["error.nemo_down"]
    assert await state_of(job_queue, job) is JobState.FAILED


async def test_a_cancelled_job_whose_last_message_the_store_failed_ends_later_with_that_message(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    await job_queue.claim(EDIT, "a")
    await job_queue.cancel(CHAT, QueueName.MAIN, job.id)
    responders.failing["finish"] = StoreAway()
    async with running(a_runner(job_queue, redis, responders, clock, nothing)) as ticket:
        await clock.asleep()
        assert await state_of(job_queue, job) is JobState.RUNNING
        responders.failing.clear()
        await _let_end(ticket, clock)
    assert responders.finished == [(job.id, CANCELLED)]
    assert await state_of(job_queue, job) is JobState.CANCELLED
