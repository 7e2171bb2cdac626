from statistics import median
from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError

from bot.jobs.queue.usual_times import BEFORE_LEARNING_S, EXCHANGE_EVERY_S, KEPT, TimedStage, UsualTimes
from bot.store import keys


async def test_the_documents_are_believed_until_a_few_have_finished(redis: Redis) -> None:
    usual_times = UsualTimes(redis)
    assert await usual_times.load() == BEFORE_LEARNING_S
    await usual_times.learn(TimedStage.RENDER, 200)
    await usual_times.learn(TimedStage.RENDER, 210)
    assert (await usual_times.load())[TimedStage.RENDER] == BEFORE_LEARNING_S[TimedStage.RENDER]
    await usual_times.learn(TimedStage.RENDER, 5000)  # one that hung
    learned = await usual_times.load()
    assert median(learned[TimedStage.RENDER]) == 210
    assert learned[TimedStage.EDIT] == BEFORE_LEARNING_S[TimedStage.EDIT]


async def test_only_the_newest_are_kept(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.jobs.queue.usual_times.EXCHANGE_EVERY_S", 0)
    usual_times = UsualTimes(redis)
    for number in range(2 * KEPT):
        await usual_times.learn(TimedStage.EDIT, number)
    assert await redis.llen(keys.usual_times_key(TimedStage.EDIT)) == KEPT
    assert (await usual_times.load())[TimedStage.EDIT] == tuple(range(2 * KEPT - 1, KEPT - 1, -1))


async def test_a_process_goes_to_the_store_once_a_minute_and_gets_what_others_learned(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr("bot.jobs.queue.usual_times.time.monotonic", lambda: now_s)
    one, other = UsualTimes(redis), UsualTimes(redis)
    await other.load()
    for took_s in (10, 20, 30):
        await one.learn(TimedStage.EDIT, took_s)
    assert (await one.load())[TimedStage.EDIT] == (30, 20, 10)
    assert await redis.lrange(keys.usual_times_key(TimedStage.EDIT), 0, -1) == ["10"]

    now_s += EXCHANGE_EVERY_S
    assert (await one.load())[TimedStage.EDIT] == (30, 20, 10)
    assert (await other.load())[TimedStage.EDIT] == (30, 20, 10)


async def test_what_the_store_did_not_take_is_saved_a_minute_later(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr("bot.jobs.queue.usual_times.time.monotonic", lambda: now_s)
    usual_times = UsualTimes(redis)
    with monkeypatch.context() as failing:
        failing.setattr(Pipeline, "execute", AsyncMock(side_effect=RedisConnectionError))
        await usual_times.learn(TimedStage.EDIT, 10)
    assert await redis.lrange(keys.usual_times_key(TimedStage.EDIT), 0, -1) == []

    now_s += EXCHANGE_EVERY_S
    await usual_times.learn(TimedStage.EDIT, 20)
    assert await redis.lrange(keys.usual_times_key(TimedStage.EDIT), 0, -1) == ["20", "10"]
    now_s += EXCHANGE_EVERY_S
    await usual_times.load()
    assert await redis.lrange(keys.usual_times_key(TimedStage.EDIT), 0, -1) == ["20", "10"]
