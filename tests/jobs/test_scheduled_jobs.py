import json
from datetime import timedelta
from unittest.mock import AsyncMock

import pytest
from docket import Docket
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreAway

from bot.chats.key import ChatKey
from bot.jobs.model import STORED_JOB, JobKind, QueueName
from bot.jobs.payloads import WatchPayload
from bot.jobs.queue.erase_chat import ChatEraser
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.steps.forget import Forget
from bot.jobs.steps.watch_upload import PAUSES, look_later
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, Responders, new_job
from tests.jobs.test_forget import run_of

MINUTE = timedelta(minutes=1)


async def test_a_job_begins_at_its_time_once_though_the_sweep_died_halfway(
    job_queue: JobQueue, redis: Redis, docket: Docket, clock: HandClock
) -> None:
    job = new_job(kind=JobKind.WATCH_UPLOAD, queue=QueueName.QUICK)
    await job_queue.scheduled.add(job, clock.now() + MINUTE)
    await job_queue.sweep()
    assert await job_queue.current(CHAT, QueueName.QUICK) == []

    await clock.advance(60)
    # A process that was killed between both writes, and another one that has only the store.
    await job_queue.enqueue([job], f"later:{job.id}")
    again = JobQueue(redis, docket, clock)
    await again.sweep()
    await again.sweep()

    assert await again.current(CHAT, QueueName.QUICK) == [job.id]
    assert await redis.zcard(keys.SCHEDULED_JOBS) == 0


async def test_a_job_that_could_not_be_stored_at_its_time_begins_later(
    job_queue: JobQueue, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = new_job(kind=JobKind.WATCH_UPLOAD, queue=QueueName.QUICK)
    await job_queue.scheduled.add(job, clock.now())
    with monkeypatch.context() as broken:
        broken.setattr(job_queue, "enqueue", AsyncMock(side_effect=StoreAway))
        with pytest.raises(StoreAway):
            await job_queue.sweep()
    await job_queue.sweep()
    assert await job_queue.current(CHAT, QueueName.QUICK) == [job.id]


async def test_one_for_which_there_is_no_room_is_dropped_and_holds_up_no_sweep(
    redis: Redis, docket: Docket, clock: HandClock
) -> None:
    job_queue = JobQueue(redis, docket, clock, queue_limit=1)
    waiting, job = (new_job(number, kind=JobKind.WATCH_UPLOAD, queue=QueueName.QUICK) for number in (1, 2))
    await job_queue.enqueue([waiting], 1)
    await job_queue.scheduled.add(job, clock.now())
    await job_queue.sweep()
    assert await job_queue.current(CHAT, QueueName.QUICK) == [waiting.id]
    assert await redis.zcard(keys.SCHEDULED_JOBS) == 0


async def test_a_job_that_another_release_stored_begins_once(
    job_queue: JobQueue, redis: Redis, clock: HandClock
) -> None:
    job = new_job(kind=JobKind.WATCH_UPLOAD, queue=QueueName.QUICK)
    fields = {**json.loads(STORED_JOB.dump_json(job)), "of_a_later_release": 1}
    await redis.zadd(keys.SCHEDULED_JOBS, {json.dumps(fields): 0})
    await job_queue.sweep()
    assert await job_queue.current(CHAT, QueueName.QUICK) == [job.id]
    assert await redis.zcard(keys.SCHEDULED_JOBS) == 0


async def test_the_looks_come_less_and_less_often_and_end(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders
) -> None:
    link = new_job(kind=JobKind.LINK, prompt="trim it")
    await job_queue.enqueue([link], 1)
    attempt = await run_of(job_queue, clock, responders, link)
    due = []
    for look in range(len(PAUSES) + 2):
        await look_later(attempt, attempt.job, look)
        await look_later(attempt, attempt.job, look)  # Once more, after a crash.
        for stored, job in (await job_queue.scheduled.due(clock.now() + 2 * PAUSES[-1])).items():
            due.append((job.payload_as(WatchPayload).look, job.prompt))
            await job_queue.scheduled.remove(stored)
    assert due == [(look, "") for look in range(len(PAUSES))]
    assert list(PAUSES) == sorted(PAUSES)
    assert sum(PAUSES, timedelta()) <= timedelta(hours=1)


async def test_an_erased_chat_has_nothing_left_that_begins_later(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders
) -> None:
    neighbour = new_job(1, chat=ChatKey(4712, None))
    for job in (new_job(kind=JobKind.WATCH_UPLOAD), neighbour):
        await job_queue.scheduled.add(job, clock.now() + MINUTE)
    unreadable = {f'{{"id": "of another release", "chat": "{chat}"}}': 0 for chat in (CHAT, neighbour.chat)}
    await redis.zadd(keys.SCHEDULED_JOBS, {**unreadable, "no job at all": 0, "[]": 0})
    asked = new_job(kind=JobKind.FORGET)
    await job_queue.enqueue([asked], 1)

    await Forget(ChatEraser(redis))(await run_of(job_queue, clock, responders, asked))

    left = await redis.zrange(keys.SCHEDULED_JOBS, 0, -1)
    assert {stored for stored in left if "of another release" in stored} == {list(unreadable)[1]}
    due = await job_queue.scheduled.due(clock.now() + MINUTE)
    assert [job.id for job in due.values()] == [neighbour.id]
    assert await redis.zcard(keys.SCHEDULED_JOBS) == 1
