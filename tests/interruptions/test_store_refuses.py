"""The store is there but takes nothing for a while: out of memory, read-only, no disk. The bot waits for that too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.interruptions.expected import expect_everything_once
from tests.interruptions.points import AtNemo, AtTelegram, Point
from tests.interruptions.world import World, external_store, until
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy


AWAY_S = 2.0
"""Longer than the lease: what runs can't renew it."""

POINTS: dict[str, Point] = {
    "upload": AtNemo("upload", "body", after_bytes=1),
    "turn": AtNemo("message", "work"),
    "deliver": AtTelegram("sendVideo", "after"),
}

Switch = Callable[[Redis], Awaitable[object]]


async def _full(redis: Redis) -> None:
    await redis.config_set("maxmemory", "1")


async def _roomy(redis: Redis) -> None:
    await redis.config_set("maxmemory", "0")


async def _read_only(redis: Redis) -> None:
    # A replica of a server that is not there, as during a failover.
    await redis.replicaof("127.0.0.1", "1")


async def _writable(redis: Redis) -> None:
    await redis.replicaof("NO", "ONE")


@asynccontextmanager
async def refusing(url: str, begin: Switch, end: Switch) -> AsyncIterator[None]:
    """A store that takes no writes inside the block."""
    redis = Redis.from_url(url, decode_responses=True)
    await begin(redis)
    with pytest.raises(RedisError):
        await redis.set("anything", 1)
    try:
        yield
    finally:
        await end(redis)
        await redis.aclose()


@pytest.mark.parametrize(
    ("begin", "end"), [(_full, _roomy), (_read_only, _writable)], ids=["out of memory", "read-only"]
)
async def test_a_store_that_takes_no_writes_is_waited_for(worlds: Worlds, begin: Switch, end: Switch) -> None:
    async def play(world: World, point: Point) -> None:
        with external_store() as store:
            world.bots.redis_url = store.url
            world.bots.start()
            let_go = await point.arrive(world)

            async with refusing(store.url, begin, end):
                await let_go()
                await asyncio.sleep(AWAY_S)  # not for anything to happen: this is how long it refuses

            await expect_everything_once(world)

    await worlds.at_each(POINTS, play)


@pytest.mark.parametrize(
    ("begin", "end"), [(_full, _roomy), (_read_only, _writable)], ids=["out of memory", "read-only"]
)
async def test_what_is_written_meanwhile_is_answered_afterwards(
    world: World, begin: Switch, end: Switch
) -> None:
    with external_store() as store:
        world.bots.redis_url = store.url
        await world.bots.ready(world.bots.start())

        async with refusing(store.url, begin, end):
            await world.prompt()

            async def was_tried() -> bool:
                # Without the polling lock nobody fetches the update.
                told = await asyncio.to_thread(world.bots.tell)
                return any(
                    event in told
                    for event in ("receiver.store_unreachable", "polling_lock.waiting", "polling_lock.lost")
                )

            await until(was_tried)

        await expect_everything_once(world)


@pytest.mark.parametrize(
    ("begin", "end"), [(_full, _roomy), (_read_only, _writable)], ids=["out of memory", "read-only"]
)
async def test_a_process_that_starts_meanwhile_waits(world: World, begin: Switch, end: Switch) -> None:
    with external_store() as store:
        world.bots.redis_url = store.url
        async with world.bots.store() as redis:
            await until(redis.ping)
        async with refusing(store.url, begin, end):
            process = world.bots.start()

            async def waits() -> bool:
                return "app.store_unreachable" in world.bots.tell()

            await until(waits)
        await world.bots.ready(process)
