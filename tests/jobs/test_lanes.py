import asyncio
from typing import Any

import pytest
from docket import Docket
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bot.chats.key import ChatKey
from bot.jobs.job import Kind, Lane, State
from bot.jobs.lanes import LANE_IDLE, BotFull, LaneFull, Lanes, Saved, Taken, lane_name, parse_lane_name
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, new_job, tickets

EDIT = lane_name(CHAT, Lane.EDIT)


async def take(lanes: Lanes, ticket: str, name: str = EDIT) -> Taken:
    taken = await lanes.take(name, ticket)
    assert taken is not None
    return taken


async def everything(redis: Redis) -> dict[str, Any]:
    """What is stored, apart from docket's."""
    found: dict[str, Any] = {}
    async for key in redis.scan_iter(f"{keys.NAMESPACE}*"):
        if key.startswith((keys.DOCKET, keys.PEOPLE)) or key == keys.LANES:
            continue
        match await redis.type(key):
            case "hash":
                found[key] = await redis.hgetall(key)
            case "zset":
                found[key] = await redis.zrange(key, 0, -1)
            case "list":
                found[key] = await redis.lrange(key, 0, -1)
            case _:
                found[key] = await redis.get(key)
    return found


class SaysTwice:
    """Sends each of a job's writes a second time, as redis-py does when an answer was lost."""

    def __init__(self, lanes: Lanes) -> None:
        for name in ("_accept", "_finish", "_save", "_park", "_cancel"):
            setattr(lanes, name, self._twice(getattr(lanes, name)))

    @staticmethod
    def _twice(script: Any) -> Any:
        async def run(**values: Any) -> Any:
            await script(**values)
            return await script(**values)

        return run


@pytest.mark.parametrize("chat", [ChatKey(5, None), ChatKey(-1001234567890, 45)])
@pytest.mark.parametrize("lane", list(Lane))
def test_names_of_lanes_are_read_back(chat: ChatKey, lane: Lane) -> None:
    assert parse_lane_name(lane_name(chat, lane)) == (chat, lane)


async def test_jobs_of_a_lane_come_in_the_order_they_were_asked(lanes: Lanes) -> None:
    jobs = [new_job(number) for number in range(4)]
    for number, job in enumerate(jobs):
        assert await lanes.accept([job], number)
    seen = []
    for number in range(4):
        taken = await take(lanes, f"ticket {number}")
        seen.append(taken.job)
        assert (taken.attempt, taken.tries, taken.cancelled, taken.announced) == (1, 1, False, False)
        await lanes.finish(taken, State.DONE)
    assert seen == jobs
    assert await lanes.take(EDIT, "late") is None


async def test_one_at_a_time_in_a_lane_and_lanes_side_by_side(lanes: Lanes) -> None:
    edits = [new_job(1), new_job(2)]
    question = new_job(3, lane=Lane.ASK, kind=Kind.CREDITS)
    elsewhere = new_job(4, chat=ChatKey(4711, 9))
    await lanes.accept([*edits, question], 1)
    await lanes.accept([elsewhere], 2)
    assert (await take(lanes, "a")).job == edits[0]
    assert await lanes.take(EDIT, "b") is None
    assert (await take(lanes, "b", lane_name(CHAT, Lane.ASK))).job == question
    assert (await take(lanes, "c", lane_name(elsewhere.chat, Lane.EDIT))).job == elsewhere
    assert await lanes.current(CHAT, Lane.EDIT) == [edits[0].id, edits[1].id]


async def test_a_repeated_update_stores_nothing_but_gets_its_ticket_again(
    lanes: Lanes, redis: Redis, docket: Docket
) -> None:
    job = new_job()
    assert await lanes.accept([job], 7)
    before = await everything(redis)
    assert not await lanes.accept([new_job(1)], 7)
    assert await everything(redis) == before
    assert len(await tickets(docket)) == 2


async def test_the_same_number_in_another_chat_is_another_update(lanes: Lanes) -> None:
    assert await lanes.accept([new_job()], 7)
    assert await lanes.accept([new_job(chat=ChatKey(12, None))], 7)


async def test_writes_that_redis_gets_twice_change_nothing(lanes: Lanes, redis: Redis) -> None:
    SaysTwice(lanes)
    first, second, third, fourth = jobs = [new_job(number) for number in range(4)]
    for number, job in enumerate(jobs):
        await lanes.accept([job], number)
    assert await lanes.current(CHAT, Lane.EDIT) == [job.id for job in jobs]

    taken = await take(lanes, "a")
    assert await lanes.save(taken, "asked", 1) is Saved.OK
    await lanes.park(taken, "a")
    again = await take(lanes, "b")
    assert (again.job, again.tries) == (first, 1)
    await lanes.finish(again, State.DONE)
    assert await lanes.cancel(CHAT, Lane.EDIT, second.id) in (State.QUEUED, State.CANCELLED)
    assert (await take(lanes, "c")).job == third
    assert await lanes.current(CHAT, Lane.EDIT) == [third.id, fourth.id]


async def test_a_finish_whose_answer_was_lost_leaves_the_next_jobs_slot_alone(lanes: Lanes) -> None:
    first, second = new_job(1), new_job(2)
    await lanes.accept([first, second], 1)
    taken = await take(lanes, "a")
    await lanes.finish(taken, State.DONE)
    assert (await take(lanes, "b")).job == second
    await lanes.finish(taken, State.DONE)
    assert await lanes.take(EDIT, "c") is None
    assert await lanes.current(CHAT, Lane.EDIT) == [second.id]


async def test_a_ticket_delivered_again_finds_its_job_and_what_was_saved(lanes: Lanes) -> None:
    job = new_job()
    await lanes.accept([job], 1)
    taken = await take(lanes, "a")
    await lanes.save(taken, "asked", {"before": [1, 2]})
    again = await take(lanes, "a")
    assert (again.job, again.attempt, again.tries) == (job, 2, 2)
    assert again.checkpoints == {"asked": {"before": [1, 2]}}


async def test_an_earlier_attempt_can_neither_save_nor_finish(lanes: Lanes, redis: Redis) -> None:
    job, waiting = new_job(1), new_job(2)
    await lanes.accept([job, waiting], 1)
    old = await take(lanes, "a")
    new = await take(lanes, "a")
    before = await everything(redis)
    assert await lanes.save(old, "asked", "old") is Saved.SUPERSEDED
    await lanes.finish(old, State.FAILED)
    assert await everything(redis) == before
    assert await lanes.save(new, "asked", "new") is Saved.OK
    await lanes.finish(new, State.DONE)
    assert (await take(lanes, "b")).job == waiting
    standing = await lanes.find(CHAT, job.id)
    assert standing is not None
    assert standing.state is State.DONE


async def test_finishing_adds_a_ticket_only_where_something_waits(lanes: Lanes, docket: Docket) -> None:
    await lanes.accept([new_job(1), new_job(2)], 1)
    await docket.clear()
    await lanes.finish(await take(lanes, "a"), State.DONE)
    assert [name for name, _, _ in await tickets(docket)] == [EDIT]
    await docket.clear()
    await lanes.finish(await take(lanes, "b"), State.DONE)
    assert await tickets(docket) == []


async def test_a_finished_job_is_kept_for_a_while_and_a_waiting_one_for_ever(
    lanes: Lanes, redis: Redis
) -> None:
    job = new_job()
    await lanes.accept([job], 1)
    key = keys.job_key(str(CHAT), job.id)
    assert await redis.ttl(key) == -1
    taken = await take(lanes, "a")
    assert await redis.ttl(key) == -1
    await lanes.finish(taken, State.DONE)
    assert 0 < await redis.ttl(key) <= keys.JOB_TTL_S
    assert 0 < await redis.ttl(keys.update_mark(str(CHAT), 1)) <= keys.UPDATE_TTL_S


async def test_a_parked_job_goes_to_another_ticket_at_once_and_is_excused(
    lanes: Lanes, docket: Docket
) -> None:
    job = new_job()
    await lanes.accept([job, new_job(1)], 1)
    await docket.clear()
    taken = await take(lanes, "a")
    await lanes.save(taken, "asked", 1)
    await lanes.park(taken, "a")
    ((name, _, ticket),) = await tickets(docket)
    assert name == EDIT
    again = await take(lanes, ticket)
    assert (again.job, again.attempt, again.tries, again.checkpoints) == (job, 2, 1, {"asked": 1})


async def test_excuses_are_counted_off(lanes: Lanes) -> None:
    await lanes.accept([new_job()], 1)
    await lanes.excuse(await take(lanes, "a"))
    assert (await take(lanes, "a")).tries == 1
    assert (await take(lanes, "a")).tries == 2


async def test_too_much_waiting_stores_nothing(lanes: Lanes, redis: Redis, docket: Docket) -> None:
    for number in range(5):
        await lanes.accept([new_job(number)], number)
    before, tickets_before = await everything(redis), await tickets(docket)
    question = new_job(7, lane=Lane.ASK, kind=Kind.CREDITS)
    for jobs in ([new_job(6)], [question, new_job(6)]):
        with pytest.raises(LaneFull):
            await lanes.accept(jobs, 6)
    assert await everything(redis) == before
    assert await tickets(docket) == tickets_before
    assert await lanes.accept([question], 6)


async def test_all_chats_together_may_have_so_much_waiting(
    redis: Redis, docket: Docket, clock: HandClock
) -> None:
    lanes = Lanes(redis, docket, clock, total_limit=3)
    chats = [ChatKey(number, None) for number in range(1, 5)]
    for number, chat in enumerate(chats[:3]):
        await lanes.accept([new_job(id=f"job{number}", chat=chat)], number)
    await clock.advance(7)
    assert await lanes.waiting() == (3, 7.0)

    late = new_job(id="late", chat=chats[3])
    with pytest.raises(BotFull):
        await lanes.accept([late], 9)
    assert await redis.exists(keys.job_key(str(chats[3]), "late")) == 0
    await lanes.accept([new_job(id="asked", chat=chats[3], lane=Lane.ASK)], 10)
    assert not await lanes.accept([new_job(id="job0", chat=chats[0])], 0), "a repeated update is no new one"

    await take(lanes, "t", lane_name(chats[0], Lane.EDIT))
    await lanes.accept([late], 9)
    await lanes.cancel(chats[1], Lane.EDIT, "job1")
    assert (await lanes.waiting())[0] == 2


async def test_what_was_erased_while_it_waited_counts_no_more(lanes: Lanes, redis: Redis) -> None:
    await lanes.accept([new_job(id="one")], 1)
    await redis.delete(keys.job_key(str(CHAT), "one"), keys.lane_key(str(CHAT), Lane.EDIT))
    await lanes.sweep()
    assert await lanes.waiting() == (0, 0.0)


async def test_a_running_job_does_not_count_as_waiting(lanes: Lanes) -> None:
    for number in range(5):
        await lanes.accept([new_job(number)], number)
    await take(lanes, "a")
    assert await lanes.accept([new_job(6)], 6)


async def test_all_of_a_chat_and_its_topics_is_dropped_where_the_bot_is_not_any_more(lanes: Lanes) -> None:
    group, topic, other = ChatKey(-1001), ChatKey(-1001, 7), ChatKey(-10012)
    for number, chat in enumerate((group, group, topic, other)):
        await lanes.accept([new_job(number, chat=chat)], number)
    running = await take(lanes, "a", lane_name(group, Lane.EDIT))
    await lanes.drop(group.chat_id)
    assert await lanes.save(running, "asked", 1) is Saved.CANCELLED
    assert await lanes.current(group, Lane.EDIT) == [running.job.id]
    assert await lanes.current(topic, Lane.EDIT) == []
    assert len(await lanes.current(other, Lane.EDIT)) == 1


class TestCancel:
    async def test_a_waiting_job_is_taken_out(self, lanes: Lanes, redis: Redis) -> None:
        first, second, third = jobs = [new_job(number) for number in range(3)]
        await lanes.accept(jobs, 1)
        assert await lanes.cancel(CHAT, Lane.EDIT, second.id) is State.QUEUED
        assert await lanes.current(CHAT, Lane.EDIT) == [first.id, third.id]
        standing = await lanes.find(CHAT, second.id)
        assert standing is not None
        assert (standing.state, standing.place) == (State.CANCELLED, 0)
        assert await redis.ttl(keys.job_key(str(CHAT), second.id)) > 0

    async def test_a_running_job_is_asked_to_stop(self, lanes: Lanes, redis: Redis) -> None:
        job = new_job()
        await lanes.accept([job], 1)
        taken = await take(lanes, "a")
        async with redis.pubsub() as news:
            await news.subscribe(keys.CANCEL_CHANNEL)
            await news.get_message(timeout=5)
            assert await lanes.cancel(CHAT, Lane.EDIT, job.id) is State.RUNNING
            item = await news.get_message(timeout=5)
            assert item is not None
            assert item["data"] == job.id
        assert await lanes.save(taken, "asked", 1) is Saved.CANCELLED
        assert (await take(lanes, "a")).cancelled

    async def test_a_finished_job_stays_as_it_is(self, lanes: Lanes, redis: Redis) -> None:
        job = new_job()
        await lanes.accept([job], 1)
        await lanes.finish(await take(lanes, "a"), State.DONE)
        before = await everything(redis)
        assert await lanes.cancel(CHAT, Lane.EDIT, job.id) is State.DONE
        assert await everything(redis) == before

    async def test_an_unknown_job_is_not_made(self, lanes: Lanes, redis: Redis) -> None:
        assert await lanes.cancel(CHAT, Lane.EDIT, "0123456789abcdef") is None
        assert await everything(redis) == {}

    async def test_another_chats_job_is_unknown(self, lanes: Lanes) -> None:
        job = new_job()
        await lanes.accept([job], 1)
        other = ChatKey(99, None)
        assert await lanes.find(other, job.id) is None
        assert await lanes.cancel(other, Lane.EDIT, job.id) is None


async def test_places_in_the_queue(lanes: Lanes) -> None:
    jobs = [new_job(number) for number in range(3)]
    await lanes.accept(jobs, 1)
    await take(lanes, "a")
    places = []
    for job in jobs:
        standing = await lanes.find(CHAT, job.id)
        assert standing is not None
        places.append((standing.state, standing.place))
    assert places == [(State.RUNNING, 0), (State.QUEUED, 1), (State.QUEUED, 2)]


async def test_only_one_announces(lanes: Lanes) -> None:
    job = new_job()
    await lanes.accept([job], 1)
    standing = await lanes.find(CHAT, job.id)
    assert standing is not None
    claims = await asyncio.gather(*(lanes.claim_announcement(standing) for _ in range(5)))
    assert sorted(claims) == [False] * 4 + [True]
    await lanes.keep_beside(job, "live", {"message_id": 3})
    assert await lanes.checkpoint(job, "live") == {"message_id": 3}
    assert await lanes.checkpoint(job, "other") is None
    taken = await take(lanes, "a")
    assert taken.announced
    assert taken.checkpoints == {"live": {"message_id": 3}}


async def test_a_job_that_has_begun_is_not_announced(lanes: Lanes) -> None:
    job = new_job()
    await lanes.accept([job], 1)
    standing = await lanes.find(CHAT, job.id)
    assert standing is not None
    assert not (await take(lanes, "a")).announced
    assert not await lanes.claim_announcement(standing)


async def test_a_job_that_begins_just_then_is_not_overlooked(lanes: Lanes) -> None:
    for number in range(20):
        job = new_job()
        await lanes.accept([job], number)
        current, taken = await asyncio.gather(lanes.current(CHAT, Lane.EDIT), take(lanes, f"t{number}"))
        assert current == [job.id]
        await lanes.finish(taken, State.DONE)


class TestSweep:
    async def test_a_lane_whose_ticket_was_never_added_gets_one(self, lanes: Lanes, docket: Docket) -> None:
        await lanes.accept([new_job()], 1)
        await docket.clear()
        assert await lanes.sweep() == 1
        assert [name for name, _, _ in await tickets(docket)] == [EDIT]

    async def test_what_waits_for_a_busy_worker_is_not_given_ever_more_tickets(
        self, lanes: Lanes, docket: Docket
    ) -> None:
        parked = new_job(2, chat=ChatKey(8, None))
        await lanes.accept([new_job()], 1)
        await lanes.accept([parked], 2)
        name = lane_name(parked.chat, Lane.EDIT)
        taken = await take(lanes, "a", name)
        await lanes.park(taken, "a")
        for _ in range(6):
            await lanes.sweep()
        assert len(await tickets(docket)) <= 5
        assert (await take(lanes, "b", name)).tries == 1

    async def test_a_lane_that_is_just_being_filled_is_no_reason_to_worry(self, lanes: Lanes) -> None:
        await lanes.accept([new_job()], 1)
        with capture_logs() as told:
            await lanes.sweep()
        assert told == []

    async def test_a_job_whose_ticket_died_is_given_to_another(self, lanes: Lanes, docket: Docket) -> None:
        job = new_job()
        await lanes.accept([job], 1)
        await docket.clear()
        await take(lanes, "a ticket that docket does not know")
        with capture_logs() as told:
            assert await lanes.sweep() == 1
        assert [line["event"] for line in told] == ["lanes.ticket_was_missing"]
        ((_, _, ticket),) = await tickets(docket)
        again = await take(lanes, ticket)
        assert (again.job, again.attempt) == (job, 2)

    async def test_a_job_that_kills_its_tickets_uses_up_its_tries(self, lanes: Lanes, docket: Docket) -> None:
        await lanes.accept([new_job()], 1)
        for number in range(1, 5):
            assert (await take(lanes, f"dead {number}")).tries == number
            await lanes.sweep()

    async def test_a_ticket_that_lives_keeps_its_job(self, lanes: Lanes, docket: Docket) -> None:
        await lanes.accept([new_job()], 1)
        ((_, _, ticket),) = await tickets(docket)
        await take(lanes, ticket)
        assert await lanes.sweep() == 0
        assert await lanes.take(EDIT, "another") is None

    async def test_idle_lanes_are_forgotten_after_a_while(
        self, lanes: Lanes, redis: Redis, clock: HandClock, docket: Docket
    ) -> None:
        job = new_job()
        await lanes.accept([job], 1)
        ((_, _, ticket),) = await tickets(docket)
        taken = await take(lanes, ticket)
        await clock.advance(LANE_IDLE.total_seconds() + 1)
        await lanes.sweep()
        assert await redis.zcard(keys.LANES) == 1
        await lanes.finish(taken, State.DONE)
        await lanes.sweep()
        assert await redis.zcard(keys.LANES) == 0

    async def test_a_lane_that_waits_for_long_is_not_forgotten(
        self, lanes: Lanes, redis: Redis, clock: HandClock
    ) -> None:
        await lanes.accept([new_job()], 1)
        await clock.advance(LANE_IDLE.total_seconds() * 3)
        await lanes.sweep()
        assert await redis.zcard(keys.LANES) == 1


@pytest.mark.parametrize(
    ("kind", "kept_s"),
    [(Kind.WISH, keys.JOB_TTL_S), (Kind.SAY, keys.SAID_JOB_TTL_S), (Kind.TAP, keys.SAID_JOB_TTL_S)],
)
async def test_a_finished_job_is_kept_as_long_as_buttons_may_refer_to_it(
    lanes: Lanes, redis: Redis, kind: Kind, kept_s: int
) -> None:
    job = new_job(kind=kind)
    await lanes.accept([job], 1)
    await lanes.finish(await take(lanes, "ticket"), State.DONE)
    assert kept_s - 5 < await redis.ttl(keys.job_key(str(CHAT), job.id)) <= kept_s
