"""The version of the data in the store: data of another version is refused instead of misread."""

from redis.asyncio import Redis

from bot.store.errors import SchemaRefused
from bot.store.keys import SCHEMA

SCHEMA_VERSION = 2  # raise it with every change to keys, fields or stored values that this release can't read


async def ensure_schema(redis: Redis) -> None:
    """Mark an empty store with this release's version, or check that the store has it.

    Args:
        redis: The store; several processes may do this at once.

    Raises:
        SchemaRefused: An older or a newer release wrote the store.
    """
    await redis.set(SCHEMA, SCHEMA_VERSION, nx=True)
    version = int(await redis.get(SCHEMA) or 0)
    if version == SCHEMA_VERSION:
        return
    written = f"release wrote the store (version {version}, this release needs {SCHEMA_VERSION})"
    if version > SCHEMA_VERSION:
        raise SchemaRefused(f"A later {written}: update the bot")
    raise SchemaRefused(f"An earlier {written}: start with an empty store, or keep running that release")
