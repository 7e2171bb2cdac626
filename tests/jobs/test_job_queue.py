import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest
from docket import Docket
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import AFTER, AgentAnswered, Checkpoint, KeptDraft, Turn, before_turn, field_of
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.queue.claimed_job import ClaimedJob, SaveOutcome
from bot.jobs.queue.job_queue import BotFull, JobQueue, PersonFull, QueueFull
from bot.jobs.queue.sweep import BATCH, SWEEP_EVERY_S
from bot.jobs.queue.tickets import parse_queue_id, queue_id
from bot.nemo.drafts import read_draft
from bot.store import keys
from bot.store.connect import Store
from bot.store.docket_json import open_docket
from bot.store.errors import StoreError
from bot.store.schema import SCHEMA_VERSION, watch_schema
from tests.clocks import PATIENCE_S, HandClock
from tests.jobs.conftest import CHAT, new_job, tickets

EDIT = queue_id(CHAT, QueueName.MAIN)


async def take(job_queue: JobQueue, ticket: str, name: str = EDIT) -> ClaimedJob:
    claimed = await job_queue.claim(name, ticket)
    assert claimed is not None
    return claimed


async def everything(redis: Redis) -> dict[str, Any]:
    """What is stored, apart from docket's."""
    found: dict[str, Any] = {}
    async for key in redis.scan_iter(f"{keys.NAMESPACE}*"):
        if key.startswith((keys.DOCKET, keys.people_key(""))) or key == keys.QUEUES:
            continue
        match await redis.type(key):
            case "hash":
                found[key] = await redis.hgetall(key)
            case "zset":
                found[key] = await redis.zrange(key, 0, -1)
            case "set":
                found[key] = await redis.smembers(key)
            case "list":
                found[key] = await redis.lrange(key, 0, -1)
            case _:
                found[key] = await redis.get(key)
    return found


def repeat_writes(job_queue: JobQueue) -> None:
    """Run each of the queue's scripts a second time, as redis-py does when an answer was lost."""

    def twice(script: Any) -> Any:
        async def run(*values: Any, **named: Any) -> Any:
            await script(*values, **named)
            return await script(*values, **named)

        return run

    for name in ("_enqueue", "_finish", "_save", "_park", "_cancel"):
        setattr(job_queue, name, twice(getattr(job_queue, name)))


@pytest.mark.parametrize("chat", [ChatKey(5, None), ChatKey(-1001234567890, 45)])
@pytest.mark.parametrize("queue", list(QueueName))
def test_ids_of_queues_are_read_back(chat: ChatKey, queue: QueueName) -> None:
    assert parse_queue_id(queue_id(chat, queue)) == (chat, queue)


async def test_jobs_of_a_queue_come_in_the_order_they_were_asked(job_queue: JobQueue) -> None:
    jobs = [new_job(number) for number in range(4)]
    for number, job in enumerate(jobs):
        assert (await job_queue.enqueue([job], number)).is_new
    seen = []
    for number in range(4):
        claimed = await take(job_queue, f"ticket {number}")
        seen.append(claimed.job)
        assert (
            claimed.attempt,
            claimed.counted_attempts,
            claimed.cancelled,
            claimed.has_position_message,
        ) == (
            1,
            1,
            False,
            False,
        )
        await job_queue.finish(claimed, JobState.DONE)
    assert seen == jobs
    assert await job_queue.claim(EDIT, "late") is None


async def test_one_at_a_time_in_a_queue_and_queues_side_by_side(job_queue: JobQueue) -> None:
    edits = [new_job(1), new_job(2)]
    question = new_job(3, queue=QueueName.QUICK, kind=JobKind.CREDITS)
    elsewhere = new_job(4, chat=ChatKey(4711, 9))
    await job_queue.enqueue([*edits, question], 1)
    await job_queue.enqueue([elsewhere], 2)
    assert (await take(job_queue, "a")).job == edits[0]
    assert await job_queue.claim(EDIT, "b") is None
    assert (await take(job_queue, "b", queue_id(CHAT, QueueName.QUICK))).job == question
    assert (await take(job_queue, "c", queue_id(elsewhere.chat, QueueName.MAIN))).job == elsewhere
    assert await job_queue.current(CHAT, QueueName.MAIN) == [edits[0].id, edits[1].id]


async def test_a_repeated_update_stores_nothing_but_gets_its_ticket_again(
    job_queue: JobQueue, redis: Redis, docket: Docket
) -> None:
    job = new_job()
    assert (await job_queue.enqueue([job], 7)).is_new
    before = await everything(redis)
    assert not (await job_queue.enqueue([new_job(1)], 7)).is_new
    assert await everything(redis) == before
    assert len(await tickets(docket)) == 2


async def test_the_same_number_in_another_chat_is_another_update(job_queue: JobQueue) -> None:
    assert (await job_queue.enqueue([new_job()], 7)).is_new
    assert (await job_queue.enqueue([new_job(chat=ChatKey(12, None))], 7)).is_new


async def test_writes_that_redis_gets_twice_change_nothing(job_queue: JobQueue, redis: Redis) -> None:
    repeat_writes(job_queue)
    first, second, third, fourth = jobs = [new_job(number) for number in range(4)]
    for number, job in enumerate(jobs):
        await job_queue.enqueue([job], number)
    assert await job_queue.current(CHAT, QueueName.MAIN) == [job.id for job in jobs]

    claimed = await take(job_queue, "a")
    assert await job_queue.save(claimed, {"asked": 1}) is SaveOutcome.OK
    await job_queue.park(claimed, "a")
    again = await take(job_queue, "b")
    assert (again.job, again.counted_attempts) == (first, 1)
    await job_queue.finish(again, JobState.DONE)
    assert await job_queue.cancel(CHAT, QueueName.MAIN, second.id) in (JobState.QUEUED, JobState.CANCELLED)
    assert (await take(job_queue, "c")).job == third
    assert await job_queue.current(CHAT, QueueName.MAIN) == [third.id, fourth.id]


async def test_a_finish_whose_answer_was_lost_leaves_the_next_job_alone(job_queue: JobQueue) -> None:
    first, second = new_job(1), new_job(2)
    await job_queue.enqueue([first, second], 1)
    claimed = await take(job_queue, "a")
    await job_queue.finish(claimed, JobState.DONE)
    assert (await take(job_queue, "b")).job == second
    await job_queue.finish(claimed, JobState.DONE)
    assert await job_queue.claim(EDIT, "c") is None
    assert await job_queue.current(CHAT, QueueName.MAIN) == [second.id]


async def test_a_job_is_given_up_once_and_the_latest_are_kept(job_queue: JobQueue) -> None:
    repeat_writes(job_queue)
    jobs = [new_job(number, requester_id=number) for number in range(keys.GIVEN_UP_KEPT + 1)]
    for job in jobs:
        await job_queue.enqueue([job], job.id)
        await job_queue.finish(await take(job_queue, job.id), JobState.FAILED, "Interrupted")
    assert [one.id for one in await job_queue.given_up()] == [job.id for job in reversed(jobs[1:])]


async def test_a_ticket_delivered_again_finds_its_job_and_what_was_saved(job_queue: JobQueue) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    claimed = await take(job_queue, "a")
    await job_queue.save(claimed, {"asked": {"before": [1, 2]}})
    again = await take(job_queue, "a")
    assert (again.job, again.attempt, again.counted_attempts) == (job, 2, 2)
    assert again.checkpoints == {"asked": {"before": [1, 2]}}


async def test_one_person_never_holds_all_places(redis: Redis, docket: Docket, clock: HandClock) -> None:
    job_queue = JobQueue(redis, docket, clock, queue_limit=50, total_limit=20)
    held: list[Job] = []

    async def ask(person: int, chat: int) -> None:
        job = new_job(requester_id=person, chat=ChatKey(chat))
        await job_queue.enqueue([job], job.id)
        held.append(job)

    async def fill(person: int) -> int:
        before = len(held)
        with contextlib.suppress(PersonFull, BotFull):
            for number in range(50):
                await ask(person, -1000 * person - number % 3)
        return len(held) - before

    assert await fill(1) == 10
    with pytest.raises(PersonFull):
        await ask(1, -1)
    # The last two places are for people of whom nothing waits.
    assert await fill(2) == 8
    assert [await fill(person) for person in (3, 4, 5)] == [1, 1, 0]
    for job in held[:3]:
        await job_queue.cancel(job.chat, job.queue, job.id)
    await ask(1, -1)
    assert 0 < await redis.ttl(keys.waiting_of_key(1)) <= keys.WAITING_OF_TTL_S


@pytest.mark.parametrize("ends", ["finished", "cancelled"])
async def test_the_drafts_of_a_job_leave_the_store_when_it_ends(
    job_queue: JobQueue, redis: Redis, ends: str
) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    claimed = await take(job_queue, "a")
    large = read_draft({"t": [{"tt": 0, "sg": [{"name": "clip"}]}], "x": "a" * 8_000_000})
    for key in (before_turn(Turn()), before_turn(Turn(number=2)), AFTER):
        await job_queue.save(claimed, {field_of(KeptDraft, key): KeptDraft.of(large).model_dump(mode="json")})
    await job_queue.save(
        claimed, {field_of(AgentAnswered): AgentAnswered(has_changed=True).model_dump(mode="json")}
    )
    size = await redis.memory_usage(keys.job_key(str(CHAT), job.id))
    assert size is not None
    assert size < 10_000
    if ends == "finished":
        await job_queue.finish(claimed, JobState.DONE)
    else:
        await job_queue.questions.ask(job, claimed.attempt, "1.0")
        await job_queue.questions.suspend(job, claimed.attempt)
        await job_queue.cancel(CHAT, QueueName.MAIN, job.id)
    assert await job_queue.load_checkpoint(job, AgentAnswered) == AgentAnswered(has_changed=True)
    fields: Any = await redis.hkeys(keys.job_key(str(CHAT), job.id))
    assert [field for field in fields if "draft" in field] == []


async def test_an_earlier_attempt_can_neither_save_nor_finish(job_queue: JobQueue, redis: Redis) -> None:
    job, waiting = new_job(1), new_job(2)
    await job_queue.enqueue([job, waiting], 1)
    old = await take(job_queue, "a")
    new = await take(job_queue, "a")
    before = await everything(redis)
    assert await job_queue.save(old, {"asked": "old"}) is SaveOutcome.SUPERSEDED
    await job_queue.finish(old, JobState.FAILED)
    assert await everything(redis) == before
    assert await job_queue.save(new, {"asked": "new"}) is SaveOutcome.OK
    await job_queue.finish(new, JobState.DONE)
    assert (await take(job_queue, "b")).job == waiting
    status = await job_queue.find(CHAT, job.id)
    assert status is not None
    assert status.state is JobState.DONE


async def test_finishing_adds_a_ticket_only_where_something_waits(
    job_queue: JobQueue, docket: Docket
) -> None:
    await job_queue.enqueue([new_job(1), new_job(2)], 1)
    await docket.clear()
    await job_queue.finish(await take(job_queue, "a"), JobState.DONE)
    assert [name for name, _, _ in await tickets(docket)] == [EDIT]
    await docket.clear()
    await job_queue.finish(await take(job_queue, "b"), JobState.DONE)
    assert await tickets(docket) == []


async def test_a_finished_job_is_kept_for_a_while_and_a_waiting_one_for_ever(
    job_queue: JobQueue, redis: Redis
) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    key = keys.job_key(str(CHAT), job.id)
    assert await redis.ttl(key) == -1
    claimed = await take(job_queue, "a")
    assert await redis.ttl(key) == -1
    await job_queue.finish(claimed, JobState.DONE)
    assert 0 < await redis.ttl(key) <= keys.JOB_TTL_S
    assert 0 < await redis.ttl(keys.update_mark(str(CHAT), 1)) <= keys.UPDATE_TTL_S


async def test_a_parked_job_goes_to_another_ticket_at_once_and_is_excused(
    job_queue: JobQueue, docket: Docket
) -> None:
    job = new_job()
    await job_queue.enqueue([job, new_job(1)], 1)
    await docket.clear()
    claimed = await take(job_queue, "a")
    await job_queue.save(claimed, {"asked": 1})
    await job_queue.park(claimed, "a")
    ((name, _, ticket),) = await tickets(docket)
    assert name == EDIT
    again = await take(job_queue, ticket)
    assert (again.job, again.attempt, again.counted_attempts, again.checkpoints) == (job, 2, 1, {"asked": 1})


async def test_excuses_are_counted_off(job_queue: JobQueue) -> None:
    await job_queue.enqueue([new_job()], 1)
    await job_queue.uncount_attempt(await take(job_queue, "a"))
    assert (await take(job_queue, "a")).counted_attempts == 1
    assert (await take(job_queue, "a")).counted_attempts == 2


async def test_too_much_waiting_stores_nothing(job_queue: JobQueue, redis: Redis, docket: Docket) -> None:
    for number in range(5):
        await job_queue.enqueue([new_job(number)], number)
    before, tickets_before = await everything(redis), await tickets(docket)
    question = new_job(7, queue=QueueName.QUICK, kind=JobKind.CREDITS)
    for jobs in ([new_job(6)], [question, new_job(6)]):
        with pytest.raises(QueueFull):
            await job_queue.enqueue(jobs, 6)
    assert await everything(redis) == before
    assert await tickets(docket) == tickets_before
    assert (await job_queue.enqueue([question], 6)).is_new


async def test_all_chats_together_may_have_so_much_waiting(
    redis: Redis, docket: Docket, clock: HandClock
) -> None:
    job_queue = JobQueue(redis, docket, clock, total_limit=3)
    chats = [ChatKey(number, None) for number in range(1, 5)]
    for number, chat in enumerate(chats[:3]):
        await job_queue.enqueue([new_job(id=f"job{number}", chat=chat, requester_id=number)], number)
    await clock.advance(7)
    assert await job_queue.statistics.waiting() == (3, 7.0)

    late = new_job(id="late", chat=chats[3])
    with pytest.raises(BotFull):
        await job_queue.enqueue([late], 9)
    assert await redis.exists(keys.job_key(str(chats[3]), "late")) == 0
    await job_queue.enqueue([new_job(id="asked", chat=chats[3], queue=QueueName.QUICK)], 10)
    assert not (await job_queue.enqueue([new_job(id="job0", chat=chats[0])], 0)).is_new, (
        "a repeated update is no new one"
    )

    await take(job_queue, "t", queue_id(chats[0], QueueName.MAIN))
    await job_queue.enqueue([late], 9)
    await job_queue.cancel(chats[1], QueueName.MAIN, "job1")
    assert (await job_queue.statistics.waiting())[0] == 2


async def test_one_chat_with_much_to_do_does_not_make_the_queue_old(
    job_queue: JobQueue, redis: Redis, clock: HandClock
) -> None:
    for number in range(3):
        await job_queue.enqueue([new_job(number)], number)
    await clock.advance(60)
    assert await job_queue.statistics.waiting() == (3, 60.0), "no worker takes it"
    claimed = await take(job_queue, "t")
    await clock.advance(60)
    assert await job_queue.statistics.waiting() == (2, 0.0), "the chat's own job runs"
    await job_queue.enqueue([new_job(id="other", chat=ChatKey(77), requester_id=6)], 9)
    await clock.advance(5)
    assert await job_queue.statistics.waiting() == (3, 5.0)
    await job_queue.park(claimed, "t")
    assert await job_queue.statistics.waiting() == (3, 125.0), "it waits for its next worker"
    await redis.set(keys.open_question_key(str(CHAT)), "asks")
    assert await job_queue.statistics.waiting() == (3, 5.0), "the chat has to answer first"


async def test_what_was_erased_while_it_waited_counts_no_more(job_queue: JobQueue, redis: Redis) -> None:
    await job_queue.enqueue([new_job(id="one")], 1)
    await redis.delete(keys.job_key(str(CHAT), "one"), keys.queue_key(str(CHAT), QueueName.MAIN))
    await job_queue.sweep()
    assert await job_queue.statistics.waiting() == (0, 0.0)


async def test_a_running_job_does_not_count_as_waiting(job_queue: JobQueue) -> None:
    for number in range(5):
        await job_queue.enqueue([new_job(number)], number)
    await take(job_queue, "a")
    assert (await job_queue.enqueue([new_job(6)], 6)).is_new


async def test_all_of_a_chat_and_its_topics_is_dropped_where_the_bot_is_not_any_more(
    job_queue: JobQueue,
) -> None:
    group, topic, other = ChatKey(-1001), ChatKey(-1001, 7), ChatKey(-10012)
    for number, chat in enumerate((group, group, topic, other)):
        await job_queue.enqueue([new_job(number, chat=chat)], number)
    running = await take(job_queue, "a", queue_id(group, QueueName.MAIN))
    await job_queue.cancel_chat(group.chat_id)
    assert await job_queue.save(running, {"asked": 1}) is SaveOutcome.CANCELLED
    assert await job_queue.current(group, QueueName.MAIN) == [running.job.id]
    assert await job_queue.current(topic, QueueName.MAIN) == []
    assert len(await job_queue.current(other, QueueName.MAIN)) == 1


class TestCancel:
    async def test_a_waiting_job_is_taken_out(self, job_queue: JobQueue, redis: Redis) -> None:
        first, second, third = jobs = [new_job(number) for number in range(3)]
        await job_queue.enqueue(jobs, 1)
        assert await job_queue.cancel(CHAT, QueueName.MAIN, second.id) is JobState.QUEUED
        assert await job_queue.current(CHAT, QueueName.MAIN) == [first.id, third.id]
        status = await job_queue.find(CHAT, second.id)
        assert status is not None
        assert (status.state, status.position) == (JobState.CANCELLED, 0)
        assert await redis.ttl(keys.job_key(str(CHAT), second.id)) > 0

    async def test_a_running_job_is_asked_to_stop(self, job_queue: JobQueue, redis: Redis) -> None:
        job = new_job()
        await job_queue.enqueue([job], 1)
        claimed = await take(job_queue, "a")
        async with redis.pubsub() as news:
            await news.subscribe(keys.CANCEL_CHANNEL)
            await news.get_message(timeout=PATIENCE_S)
            assert await job_queue.cancel(CHAT, QueueName.MAIN, job.id) is JobState.RUNNING
            item = await news.get_message(timeout=PATIENCE_S)
            assert item is not None
            assert item["data"] == job.id
        assert await job_queue.save(claimed, {"asked": 1}) is SaveOutcome.CANCELLED
        assert (await take(job_queue, "a")).cancelled

    async def test_a_finished_job_stays_as_it_is(self, job_queue: JobQueue, redis: Redis) -> None:
        job = new_job()
        await job_queue.enqueue([job], 1)
        await job_queue.finish(await take(job_queue, "a"), JobState.DONE)
        before = await everything(redis)
        assert await job_queue.cancel(CHAT, QueueName.MAIN, job.id) is JobState.DONE
        assert await everything(redis) == before

    async def test_an_unknown_job_is_not_made(self, job_queue: JobQueue, redis: Redis) -> None:
        assert await job_queue.cancel(CHAT, QueueName.MAIN, "0123456789abcdef") is None
        assert await everything(redis) == {}

    async def test_another_chats_job_is_unknown(self, job_queue: JobQueue) -> None:
        job = new_job()
        await job_queue.enqueue([job], 1)
        other = ChatKey(99, None)
        assert await job_queue.find(other, job.id) is None
        assert await job_queue.cancel(other, QueueName.MAIN, job.id) is None


async def test_positions_in_the_queue(job_queue: JobQueue) -> None:
    jobs = [new_job(number) for number in range(3)]
    await job_queue.enqueue(jobs, 1)
    await take(job_queue, "a")
    positions = []
    for job in jobs:
        status = await job_queue.find(CHAT, job.id)
        assert status is not None
        positions.append((status.state, status.position))
    assert positions == [(JobState.RUNNING, 0), (JobState.QUEUED, 1), (JobState.QUEUED, 2)]


async def test_only_one_announces(job_queue: JobQueue) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    status = await job_queue.find(CHAT, job.id)
    assert status is not None
    claims = await asyncio.gather(*(job_queue.claim_position_message(status) for _ in range(5)))
    assert sorted(claims) == [False] * 4 + [True]
    await job_queue.save_waiting(job, {"live": {"message_id": 3}})
    claimed = await take(job_queue, "a")
    assert claimed.has_position_message
    assert claimed.checkpoints == {"live": {"message_id": 3}}


async def test_a_job_that_has_begun_is_not_announced(job_queue: JobQueue) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    status = await job_queue.find(CHAT, job.id)
    assert status is not None
    assert not (await take(job_queue, "a")).has_position_message
    assert not await job_queue.claim_position_message(status)


async def test_a_job_that_begins_just_then_is_not_overlooked(job_queue: JobQueue) -> None:
    for number in range(20):
        job = new_job()
        await job_queue.enqueue([job], number)
        current, claimed = await asyncio.gather(
            job_queue.current(CHAT, QueueName.MAIN), take(job_queue, f"t{number}")
        )
        assert current == [job.id]
        await job_queue.finish(claimed, JobState.DONE)


class Announced(Checkpoint):
    name = "announced"
    message_id: int = 0


async def test_a_checkpoint_of_a_waiting_job_is_there_when_it_starts(job_queue: JobQueue) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    assert await job_queue.load_checkpoint(job, Announced) is None
    await job_queue.save_waiting(job, {"announced": {"message_id": 3}})
    await job_queue.save_waiting(job, {"announced:other": {"message_id": 4}})
    assert await job_queue.load_checkpoint(job, Announced) == Announced(message_id=3)
    assert await job_queue.load_checkpoint(job, Announced, "other") == Announced(message_id=4)
    claimed = await take(job_queue, "a")
    assert claimed.checkpoints == {"announced": {"message_id": 3}, "announced:other": {"message_id": 4}}


async def test_a_deleted_checkpoint_is_none(job_queue: JobQueue) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    claimed = await take(job_queue, "a")
    await job_queue.save(claimed, {"announced": {"message_id": 3, "of a later release": 1}})
    assert await job_queue.load_checkpoint(job, Announced) == Announced(message_id=3)
    await job_queue.save(claimed, {"announced": None})
    assert await job_queue.load_checkpoint(job, Announced) is None


class TestSweep:
    async def test_a_queue_whose_ticket_was_never_added_gets_one(
        self, job_queue: JobQueue, docket: Docket
    ) -> None:
        await job_queue.enqueue([new_job()], 1)
        await docket.clear()
        assert await job_queue.sweep() == 1
        assert [name for name, _, _ in await tickets(docket)] == [EDIT]

    async def test_what_waits_for_a_busy_worker_is_not_given_ever_more_tickets(
        self, job_queue: JobQueue, docket: Docket
    ) -> None:
        parked = new_job(2, chat=ChatKey(8, None))
        await job_queue.enqueue([new_job()], 1)
        await job_queue.enqueue([parked], 2)
        name = queue_id(parked.chat, QueueName.MAIN)
        claimed = await take(job_queue, "a", name)
        await job_queue.park(claimed, "a")
        for _ in range(6):
            await job_queue.sweep()
        assert len(await tickets(docket)) <= 5
        assert (await take(job_queue, "b", name)).counted_attempts == 1

    async def test_a_queue_that_is_just_being_filled_is_no_reason_to_worry(self, job_queue: JobQueue) -> None:
        await job_queue.enqueue([new_job()], 1)
        with capture_logs() as told:
            await job_queue.sweep()
        assert told == []

    async def test_a_job_whose_ticket_died_is_given_to_another(
        self, job_queue: JobQueue, docket: Docket
    ) -> None:
        job = new_job()
        await job_queue.enqueue([job], 1)
        await docket.clear()
        await take(job_queue, "a ticket that docket does not know")
        with capture_logs() as told:
            assert await job_queue.sweep() == 1
        assert [line["event"] for line in told] == ["queue.ticket_missing"]
        ((_, _, ticket),) = await tickets(docket)
        again = await take(job_queue, ticket)
        assert (again.job, again.attempt) == (job, 2)

    @pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
    async def test_a_ticket_that_is_over_has_lost_its_job(
        self, job_queue: JobQueue, docket: Docket, redis: Redis, state: str
    ) -> None:
        await job_queue.enqueue([new_job()], 1)
        await take(job_queue, "over")
        await redis.hset(job_queue.tickets.state_key(QueueName.MAIN, "over"), "state", state)
        assert await job_queue.sweep() == 1

    async def test_a_job_that_kills_its_tickets_uses_up_its_tries(
        self, job_queue: JobQueue, docket: Docket
    ) -> None:
        await job_queue.enqueue([new_job()], 1)
        for number in range(1, 5):
            assert (await take(job_queue, f"dead {number}")).counted_attempts == number
            await job_queue.sweep()

    async def test_a_ticket_that_lives_keeps_its_job(self, job_queue: JobQueue, docket: Docket) -> None:
        await job_queue.enqueue([new_job()], 1)
        ((_, _, ticket),) = await tickets(docket)
        await take(job_queue, ticket)
        assert await job_queue.sweep() == 0
        assert await job_queue.claim(EDIT, "another") is None

    async def test_so_does_one_of_a_quick_queue_in_a_docket_of_its_own(
        self, store: Store, docket: Docket, clock: HandClock
    ) -> None:
        name = queue_id(CHAT, QueueName.QUICK)
        async with open_docket(keys.QUICK_DOCKET, store.url, timedelta(minutes=1)) as quick_docket:
            job_queue = JobQueue(store.redis, docket, clock, quick_docket=quick_docket)
            await job_queue.enqueue([new_job(queue=QueueName.QUICK, kind=JobKind.CREDITS)], 1)
            assert await tickets(docket) == []
            ((queue, _, ticket),) = await tickets(quick_docket)
            assert queue == name
            await take(job_queue, ticket, name)
            assert await job_queue.sweep() == 0
            await store.redis.delete(job_queue.tickets.state_key(QueueName.QUICK, ticket))
            await clock.advance(SWEEP_EVERY_S)
            assert await job_queue.sweep() == 1
            assert await tickets(docket) == []

    async def test_only_queues_in_use_are_looked_at(
        self, job_queue: JobQueue, redis: Redis, clock: HandClock, docket: Docket
    ) -> None:
        await job_queue.enqueue([new_job()], 1)
        ((_, _, ticket),) = await tickets(docket)
        claimed = await take(job_queue, ticket)
        for _ in range(3):
            await clock.advance(SWEEP_EVERY_S)
            await job_queue.sweep()
            assert await redis.zcard(keys.QUEUES) == 1
        await job_queue.finish(claimed, JobState.DONE)
        await clock.advance(SWEEP_EVERY_S)
        await job_queue.sweep()
        assert await redis.zcard(keys.QUEUES) == 0

    async def test_a_queue_that_waits_for_a_worker_is_looked_at_once_a_minute(
        self, job_queue: JobQueue, redis: Redis, clock: HandClock
    ) -> None:
        await job_queue.enqueue([new_job()], 1)
        assert await job_queue.sweep() == 1
        look_at_s: Any = await redis.zscore(keys.QUEUES, EDIT)
        assert look_at_s - clock.now().timestamp() == pytest.approx(60, abs=1)
        await clock.advance(61)
        assert await job_queue.sweep() == 0, "its ticket is there"

    async def test_more_queues_than_one_script_looks_at(self, job_queue: JobQueue, redis: Redis) -> None:
        queues = {f"{number}/main": 0 for number in range(BATCH + 5)}
        await redis.zadd(keys.QUEUES, queues)
        await job_queue.sweep()
        assert await redis.zcard(keys.QUEUES) == 0

    async def test_one_process_sweeps_for_all(self, job_queue: JobQueue) -> None:
        assert [await job_queue.sweeps.is_due() for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize(
    ("kind", "text", "kept_s"),
    [
        (JobKind.EDIT, "a cat", keys.JOB_TTL_S),
        (JobKind.MESSAGE, "a request that its button runs", keys.JOB_TTL_S),
        (JobKind.MESSAGE, "", keys.BRIEF_JOB_TTL_S),
        (JobKind.CANCEL, "", keys.BRIEF_JOB_TTL_S),
    ],
)
async def test_a_finished_job_is_kept_as_long_as_buttons_may_refer_to_it(
    job_queue: JobQueue, redis: Redis, kind: JobKind, text: str, kept_s: int
) -> None:
    job = new_job(kind=kind, prompt=text)
    await job_queue.enqueue([job], 1)
    await job_queue.finish(await take(job_queue, "ticket"), JobState.DONE)
    assert kept_s - 5 < await redis.ttl(keys.job_key(str(CHAT), job.id)) <= kept_s


async def test_a_pause_can_hold_what_was_begun_too(job_queue: JobQueue) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    claimed = await job_queue.claim(EDIT, "a")
    assert claimed is not None
    await job_queue.park(claimed, "a")
    await job_queue.pause(also_running=True)
    assert await job_queue.claim(EDIT, "b") is None
    assert await job_queue.sweep() == 1, "its queue keeps a ticket for the time after"
    await job_queue.resume()
    again = await job_queue.claim(EDIT, "b")
    assert again is not None
    assert again.job.id == job.id


async def test_a_release_whose_store_a_later_one_has_migrated_takes_no_job(
    job_queue: JobQueue, redis: Redis
) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    await redis.set(keys.SCHEMA, SCHEMA_VERSION + 1)
    with pytest.raises(StoreError):
        await job_queue.claim(queue_id(CHAT, job.queue), job.id)
    with pytest.raises(StoreError):
        await watch_schema(redis)
    # It stores none in its own form either, and leaves those alone that begin later.
    with pytest.raises(RedisError):
        await job_queue.enqueue([new_job(1)], 2)
    await redis.zadd(keys.SCHEDULED_JOBS, {'{"id": "of a later release"}': 0})
    assert await job_queue.sweep() == 0
    assert await redis.zcard(keys.SCHEDULED_JOBS) == 1
    await redis.set(keys.SCHEMA, SCHEMA_VERSION)
    claimed = await take(job_queue, job.id)
    assert claimed.attempt == 1
