import asyncio

import pytest
from redis.asyncio import Redis

from bot.store.errors import StoreError
from bot.store.keys import SCHEMA
from bot.store.schema import MIGRATED_VERSIONS, SCHEMA_VERSION, ensure_schema


async def test_an_empty_store_gets_the_version_of_this_release(redis: Redis) -> None:
    await asyncio.gather(*(ensure_schema(redis, {}) for _ in range(3)))
    assert await redis.get(SCHEMA) == str(SCHEMA_VERSION)


@pytest.mark.parametrize(
    ("version", "advice"), [(MIGRATED_VERSIONS[0] - 1, "empty store"), (SCHEMA_VERSION + 1, "update the bot")]
)
async def test_a_store_of_another_version_is_refused_and_left_as_it_is(
    redis: Redis, version: int, advice: str
) -> None:
    await redis.set(SCHEMA, version)
    with pytest.raises(StoreError, match=advice) as refused:
        await ensure_schema(redis, {})
    assert f"version {version}" in str(refused.value)
    assert await redis.get(SCHEMA) == str(version)
