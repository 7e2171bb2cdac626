"""What is known of jobs that run for long, and of those that were given up."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bot.chats.key import ChatKey
from bot.jobs.messages import ListMessage
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.queue.claimed_job import ClaimedJob
from bot.jobs.queue.erase_chat import ChatEraser
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.job_reader import GivenUp, JobReader
from bot.jobs.queue.tickets import queue_id
from bot.jobs.queue.usual_times import UsualTimes
from bot.jobs.steps.show_stats import ShowStats
from bot.jobs.worker.attempt import Attempt
from bot.jobs.worker.stuck_job_monitor import Ages, StuckJobMonitor
from bot.projects.guest_account_count import GuestAccountCounter
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, FunctionStep, Responders, new_job, new_runner

BOUND_S = 600.0
CLUB = ChatKey(-100500, 7)


@pytest.fixture
def monitor(redis: Redis, clock: HandClock) -> StuckJobMonitor:
    return StuckJobMonitor(redis, clock, BOUND_S)


async def begin(job_queue: JobQueue, job: Job, ticket: str = "a") -> ClaimedJob:
    await job_queue.enqueue([job], job.id)
    return await again(job_queue, job, ticket)


async def again(job_queue: JobQueue, job: Job, ticket: str) -> ClaimedJob:
    claimed = await job_queue.claim(queue_id(job.chat, job.queue), ticket)
    assert claimed is not None
    assert claimed.job.id == job.id
    return claimed


async def warned(monitor: StuckJobMonitor) -> list[str]:
    with capture_logs() as logs:
        await monitor.check()
    return [entry["job"] for entry in logs if entry["event"] == "job.stuck"]


async def test_the_oldest_job_and_the_one_that_saved_nothing_for_longest(
    job_queue: JobQueue, monitor: StuckJobMonitor, clock: HandClock
) -> None:
    first = await begin(job_queue, new_job())
    await clock.advance(100)
    second = await begin(job_queue, new_job(chat=CLUB))
    await clock.advance(20)
    assert await monitor.ages() == Ages(120.0, 120.0)
    await job_queue.save(first, {"asked": 1})
    await clock.advance(5)
    assert await monitor.ages() == Ages(125.0, 25.0)
    await job_queue.finish(first, JobState.DONE)
    assert await monitor.ages() == Ages(25.0, 25.0)
    await job_queue.finish(second, JobState.DONE)
    await job_queue.save(second, {"late": 1})  # Such as what a task beside it has seen.
    await clock.advance(5)
    assert await monitor.ages() == Ages(0.0, 0.0)


async def test_a_job_that_starts_again_and_again_gets_no_younger(
    job_queue: JobQueue, monitor: StuckJobMonitor, clock: HandClock
) -> None:
    job = new_job()
    claimed = await begin(job_queue, job)
    await clock.advance(300)
    await job_queue.park(claimed, "a")
    assert await monitor.ages() == Ages(300.0, 300.0)
    await again(job_queue, job, "b")
    assert await monitor.ages() == Ages(300.0, 300.0)


async def test_an_earlier_attempt_that_goes_on_is_no_sign_of_life(
    job_queue: JobQueue, monitor: StuckJobMonitor, clock: HandClock
) -> None:
    job = new_job()
    earlier = await begin(job_queue, job)
    await job_queue.park(earlier, "a")
    later = await again(job_queue, job, "b")
    await clock.advance(50)
    await job_queue.save(earlier, {"asked": 1})
    await job_queue.finish(earlier, JobState.DONE)
    assert await monitor.ages() == Ages(50.0, 50.0)
    await job_queue.finish(later, JobState.DONE)
    await job_queue.save(later, {"said": 1})  # work beside it that ends late
    assert await monitor.ages() == Ages(0.0, 0.0)


async def test_a_job_that_may_hang_is_warned_of_until_it_goes_on(
    job_queue: JobQueue, monitor: StuckJobMonitor, clock: HandClock
) -> None:
    hangs = await begin(job_queue, new_job())
    await clock.advance(BOUND_S)
    await begin(job_queue, new_job(chat=CLUB))
    assert await warned(monitor) == []
    await clock.advance(1)
    assert await warned(monitor) == [hangs.job.id]
    assert await warned(monitor) == [hangs.job.id]
    await job_queue.save(hangs, {"asked": 1})
    assert await warned(monitor) == []


async def test_what_was_erased_from_the_store_is_nothing_to_warn_of(
    job_queue: JobQueue, monitor: StuckJobMonitor, clock: HandClock, redis: Redis
) -> None:
    claimed = await begin(job_queue, new_job())
    await clock.advance(1)
    stuck = await begin(job_queue, new_job(chat=CLUB))
    await redis.delete(keys.job_key(str(CHAT), claimed.job.id))
    await clock.advance(BOUND_S + 1)
    assert await warned(monitor) == [stuck.job.id]
    await job_queue.finish(stuck, JobState.DONE)
    assert await monitor.ages() == Ages(0.0, 0.0)


async def test_no_age_is_negative_when_the_wall_clock_was_set_back(
    job_queue: JobQueue, monitor: StuckJobMonitor, clock: HandClock, redis: Redis
) -> None:
    await begin(job_queue, new_job())
    await job_queue.enqueue([new_job(1)], 2)
    for name in (keys.STARTED_JOBS, keys.SAVED_JOBS, keys.WAITING_JOBS):
        (job,) = [str(job) for job in await redis.zrange(name, 0, -1)]
        await redis.zadd(name, {job: (clock.now() + timedelta(hours=1)).timestamp()})
    assert await monitor.ages() == Ages(0.0, 0.0)
    assert await job_queue.statistics.waiting() == (1, 0.0)
    assert await warned(monitor) == []


async def fails(attempt: Attempt) -> None:
    raise ZeroDivisionError


async def test_what_nobody_expected_is_kept_and_counted_for_whoever_runs_the_bot(
    job_queue: JobQueue, monitor: StuckJobMonitor, clock: HandClock, redis: Redis, responders: Responders
) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    runner = new_runner(job_queue, redis, responders, clock, {JobKind.EDIT: [FunctionStep(fails)]})
    await runner.work(queue_id(CHAT, QueueName.MAIN), job.id, "a")
    assert responders.keys_of(job) == ["error.unexpected_edit"]
    assert await JobReader(redis).given_up() == [
        GivenUp(job.id, str(CHAT), "edit", clock.now(), ZeroDivisionError.__name__)
    ]
    assert 0 < await redis.ttl(keys.GIVEN_UP) <= keys.GIVEN_UP_TTL_S

    asked = await begin(job_queue, new_job(chat=ChatKey(77), queue=QueueName.QUICK, kind=JobKind.STATS))
    attempt = Attempt(asked, job_queue, clock)
    attempt.responder = responders.open(asked.job, attempt)
    await ShowStats(GuestAccountCounter(redis, clock), UsualTimes(redis))(attempt)
    _, _, told = responders.sent[-1]
    assert isinstance(told, ListMessage)
    (shown,) = [line.params for line in told.lines if line.key == "stats.given_up"]
    assert shown == {"n": 1, "kind": "edit", "error": "ZeroDivisionError", "id": job.id}


async def test_a_job_is_kept_once_however_often_the_store_is_told_and_only_the_latest_are(
    job_queue: JobQueue, monitor: StuckJobMonitor, redis: Redis
) -> None:
    for number in range(keys.GIVEN_UP_KEPT + 2):
        claimed = await begin(job_queue, new_job(number))
        await job_queue.finish(claimed, JobState.FAILED, f"Error{number}")
        await job_queue.finish(claimed, JobState.FAILED, f"Error{number}")
    kept = [one.error for one in await JobReader(redis).given_up()]
    assert kept == [f"Error{number}" for number in range(keys.GIVEN_UP_KEPT + 1, 1, -1)]


async def test_an_erased_chat_leaves_none_of_them(
    job_queue: JobQueue, monitor: StuckJobMonitor, redis: Redis
) -> None:
    for chat in (CHAT, CLUB, CHAT):
        await job_queue.finish(await begin(job_queue, new_job(chat=chat)), JobState.FAILED, "Interrupted")
    asked = await begin(job_queue, new_job(kind=JobKind.FORGET))
    assert await ChatEraser(redis).erase(asked)
    assert [one.chat for one in await JobReader(redis).given_up()] == [str(CLUB)]
