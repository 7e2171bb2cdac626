import pytest
from redis.asyncio import Redis

from bot.store.errors import SchemaRefused
from bot.store.keys import SCHEMA
from bot.store.schema import SCHEMA_VERSION, ensure_schema


async def test_an_empty_store_gets_the_version_of_this_release(redis: Redis) -> None:
    await ensure_schema(redis)
    assert await redis.get(SCHEMA) == str(SCHEMA_VERSION)
    await ensure_schema(redis)


@pytest.mark.parametrize(
    ("version", "advice"),
    [(SCHEMA_VERSION + 1, "update the bot"), (SCHEMA_VERSION - 1, "empty the store")],
)
async def test_a_store_of_another_release_is_refused_and_left_as_it_is(
    redis: Redis, version: int, advice: str
) -> None:
    await redis.set(SCHEMA, version)
    with pytest.raises(SchemaRefused, match=f"version {version}.*{advice}"):
        await ensure_schema(redis)
    assert await redis.get(SCHEMA) == str(version)
