"""Commands that are asked for side by side go out together, and each caller gets its own answer."""

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from bot.store.batching import BatchingRedis
from bot.store.connect import Store
from bot.store.pools import new_pool
from tests.clocks import PATIENCE_S


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Everything that was written to a connection; one round trip each."""
    written: list[Any] = []
    send = AbstractConnection.send_packed_command

    async def record(self: AbstractConnection, command: Any, check_health: bool = True) -> None:
        written.append(command)
        await send(self, command, check_health)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", record)
    return written


async def test_what_is_asked_for_side_by_side_is_one_round_trip(redis: Redis, writes: list[Any]) -> None:
    await redis.ping()
    writes.clear()
    answers: Any = await asyncio.gather(
        redis.set("a", 1), redis.get("a"), redis.incr("a"), redis.hgetall("none")
    )
    assert answers == [True, "1", 2, {}]
    assert len(writes) == 1
    assert await redis.get("a") == "2"
    assert len(writes) == 2


async def test_an_error_is_its_callers_alone(redis: Redis) -> None:
    await redis.set("text", "no number")
    answers = await asyncio.gather(
        redis.incr("text"), redis.get("text"), redis.hget("text", "field"), return_exceptions=True
    )
    assert [type(one) for one in answers] == [ResponseError, str, ResponseError]


@pytest.mark.parametrize("turns", range(4))
async def test_closing_leaves_no_command_to_open_a_connection_afterwards(store: Store, turns: int) -> None:
    async with _open(store.url) as redis:
        asking = asyncio.ensure_future(redis.get("a"))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "redis:batch"] == []


def _open(url: str) -> AbstractAsyncContextManager[Redis]:
    pool = new_pool(url, max_connections=2, retries=0, decode_responses=True)
    return contextlib.aclosing(BatchingRedis.from_pool(pool))


async def test_who_is_cancelled_takes_nothing_from_the_others(redis: Redis) -> None:
    one, other = asyncio.ensure_future(redis.incr("n")), asyncio.ensure_future(redis.incr("n"))
    await asyncio.sleep(0)
    one.cancel()
    assert await other == 2
    assert one.cancelled()


async def test_a_lost_connection_is_each_callers_error(store: Store) -> None:
    redis = store.redis
    pool = redis.connection_pool

    async def no_connection(*_: Any, **__: Any) -> Any:
        raise ConnectionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "get_connection", no_connection)
        answers = await asyncio.gather(redis.get("a"), redis.get("b"), return_exceptions=True)
        assert [type(one) for one in answers] == [ConnectionError, ConnectionError]
        with pytest.raises(ConnectionError):
            await redis.get("a")
    assert await redis.ping()


async def test_a_client_that_is_closed_leaves_nobody_waiting_and_can_be_used_again(store: Store) -> None:
    async with _open(store.url) as redis:
        caller = asyncio.ensure_future(redis.get("a"))
        await asyncio.sleep(0)
        await redis.aclose()
        await asyncio.wait({caller}, timeout=PATIENCE_S)
        assert caller.cancelled()
        assert await redis.get("a") is None
