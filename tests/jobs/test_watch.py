"""What is known of jobs that run for long, and of those that were given up."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bot.chats.key import ChatKey
from bot.jobs.forgetting import Eraser
from bot.jobs.guest_tokens import GuestTokens
from bot.jobs.job import Job, Kind, Lane, State
from bot.jobs.lanes import Lanes, Taken, lane_name
from bot.jobs.ports import Report
from bot.jobs.runner import Run, Runner
from bot.jobs.steps.admin import tell_stats
from bot.jobs.watch import Ages, GivenUp, Watch, given_up
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, Teller, new_job

BOUND_S = 600.0
CLUB = ChatKey(-100500, 7)


@pytest.fixture
def watch(redis: Redis, clock: HandClock) -> Watch:
    return Watch(redis, clock, BOUND_S)


async def begin(lanes: Lanes, job: Job, ticket: str = "a") -> Taken:
    await lanes.accept([job], job.id)
    return await again(lanes, job, ticket)


async def again(lanes: Lanes, job: Job, ticket: str) -> Taken:
    taken = await lanes.take(lane_name(job.chat, job.lane), ticket)
    assert taken is not None
    assert taken.job.id == job.id
    return taken


async def warned(watch: Watch) -> list[str]:
    with capture_logs() as logs:
        await watch.look()
    return [entry["job"] for entry in logs if entry["event"] == "job.silent"]


async def test_the_oldest_job_and_the_one_that_saved_nothing_for_longest(
    lanes: Lanes, watch: Watch, clock: HandClock
) -> None:
    first = await begin(lanes, new_job())
    await clock.advance(100)
    second = await begin(lanes, new_job(chat=CLUB))
    await clock.advance(20)
    assert await watch.ages() == Ages(120.0, 120.0)
    await lanes.save(first, "asked", 1)
    await clock.advance(5)
    assert await watch.ages() == Ages(125.0, 25.0)
    await lanes.finish(first, State.DONE)
    assert await watch.ages() == Ages(25.0, 25.0)
    await lanes.finish(second, State.DONE)
    assert await watch.ages() == Ages(0.0, 0.0)


async def test_a_job_that_starts_again_and_again_gets_no_younger(
    lanes: Lanes, watch: Watch, clock: HandClock
) -> None:
    job = new_job()
    taken = await begin(lanes, job)
    await clock.advance(300)
    await lanes.park(taken, "a")
    assert await watch.ages() == Ages(300.0, 300.0)
    await again(lanes, job, "b")
    assert await watch.ages() == Ages(300.0, 300.0)


async def test_an_earlier_attempt_that_goes_on_is_no_sign_of_life(
    lanes: Lanes, watch: Watch, clock: HandClock
) -> None:
    job = new_job()
    earlier = await begin(lanes, job)
    await lanes.park(earlier, "a")
    later = await again(lanes, job, "b")
    await clock.advance(50)
    await lanes.save(earlier, "asked", 1)
    await lanes.finish(earlier, State.DONE)
    assert await watch.ages() == Ages(50.0, 50.0)
    await lanes.finish(later, State.DONE)
    await lanes.save(later, "said", 1)  # work beside it that ends late
    assert await watch.ages() == Ages(0.0, 0.0)


async def test_a_job_that_may_hang_is_warned_of_until_it_goes_on(
    lanes: Lanes, watch: Watch, clock: HandClock
) -> None:
    hangs = await begin(lanes, new_job())
    await clock.advance(BOUND_S)
    await begin(lanes, new_job(chat=CLUB))
    assert await warned(watch) == []
    await clock.advance(1)
    assert await warned(watch) == [hangs.job.id]
    assert await warned(watch) == [hangs.job.id]
    await lanes.save(hangs, "asked", 1)
    assert await warned(watch) == []


async def test_what_was_erased_from_the_store_is_nothing_to_warn_of(
    lanes: Lanes, watch: Watch, clock: HandClock, redis: Redis
) -> None:
    taken = await begin(lanes, new_job())
    await redis.delete(keys.job_key(str(CHAT), taken.job.id))
    await clock.advance(BOUND_S + 1)
    assert await warned(watch) == []
    assert await watch.ages() == Ages(0.0, 0.0)


async def test_no_age_is_negative_when_the_wall_clock_was_set_back(
    lanes: Lanes, watch: Watch, clock: HandClock, redis: Redis
) -> None:
    await begin(lanes, new_job())
    await lanes.accept([new_job(1)], 2)
    for name in (keys.RUNNING, keys.SAVED, keys.QUEUE):
        (job,) = [str(job) for job in await redis.zrange(name, 0, -1)]
        await redis.zadd(name, {job: (clock.now() + timedelta(hours=1)).timestamp()})
    assert await watch.ages() == Ages(0.0, 0.0)
    assert await lanes.waiting() == (1, 0.0)
    assert await warned(watch) == []


async def fails(run: Run) -> None:
    raise ZeroDivisionError


async def test_what_nobody_expected_is_kept_and_counted_for_whoever_runs_the_bot(
    lanes: Lanes, watch: Watch, clock: HandClock, redis: Redis, teller: Teller
) -> None:
    job = new_job()
    await lanes.accept([job], 1)
    runner = Runner(lanes, redis, teller, clock, {Kind.WISH: [fails]}, max_tries=5)
    await runner.work(lane_name(CHAT, Lane.EDIT), job.id, "a")
    assert teller.keys_of(job) == ["error.unexpected"]
    assert await given_up(redis) == [
        GivenUp(job.id, str(CHAT), "wish", clock.now(), ZeroDivisionError.__name__)
    ]
    assert 0 < await redis.ttl(keys.GIVEN_UP) <= keys.GIVEN_UP_TTL_S

    asked = await begin(lanes, new_job(chat=ChatKey(77), lane=Lane.ASK, kind=Kind.STATS))
    run = Run(asked, lanes, clock)
    run.front = teller.open(asked.job, run)
    await tell_stats(lanes, GuestTokens(redis, clock), redis)(run)
    _, _, told = teller.told[-1]
    assert isinstance(told, Report)
    (shown,) = [line.params for line in told.lines if line.key == "stats.given_up"]
    assert shown == {"n": 1, "kind": "wish", "error": "ZeroDivisionError", "id": job.id}


async def test_a_job_is_kept_once_however_often_the_store_is_told_and_only_the_latest_are(
    lanes: Lanes, watch: Watch, redis: Redis
) -> None:
    for number in range(keys.GIVEN_UP_KEPT + 2):
        taken = await begin(lanes, new_job(number))
        await lanes.finish(taken, State.FAILED, f"Error{number}")
        await lanes.finish(taken, State.FAILED, f"Error{number}")
    kept = [one.error for one in await given_up(redis)]
    assert kept == [f"Error{number}" for number in range(keys.GIVEN_UP_KEPT + 1, 1, -1)]


async def test_an_erased_chat_leaves_none_of_them(lanes: Lanes, watch: Watch, redis: Redis) -> None:
    for chat in (CHAT, CLUB, CHAT):
        await lanes.finish(await begin(lanes, new_job(chat=chat)), State.FAILED, "Interrupted")
    asked = await begin(lanes, new_job(kind=Kind.FORGET))
    assert await Eraser(redis).erase(asked)
    assert [one.chat for one in await given_up(redis)] == [str(CLUB)]
