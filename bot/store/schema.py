"""The version of the stored data, so that no release works with data that another one wrote in another form."""

from redis.asyncio import Redis

from bot.store.errors import SchemaRefused
from bot.store.keys import SCHEMA

SCHEMA_VERSION = 2


async def ensure_schema(redis: Redis) -> None:
    """Mark an empty store with the version of this release, and refuse a store of another version.

    Args:
        redis: The store.

    Raises:
        SchemaRefused: Another release wrote the store.
    """
    await redis.set(SCHEMA, SCHEMA_VERSION, nx=True)
    stored = int(await redis.get(SCHEMA) or 0)
    if stored > SCHEMA_VERSION:
        raise SchemaRefused(
            f"A later release wrote the store (version {stored}, this one knows {SCHEMA_VERSION}): update the bot"
        )
    if stored < SCHEMA_VERSION:
        raise SchemaRefused(
            f"An older release wrote the store (version {stored}, this one needs {SCHEMA_VERSION}), "
            "and nothing converts it: empty the store, or give the bot another one"
        )
