"""Forgetting a chat, interrupted and repeated: all of it goes, once, and nothing that came later."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from bot.chats.chats import STORED_NAMES
from bot.chats.key import ChatKey
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.payloads import ForgetPayload
from bot.jobs.queue.album import ArrivedPart, RequestPart
from bot.jobs.queue.erase_chat import ChatEraser
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.jobs.queue.scheduled_jobs import ScheduledJobs
from bot.jobs.queue.tickets import queue_id
from bot.jobs.steps.forget import PAUSE_S, Forget
from bot.jobs.steps.login import PAUSE_S as OTHER_TOPICS_PAUSE_S
from bot.jobs.steps.login import wait_for_other_topics
from bot.jobs.worker.attempt import Attempt, Interruption
from bot.store import keys
from tests.clocks import PATIENCE_S, HandClock
from tests.jobs.conftest import CHAT, Responders, new_job

NEIGHBOURS = (ChatKey(47110), ChatKey(4711, 5), ChatKey(-4711))


class Died(BaseException):
    """Stands for ``kill -9``."""


async def run_of(
    job_queue: JobQueue, clock: HandClock, responders: Responders, job: Job, ticket: str = "ticket"
) -> Attempt:
    claimed = await job_queue.claim(queue_id(job.chat, job.queue), ticket)
    assert claimed is not None
    assert claimed.job.id == job.id
    attempt = Attempt(claimed, job_queue, clock)
    attempt.responder = responders.open(job, attempt)
    return attempt


async def fill(redis: Redis, chat: ChatKey, value: str) -> None:
    await redis.hset(keys.chat_key(str(chat)), STORED_NAMES["session_id"], value)
    await redis.lpush(keys.results_key(str(chat)), value)
    await redis.hset(keys.projects_key(str(chat)), "mark", value)


async def names(redis: Redis, chat: ChatKey) -> set[str]:
    return {name async for name in redis.scan_iter(keys.chat_pattern(str(chat)))}


@pytest.fixture
async def old(job_queue: JobQueue, redis: Redis) -> Job:
    """A job of the chat that is done, among other things that are kept of it and of its neighbours."""
    job = new_job(prompt="my old request")
    await job_queue.enqueue([job], 1)
    claimed = await job_queue.claim(queue_id(CHAT, QueueName.MAIN), "old")
    assert claimed
    await job_queue.finish(claimed, JobState.DONE)
    for chat in (CHAT, *NEIGHBOURS):
        await fill(redis, chat, "old")
        await redis.zadd(keys.message_numbers_key(str(chat.chat_id)), {"7": 7, "9": 9})
    return job


async def test_everything_goes_but_what_came_later_and_the_neighbours(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders, old: Job
) -> None:
    before = {chat: await names(redis, chat) for chat in NEIGHBOURS}
    scheduled, ready = ScheduledJobs(redis), clock.now()
    for chat_key in (CHAT, *NEIGHBOURS):
        await scheduled.add(new_job(chat=chat_key), ready)
    asked, later = new_job(kind=JobKind.FORGET), new_job(1, prompt="my next request")
    await job_queue.enqueue([asked], 2)
    await job_queue.enqueue([later], 3)
    attempt = await run_of(job_queue, clock, responders, asked)

    await Forget(ChatEraser(redis))(attempt)

    chat = str(CHAT)
    left = {
        keys.job_key(chat, asked.id),
        keys.running_key(chat, QueueName.MAIN),
        keys.job_key(chat, later.id),
        keys.queue_key(chat, QueueName.MAIN),
        *(keys.update_mark(chat, number) for number in (1, 2, 3)),
        keys.message_numbers_key(chat),
    }
    assert await names(redis, CHAT) == left
    assert await redis.zrange(keys.message_numbers_key(chat), 0, -1) == ["9"]
    assert {chat: await names(redis, chat) for chat in NEIGHBOURS} == before
    assert {job.chat for job in (await scheduled.due(ready)).values()} == set(NEIGHBOURS)
    assert await redis.exists(keys.AOF_REWRITE_DUE)  # The file on the disk has it still.
    assert responders.sent == [(asked.id, "forgotten", LocalizedMessage("forget.done"))]
    await job_queue.finish(attempt.claimed, JobState.DONE)
    assert 0 < await redis.ttl(keys.job_key(chat, asked.id)) <= keys.BRIEF_JOB_TTL_S
    assert (await run_of(job_queue, clock, responders, later, "next")).job.prompt == "my next request"


async def test_a_chat_whose_queue_is_full_can_be_erased(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders, old: Job
) -> None:
    waiting = [new_job(number) for number in range(5)]
    for number, job in enumerate(waiting, 10):
        await job_queue.enqueue([job], number)
    with pytest.raises(QueueFull):
        await job_queue.enqueue([new_job()], 20)
    asked = new_job(kind=JobKind.FORGET)
    assert (await job_queue.enqueue([asked], 21)).is_new
    for job in waiting:
        await job_queue.cancel(CHAT, QueueName.MAIN, job.id)

    await Forget(ChatEraser(redis))(await run_of(job_queue, clock, responders, asked))

    assert not await redis.exists(keys.chat_key(str(CHAT)))
    assert responders.sent == [(asked.id, "forgotten", LocalizedMessage("forget.done"))]


async def test_a_second_start_erases_nothing_that_came_after_the_first(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders, old: Job
) -> None:
    asked = new_job(kind=JobKind.FORGET)
    await job_queue.enqueue([asked], 2)
    responders.failing["say"] = Died()  # type: ignore[assignment]
    with pytest.raises(Died):
        await Forget(ChatEraser(redis))(await run_of(job_queue, clock, responders, asked))
    assert not await redis.exists(keys.chat_key(str(CHAT)))
    await fill(redis, CHAT, "new")
    del responders.failing["say"]

    await Forget(ChatEraser(redis))(await run_of(job_queue, clock, responders, asked))

    assert await redis.hget(keys.chat_key(str(CHAT)), STORED_NAMES["session_id"]) == "new"
    assert responders.sent == [(asked.id, "forgotten", LocalizedMessage("forget.done"))]


async def test_an_earlier_attempt_that_goes_on_regardless_erases_nothing(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders, old: Job
) -> None:
    asked = new_job(kind=JobKind.FORGET)
    await job_queue.enqueue([asked], 2)
    first = await run_of(job_queue, clock, responders, asked)
    await run_of(job_queue, clock, responders, asked)
    assert not await ChatEraser(redis).erase(first.claimed)
    assert await redis.hget(keys.chat_key(str(CHAT)), STORED_NAMES["session_id"]) == "old"


async def test_a_question_that_is_being_answered_is_stopped_and_cant_write_the_chat_back(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders, old: Job
) -> None:
    question, next_question = (new_job(kind=JobKind.CREDITS, queue=QueueName.QUICK) for _ in range(2))
    await job_queue.enqueue([question, next_question], 2)
    answering = await run_of(job_queue, clock, responders, question, "question")
    asked = new_job(kind=JobKind.FORGET, payload=ForgetPayload(quick_job_ids=(question.id, next_question.id)))
    await job_queue.enqueue([asked], 3)
    attempt = await run_of(job_queue, clock, responders, asked)

    async def forgetting() -> None:
        await Forget(ChatEraser(redis))(attempt)

    task = asyncio.create_task(forgetting())
    await clock.asleep(at_least_s=PAUSE_S)

    await fill(redis, CHAT, "by the question")
    assert await job_queue.save(answering.claimed, {"any": 1}) == 2  # it was asked to stop
    await job_queue.finish(answering.claimed, JobState.CANCELLED)
    later = new_job(kind=JobKind.CREDITS, queue=QueueName.QUICK)
    await job_queue.enqueue([later], 4)
    await clock.advance(PAUSE_S)
    await task

    assert not await redis.exists(keys.chat_key(str(CHAT)), keys.results_key(str(CHAT)))
    assert await job_queue.current(CHAT, QueueName.QUICK) == [later.id]
    assert await job_queue.find(CHAT, next_question.id) is None


async def test_what_is_stopped_while_it_waits_erases_nothing(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders, old: Job
) -> None:
    topic = ChatKey(4711, 5)
    asked = new_job(kind=JobKind.FORGET, payload=ForgetPayload(topics=(str(topic),)))
    await job_queue.enqueue([replace(asked, chat=topic, payload=None)], 2)
    await job_queue.enqueue([asked], 3)
    attempt = await run_of(job_queue, clock, responders, asked)
    task = asyncio.create_task(attempt.run(Forget(ChatEraser(redis))(attempt)))
    await clock.asleep(at_least_s=PAUSE_S)
    await job_queue.cancel(CHAT, QueueName.MAIN, asked.id)
    await clock.advance(PAUSE_S)
    await asyncio.wait_for(task, PATIENCE_S)
    assert attempt.interruption is Interruption.CANCELLED
    assert await redis.exists(keys.chat_key(str(CHAT)))


async def test_what_a_later_message_belongs_to_is_known_still(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders, old: Job
) -> None:
    earlier, later = (RequestPart(number, 0, album=str(number)) for number in (1, 2))
    await job_queue.enqueue([new_job(requester_id=1)], 2, ArrivedPart(earlier))
    asked = new_job(kind=JobKind.FORGET)
    await job_queue.enqueue([asked], 3)
    (waiting, *_) = await job_queue.current(CHAT, QueueName.MAIN)
    await job_queue.cancel(CHAT, QueueName.MAIN, waiting)
    await job_queue.enqueue([prompt := new_job(requester_id=2)], 4, ArrivedPart(later))

    await Forget(ChatEraser(redis))(await run_of(job_queue, clock, responders, asked))

    chat = str(CHAT)
    assert not await redis.exists(keys.album_key(chat, "1"), keys.latest_job_key(chat, 1))
    assert await redis.hget(keys.album_key(chat, "2"), "job") == prompt.id
    assert await redis.get(keys.latest_job_key(chat, 2)) == prompt.id
    found = await job_queue.find_by_message(CHAT, CHAT.chat_id, 2)
    assert found
    assert found.job.id == prompt.id
    assert await job_queue.find_by_message(CHAT, CHAT.chat_id, 1) is None


async def test_what_is_still_said_of_an_erased_job_does_not_bring_it_back(
    job_queue: JobQueue, redis: Redis
) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    status = await job_queue.find(CHAT, job.id)
    assert status
    await redis.delete(keys.job_key(str(CHAT), job.id))
    await job_queue.save_waiting(job, {"live": {"message_id": 1}})
    assert not await job_queue.claim_position_message(status)
    assert not await redis.exists(keys.job_key(str(CHAT), job.id))


async def test_all_topics_of_a_private_chat_are_erased_and_the_account_last(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders
) -> None:
    cats, dogs, general = ChatKey(4711, 2), ChatKey(4711, 3), ChatKey(4711)
    for chat in (cats, dogs, general, ChatKey(4712, 2)):
        await fill(redis, chat, "old")
    assert await job_queue.topics(cats) == [general, dogs]
    topics = [
        new_job(kind=JobKind.FORGET, chat=chat, payload=ForgetPayload(is_silent=True))
        for chat in (general, dogs)
    ]
    topics = [replace(job, id="f") for job in topics]
    asked = replace(
        new_job(kind=JobKind.FORGET, chat=cats, payload=ForgetPayload(topics=(str(general), str(dogs)))),
        id="f",
    )
    for number, job in enumerate((*topics, asked)):
        await job_queue.enqueue([job], number)
    last = await run_of(job_queue, clock, responders, asked)

    async def forgetting() -> None:
        await Forget(ChatEraser(redis))(last)

    task = asyncio.create_task(forgetting())
    for job in topics:
        await clock.asleep(at_least_s=PAUSE_S)
        attempt = await run_of(job_queue, clock, responders, job)
        await Forget(ChatEraser(redis))(attempt)
        await redis.hset(keys.chat_key(str(general)), "token", "by what still ran")
        await redis.hset(keys.templates_key(str(general)), "mark", "saved by what still ran")
        await redis.hset(keys.brand_key(str(general)), "ratio", "1:1")
        await redis.hset(keys.channels_key(str(general)), "-1001", "News")
        await redis.hset(keys.projects_key(str(general)), "mark", "of any topic")
        await redis.hset(keys.versions_key(str(general), "mark"), "1", "of any topic")
        await job_queue.finish(attempt.claimed, JobState.DONE)
        await clock.advance(PAUSE_S)
    await task
    await job_queue.finish(last.claimed, JobState.DONE)

    chats = {name async for name in redis.scan_iter(f"{keys.CHAT}*")}
    assert chats == {keys.chat_key("4712:2")}
    kept = ("nemo:job:", *keys.KEPT_WHEN_ERASED)
    left = [name async for name in redis.scan_iter(keys.chat_pattern(str(general)))]
    assert [name for name in left if not name.startswith(kept)] == []
    assert not await redis.exists(*(keys.results_key(str(chat)) for chat in (cats, dogs, general)))
    assert responders.sent == [("f", "forgotten", LocalizedMessage("forget.done"))]


async def test_a_topic_of_a_group_is_erased_alone(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders
) -> None:
    topic, group = ChatKey(-1, 2), ChatKey(-1)
    for chat in (topic, group):
        await fill(redis, chat, "old")
    asked = new_job(kind=JobKind.FORGET, chat=topic)
    await job_queue.enqueue([asked], 1)
    await Forget(ChatEraser(redis))(await run_of(job_queue, clock, responders, asked))
    assert not await redis.exists(keys.chat_key(str(topic)))
    assert await redis.exists(keys.chat_key(str(group)), keys.results_key(str(group))) == 2


async def test_the_account_changes_only_when_no_request_runs_in_another_topic(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders
) -> None:
    cats, dogs = ChatKey(4711, 2), ChatKey(4711, 3)
    running, other_login = new_job(chat=dogs), new_job(chat=dogs, kind=JobKind.LOGOUT)
    strangers, login = new_job(chat=ChatKey(47112, 3)), new_job(chat=cats, kind=JobKind.LOGIN)
    for number, job in enumerate((running, other_login, strangers, login)):
        await job_queue.enqueue([job], number)
    await run_of(job_queue, clock, responders, strangers)
    attempt = await run_of(job_queue, clock, responders, login)
    busy = await run_of(job_queue, clock, responders, running)
    task = asyncio.create_task(wait_for_other_topics(attempt))
    await clock.asleep(at_least_s=OTHER_TOPICS_PAUSE_S)
    assert not task.done()
    await job_queue.finish(busy.claimed, JobState.DONE)
    # What changes the account itself would wait for this one.
    await run_of(job_queue, clock, responders, other_login, "next")
    await clock.advance(OTHER_TOPICS_PAUSE_S)
    await task
