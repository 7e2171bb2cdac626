"""One process at a time, whatever becomes of it; in real time, because the store's is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from bot.store.polling_lock import PollingLock
from tests.clocks import eventually

KEY, TERM = "test:lease", "test:term"
TTL_S = 0.4


@dataclass
class Worker:
    """Works while it has the lease."""

    lease: PollingLock
    working: bool = False
    stints: int = 0
    log: list[str] = field(default_factory=list)

    async def work(self) -> None:
        self.working, self.stints = True, self.stints + 1
        try:
            await asyncio.Event().wait()
        finally:
            self.working = False


@contextlib.asynccontextmanager
async def at_work(
    redis: Redis, count: int = 1
) -> AsyncIterator[tuple[list[Worker], list[asyncio.Task[None]]]]:
    workers = [Worker(PollingLock(redis, KEY, TERM, TTL_S)) for _ in range(count)]
    tasks = [asyncio.create_task(worker.lease.while_held(worker.work)) for worker in workers]
    try:
        yield workers, tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def busy(workers: list[Worker]) -> list[Worker]:
    return [worker for worker in workers if worker.working]


async def test_one_of_many_works_and_keeps_at_it(redis: Redis) -> None:
    async with at_work(redis, 3) as (workers, _):
        await eventually(lambda: busy(workers))
        holder = busy(workers)[0]
        await asyncio.sleep(3 * TTL_S)  # so long that a lease which is not renewed is gone
        assert busy(workers) == [holder]
        assert holder.lease.is_held
        assert [worker.stints for worker in workers].count(0) == 2


async def test_who_ends_gives_it_back_at_once(redis: Redis) -> None:
    async with at_work(redis, 1) as (_, tasks):
        await eventually(lambda: _[0].working)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await redis.get(KEY) is None


async def test_who_falls_silent_loses_it_to_another_of_a_higher_term(redis: Redis) -> None:
    # As of a process that was killed: held, and nobody renews it.
    await redis.set(TERM, 6)
    await redis.set(KEY, "6 somebody", px=int(TTL_S * 1000))
    async with at_work(redis) as (workers, _):
        await eventually(lambda: workers[0].working)
        assert str(await redis.get(KEY)).startswith("7 ")


async def test_who_lost_it_stops_working_and_does_not_take_it_from_the_other(redis: Redis) -> None:
    async with at_work(redis) as (workers, tasks):
        await eventually(lambda: workers[0].working)
        await redis.set(KEY, "99 another", px=60_000)
        await eventually(lambda: not workers[0].working)
        await eventually(lambda: not workers[0].lease.is_held)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await redis.get(KEY) == "99 another"


async def test_who_was_held_up_for_too_long_knows_that_it_is_lost(redis: Redis) -> None:
    async with at_work(redis) as (workers, _):
        await eventually(lambda: workers[0].working)
        # The store answers nobody for longer than the lease lasts.
        await redis.client_pause(int(3 * TTL_S * 1000))
        await eventually(lambda: not workers[0].working)
        assert not workers[0].lease.is_held
        await eventually(lambda: workers[0].working)
        assert workers[0].stints == 2


async def test_what_the_work_fails_with_goes_up(redis: Redis) -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await PollingLock(redis, KEY, TERM, TTL_S).while_held(work)
    assert await redis.get(KEY) is None
