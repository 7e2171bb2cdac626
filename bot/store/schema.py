"""The version of the data in the store: the last one is migrated, any other is refused instead of misread."""

from redis.asyncio import Redis

from bot.store.accounts_migration import share_accounts
from bot.store.errors import SchemaRefused
from bot.store.keys import SCHEMA

SCHEMA_VERSION = 3  # raise it with every change to keys, fields or stored values that this release can't read
MIGRATED_VERSION = 2  # the one that is migrated at start


async def ensure_schema(redis: Redis) -> None:
    """Mark an empty store with this release's version, migrate one of the version before, or check the version.

    Args:
        redis: The store; several processes may do this at once.

    Raises:
        SchemaRefused: An older or a newer release wrote the store.
    """
    await redis.set(SCHEMA, SCHEMA_VERSION, nx=True)
    version = int(await redis.get(SCHEMA) or 0)
    if version == MIGRATED_VERSION:
        await share_accounts(redis)
        await redis.set(SCHEMA, SCHEMA_VERSION)
        return
    if version == SCHEMA_VERSION:
        return
    written = f"release wrote the store (version {version}, this release needs {SCHEMA_VERSION})"
    if version > SCHEMA_VERSION:
        raise SchemaRefused(f"A later {written}: update the bot, or restore the backup of before")
    raise SchemaRefused(f"An earlier {written}: start with an empty store, or keep running that release")
