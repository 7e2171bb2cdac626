"""One process at a time, whatever happens to it; in real time, because the store's is."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreAway

from bot.store.polling_lock import RENEWALS, PollingLock
from tests.clocks import PATIENCE_S, eventually, settle

KEY = "test:lock"
TTL_S = 0.4


@dataclass
class Worker:
    """Works while it holds the lock."""

    lock: PollingLock
    is_working: bool = False
    starts: int = 0

    async def work(self) -> None:
        self.is_working, self.starts = True, self.starts + 1
        try:
            await asyncio.Event().wait()
        finally:
            self.is_working = False


@contextlib.asynccontextmanager
async def running_workers(
    redis: Redis, count: int = 1, ttl_s: float = TTL_S
) -> AsyncIterator[tuple[list[Worker], list[asyncio.Task[None]]]]:
    workers = [Worker(PollingLock(redis, KEY, ttl_s)) for _ in range(count)]
    tasks = [asyncio.create_task(worker.lock.run(worker.work)) for worker in workers]
    try:
        yield workers, tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def working(workers: list[Worker]) -> list[Worker]:
    return [worker for worker in workers if worker.is_working]


async def test_one_of_many_works_and_renews_its_lock(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.polling_lock.RENEWALS", 200)  # one every 0.1 s
    async with running_workers(redis, 3, ttl_s=20) as (workers, _):
        await eventually(lambda: working(workers))
        holder = working(workers)[0]
        for _ in range(3):
            left_ms = await redis.pttl(KEY)
            async with asyncio.timeout(PATIENCE_S):
                while (now_left_ms := await redis.pttl(KEY)) <= left_ms:
                    left_ms = now_left_ms
        assert working(workers) == [holder]
        assert [worker for worker in workers if worker.lock.is_held] == [holder]
        assert [worker.starts for worker in workers].count(0) == 2


async def test_the_lock_is_released_at_the_end(redis: Redis) -> None:
    async with running_workers(redis) as ([worker], [task]):
        await eventually(lambda: worker.is_working)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await redis.get(KEY) is None
        assert not worker.lock.is_held


async def test_another_takes_over_when_the_holder_ends_or_dies(redis: Redis) -> None:
    async with running_workers(redis, 2) as (workers, tasks):
        await eventually(lambda: working(workers))
        first = working(workers)[0]
        tasks[workers.index(first)].cancel()
        await eventually(lambda: working(workers) not in ([], [first]))
    # As of a process that was killed: held, and nobody renews it.
    died_s = time.monotonic()
    await redis.set(KEY, "somebody", px=int(TTL_S * 1000))
    async with running_workers(redis) as ([worker], _):
        await eventually(lambda: worker.is_working)
        assert time.monotonic() - died_s > TTL_S / 2


async def test_a_holder_that_lost_its_lock_stops_and_leaves_it_to_the_other(redis: Redis) -> None:
    async with running_workers(redis) as ([worker], [task]):
        await eventually(lambda: worker.is_working)
        await redis.set(KEY, "another", px=60_000)
        await eventually(lambda: not worker.is_working)
        await eventually(lambda: not worker.lock.is_held)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await redis.get(KEY) == "another"


async def test_a_holder_that_the_store_does_not_answer_for_too_long_stops(redis: Redis) -> None:
    async with running_workers(redis) as ([worker], _):
        await eventually(lambda: worker.is_working)
        await redis.client_pause(int(3 * TTL_S * 1000))
        await eventually(lambda: not worker.is_working)
        assert not worker.lock.is_held
        await eventually(lambda: worker.is_working)


async def test_a_holder_whose_last_renewal_is_not_answered_stops_in_time(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ttl_s = 1.0
    worker = Worker(PollingLock(redis, KEY, ttl_s))
    refusals = iter([StoreAway()] * (RENEWALS - 1))

    async def reacquire() -> bool:
        for error in refusals:
            raise error
        return await asyncio.Event().wait()

    monkeypatch.setattr(worker.lock._lock, "reacquire", reacquire)
    task = asyncio.create_task(worker.lock.run(worker.work))
    try:
        await eventually(lambda: worker.is_working)
        # By the same loop's timers, and not by a watch: both are late on a busy machine.
        await asyncio.sleep(1.5 * ttl_s)
        await settle()
        assert not worker.is_working or worker.starts > 1
        await eventually(lambda: worker.starts > 1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_error_of_the_work_is_raised_and_the_lock_released(redis: Redis) -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await PollingLock(redis, KEY, TTL_S).run(work)
    assert await redis.get(KEY) is None
