"""What was erased leaves the embedded store's disk, too."""

import asyncio
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bot.store import keys
from bot.store.embedded import rewrite_if_due
from tests.clocks import eventually

WORDS = "the words of somebody"


async def test_what_was_erased_leaves_the_disk(redis: Redis) -> None:
    directory = Path(str((await redis.config_get("dir"))["dir"]))

    def is_on_disk() -> bool:
        try:
            files = [path for path in directory.rglob("*") if path.suffix in (".aof", ".rdb")]
            return any(WORDS.encode() in path.read_bytes() for path in files)
        except FileNotFoundError:  # The server has just put a new file in place of this one.
            return is_on_disk()

    async def is_idle() -> bool:
        return not (await redis.info("persistence"))["aof_rewrite_in_progress"]

    await redis.config_set("appendonly", "yes")
    try:
        while not await is_idle():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)
        await redis.set("nemo:erased", WORDS)
        await eventually(is_on_disk)
        await redis.delete("nemo:erased")
        assert is_on_disk()
        assert await rewrite_if_due(redis)
        await eventually(lambda: not is_on_disk())
    finally:
        await redis.config_set("appendonly", "no")


async def test_it_is_rewritten_daily_and_after_an_erasure_at_most_once_an_hour(redis: Redis) -> None:
    assert await rewrite_if_due(redis)
    assert not await rewrite_if_due(redis)
    await redis.delete(keys.REWRITTEN_WITHIN_HOUR)
    assert not await rewrite_if_due(redis)
    await redis.set(keys.AOF_REWRITE_DUE, 1)
    await redis.set(keys.REWRITTEN_WITHIN_HOUR, 1)
    assert not await rewrite_if_due(redis)
    assert await redis.exists(keys.AOF_REWRITE_DUE)


async def test_what_the_server_can_not_rewrite_now_is_soon_due_again(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [ResponseError("a snapshot is under way"), None]
    monkeypatch.setattr(redis, "bgrewriteaof", AsyncMock(side_effect=answers))
    assert not await rewrite_if_due(redis)
    assert await rewrite_if_due(redis)
