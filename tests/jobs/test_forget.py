"""Forgetting a chat, interrupted and repeated: all of it goes, once, and nothing that came later."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.forgetting import Eraser
from bot.jobs.gathering import Arrival, Part
from bot.jobs.job import Job, Kind, Lane, State
from bot.jobs.lanes import Lanes, lane_name
from bot.jobs.ports import Notice
from bot.jobs.runner import Ended, Run
from bot.jobs.steps.forget import ALLOWED, PAUSE_S, clear_way, forget
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, Teller, new_job

NEIGHBOURS = (ChatKey(47110), ChatKey(4711, 5), ChatKey(-4711))


def clearing(asked: Job) -> Job:
    return new_job(chat=asked.chat, kind=Kind.CLEAR_WAY, lane=Lane.TAP, data={"before": asked.id})


class Died(BaseException):
    """Stands for ``kill -9``."""


async def run_of(lanes: Lanes, clock: HandClock, teller: Teller, job: Job, ticket: str = "ticket") -> Run:
    taken = await lanes.take(lane_name(job.chat, job.lane), ticket)
    assert taken is not None
    assert taken.job.id == job.id
    run = Run(taken, lanes, clock)
    run.front = teller.open(job, run)
    return run


async def fill(redis: Redis, chat: ChatKey, value: str) -> None:
    await redis.hset(keys.chat_key(str(chat)), "session_id", value)
    await redis.lpush(keys.results_key(str(chat)), value)


async def names(redis: Redis, chat: ChatKey) -> set[str]:
    return {name async for name in redis.scan_iter(keys.chat_pattern(str(chat)))}


@pytest.fixture
async def old(lanes: Lanes, redis: Redis) -> Job:
    """A job of the chat that is done, among other things that are kept of it and of its neighbours."""
    job = new_job(text="my old wish")
    await lanes.accept([job], 1)
    taken = await lanes.take(lane_name(CHAT, Lane.EDIT), "old")
    assert taken
    await lanes.finish(taken, State.DONE)
    for chat in (CHAT, *NEIGHBOURS):
        await fill(redis, chat, "old")
        await redis.zadd(keys.message_numbers_key(str(chat.chat_id)), {"7": 7, "9": 9})
    return job


async def test_everything_goes_but_what_came_later_and_the_neighbours(
    lanes: Lanes, redis: Redis, clock: HandClock, teller: Teller, old: Job
) -> None:
    before = {chat: await names(redis, chat) for chat in NEIGHBOURS}
    asked, later = new_job(kind=Kind.FORGET), new_job(1, text="my next wish")
    await lanes.accept([asked], 2)
    await lanes.accept([later], 3)
    run = await run_of(lanes, clock, teller, asked)

    await forget(lanes, Eraser(redis))(run)

    chat = str(CHAT)
    left = {
        keys.job_key(chat, asked.id),
        keys.slot_key(chat, Lane.EDIT),
        keys.job_key(chat, later.id),
        keys.lane_key(chat, Lane.EDIT),
        *(keys.update_mark(chat, number) for number in (1, 2, 3)),
        keys.message_numbers_key(chat),
    }
    assert await names(redis, CHAT) == left
    assert await redis.zrange(keys.message_numbers_key(chat), 0, -1) == ["9"]
    assert {chat: await names(redis, chat) for chat in NEIGHBOURS} == before
    assert teller.told == [(asked.id, "forgotten", Notice("forget.done"))]
    await lanes.finish(run.taken, State.DONE)
    assert 0 < await redis.ttl(keys.job_key(chat, asked.id)) <= keys.SAID_JOB_TTL_S
    assert (await run_of(lanes, clock, teller, later, "next")).job.text == "my next wish"


async def test_a_second_start_erases_nothing_that_came_after_the_first(
    lanes: Lanes, redis: Redis, clock: HandClock, teller: Teller, old: Job
) -> None:
    asked = new_job(kind=Kind.FORGET)
    await lanes.accept([asked], 2)
    teller.failing["say"] = Died()  # type: ignore[assignment]
    with pytest.raises(Died):
        await forget(lanes, Eraser(redis))(await run_of(lanes, clock, teller, asked))
    assert not await redis.exists(keys.chat_key(str(CHAT)))
    await fill(redis, CHAT, "new")
    del teller.failing["say"]

    await forget(lanes, Eraser(redis))(await run_of(lanes, clock, teller, asked))

    assert await redis.hget(keys.chat_key(str(CHAT)), "session_id") == "new"
    assert teller.told == [(asked.id, "forgotten", Notice("forget.done"))]


async def test_an_earlier_attempt_that_goes_on_regardless_erases_nothing(
    lanes: Lanes, redis: Redis, clock: HandClock, teller: Teller, old: Job
) -> None:
    asked = new_job(kind=Kind.FORGET)
    await lanes.accept([asked], 2)
    first = await run_of(lanes, clock, teller, asked)
    await run_of(lanes, clock, teller, asked)
    assert not await Eraser(redis).erase(first.taken)
    assert await redis.hget(keys.chat_key(str(CHAT)), "session_id") == "old"


async def test_a_question_that_is_being_answered_is_stopped_and_cant_write_the_chat_back(
    lanes: Lanes, redis: Redis, clock: HandClock, teller: Teller, old: Job
) -> None:
    question, next_question = (new_job(kind=Kind.CREDITS, lane=Lane.ASK) for _ in range(2))
    await lanes.accept([question, next_question], 2)
    answering = await run_of(lanes, clock, teller, question, "question")
    asked = new_job(kind=Kind.FORGET, data={"questions": [question.id, next_question.id]})
    await lanes.accept([asked], 3)
    run = await run_of(lanes, clock, teller, asked)

    async def forgetting() -> None:
        await forget(lanes, Eraser(redis))(run)

    task = asyncio.create_task(forgetting())
    await clock.asleep(at_least_s=PAUSE_S)

    await fill(redis, CHAT, "by the question")
    assert await lanes.save(answering.taken, "any", 1) == 2  # it was asked to stop
    await lanes.finish(answering.taken, State.CANCELLED)
    later = new_job(kind=Kind.CREDITS, lane=Lane.ASK)
    await lanes.accept([later], 4)
    await clock.advance(PAUSE_S)
    await task

    assert not await redis.exists(keys.chat_key(str(CHAT)), keys.results_key(str(CHAT)))
    assert await lanes.current(CHAT, Lane.ASK) == [later.id]
    assert await lanes.find(CHAT, next_question.id) is None


@pytest.mark.parametrize("dies_after", [0, 1, 2, 3])
async def test_all_that_was_asked_before_is_stopped_even_when_the_process_dies_in_between(
    lanes: Lanes,
    clock: HandClock,
    teller: Teller,
    monkeypatch: pytest.MonkeyPatch,
    dies_after: int,
) -> None:
    asked = new_job(kind=Kind.FORGET)
    before = [new_job(number) for number in range(3)]
    after = new_job(9)
    clear = clearing(asked)
    await lanes.accept(before, 1)
    running = await run_of(lanes, clock, teller, before[0])
    await lanes.accept([asked, clear], 2)
    await lanes.accept([after], 3)
    cancel = lanes.cancel
    cancelled: list[str] = []

    async def dies(*given: Any) -> Any:
        if len(cancelled) == dies_after:
            raise Died
        cancelled.append(given[-1])
        return await cancel(*given)

    monkeypatch.setattr(lanes, "cancel", dies)
    step = clear_way(lanes)
    try:
        await step(await run_of(lanes, clock, teller, clear, "tap"))
    except Died:
        monkeypatch.setattr(lanes, "cancel", cancel)
        await step(await run_of(lanes, clock, teller, clear, "tap"))

    assert await lanes.current(CHAT, Lane.EDIT) == [before[0].id, asked.id, after.id]
    assert await lanes.save(running.taken, "any", 1) == 2  # asked to stop
    await lanes.finish(running.taken, State.CANCELLED)
    assert (await run_of(lanes, clock, teller, asked, "next")).job.kind is Kind.FORGET


async def test_when_it_has_begun_nothing_is_stopped_any_more(
    lanes: Lanes, clock: HandClock, teller: Teller
) -> None:
    asked, wish = new_job(kind=Kind.FORGET), new_job()
    await lanes.accept([asked], 1)
    await run_of(lanes, clock, teller, asked)
    await lanes.accept([wish, clearing(asked)], 2)
    taken = await lanes.take(lane_name(CHAT, Lane.TAP), "tap")
    assert taken
    run = Run(taken, lanes, clock)
    run.front = teller.open(taken.job, run)
    await clear_way(lanes)(run)
    assert await lanes.current(CHAT, Lane.EDIT) == [asked.id, wish.id]
    standing = await lanes.find(CHAT, wish.id)
    assert standing
    assert standing.state is State.QUEUED


@pytest.mark.parametrize("is_allowed", [True, False])
async def test_it_waits_for_the_answer_to_the_press_where_only_an_admin_may(
    lanes: Lanes, redis: Redis, clock: HandClock, teller: Teller, old: Job, is_allowed: bool
) -> None:
    answer = new_job(kind=Kind.TAP, lane=Lane.TAP)
    asked = new_job(kind=Kind.FORGET, data={"if_allowed_by": answer.id})
    await lanes.accept([answer, asked], 2)
    run = await run_of(lanes, clock, teller, asked)
    answering = await run_of(lanes, clock, teller, answer, "tap")

    async def forgetting() -> None:
        await forget(lanes, Eraser(redis))(run)

    task = asyncio.create_task(forgetting())
    await clock.asleep(at_least_s=PAUSE_S)
    assert await redis.hget(keys.chat_key(str(CHAT)), "session_id") == "old"
    if is_allowed:
        await lanes.keep_beside(asked, ALLOWED, True)
    await lanes.finish(answering.taken, State.DONE)
    await clock.advance(PAUSE_S)
    if is_allowed:
        await task
    else:
        with pytest.raises(Ended):
            await task
    assert bool(await redis.exists(keys.chat_key(str(CHAT)))) is not is_allowed


async def test_what_a_later_message_belongs_to_is_known_still(
    lanes: Lanes, redis: Redis, clock: HandClock, teller: Teller, old: Job
) -> None:
    earlier, later = (Part(number, 0, album=str(number)) for number in (1, 2))
    await lanes.accept([new_job(owner_id=1)], 2, Arrival(earlier))
    asked = new_job(kind=Kind.FORGET)
    await lanes.accept([asked], 3)
    (waiting, *_) = await lanes.current(CHAT, Lane.EDIT)
    await lanes.cancel(CHAT, Lane.EDIT, waiting)
    await lanes.accept([wish := new_job(owner_id=2)], 4, Arrival(later))

    await forget(lanes, Eraser(redis))(await run_of(lanes, clock, teller, asked))

    chat = str(CHAT)
    assert not await redis.exists(keys.album_key(chat, "1"), keys.sender_key(chat, 1))
    assert await redis.hget(keys.album_key(chat, "2"), "job") == wish.id
    assert await redis.get(keys.sender_key(chat, 2)) == wish.id
    found = await lanes.asked_in(CHAT, CHAT.chat_id, 2)
    assert found
    assert found.job.id == wish.id
    assert await lanes.asked_in(CHAT, CHAT.chat_id, 1) is None


async def test_what_is_still_said_of_an_erased_job_does_not_bring_it_back(lanes: Lanes, redis: Redis) -> None:
    job = new_job()
    await lanes.accept([job], 1)
    standing = await lanes.find(CHAT, job.id)
    assert standing
    await redis.delete(keys.job_key(str(CHAT), job.id))
    await lanes.keep_beside(job, "live", {"message_id": 1})
    assert not await lanes.claim_announcement(standing)
    assert not await redis.exists(keys.job_key(str(CHAT), job.id))
