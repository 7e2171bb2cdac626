import asyncio

import pytest
from redis.asyncio import Redis

from bot.store.errors import SchemaRefused
from bot.store.keys import SCHEMA
from bot.store.schema import SCHEMA_VERSION, ensure_schema


async def rename_a(redis: Redis) -> None:
    await redis.rpush("done", "1→2")


async def rename_b(redis: Redis) -> None:
    await redis.rpush("done", "2→3")


MIGRATIONS = {1: rename_a, 2: rename_b}


async def test_an_empty_store_gets_the_version_of_this_release(redis: Redis) -> None:
    await ensure_schema(redis)
    assert await redis.get(SCHEMA) == str(SCHEMA_VERSION)
    await ensure_schema(redis)


async def test_an_older_store_is_migrated_once_in_order_by_whoever_comes_first(redis: Redis) -> None:
    await redis.set(SCHEMA, 1)
    await asyncio.gather(*(ensure_schema(redis, version=3, migrations=MIGRATIONS) for _ in range(5)))
    assert await redis.lrange("done", 0, -1) == ["1→2", "2→3"]
    assert await redis.get(SCHEMA) == "3"


async def test_a_migration_that_failed_is_run_again_and_those_before_it_are_not(redis: Redis) -> None:
    async def broken(redis: Redis) -> None:
        raise ConnectionResetError

    await redis.set(SCHEMA, 1)
    with pytest.raises(ConnectionResetError):
        await ensure_schema(redis, version=3, migrations={1: rename_a, 2: broken})
    await ensure_schema(redis, version=3, migrations=MIGRATIONS)
    assert await redis.lrange("done", 0, -1) == ["1→2", "2→3"]


async def test_a_store_of_a_later_release_is_refused_and_left_as_it_is(redis: Redis) -> None:
    await redis.set(SCHEMA, SCHEMA_VERSION + 1)
    with pytest.raises(SchemaRefused, match="update the bot"):
        await ensure_schema(redis)
    assert await redis.get(SCHEMA) == str(SCHEMA_VERSION + 1)


async def test_a_store_that_nothing_leads_on_from_is_refused(redis: Redis) -> None:
    await redis.set(SCHEMA, 1)
    with pytest.raises(SchemaRefused, match="version 1"):
        await ensure_schema(redis, version=3, migrations={2: rename_b})
