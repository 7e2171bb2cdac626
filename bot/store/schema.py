"""The version of what is kept, so that a later release can change how it is kept."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from redis.asyncio import Redis
from redis.asyncio.lock import Lock

from bot.store.errors import SchemaRefused
from bot.store.keys import SCHEMA, SCHEMA_LOCK

SCHEMA_VERSION = 1

LOCK_LEASE_S = 60.0

Migration = Callable[[Redis], Awaitable[None]]

# From each version to the next. A migration may be killed in its middle and run again: it has to bear that.
MIGRATIONS: Mapping[int, Migration] = {}


async def ensure_schema(
    redis: Redis, *, version: int = SCHEMA_VERSION, migrations: Mapping[int, Migration] = MIGRATIONS
) -> None:
    """Bring what is kept to the version that this release works with; several processes may do so at once.

    Args:
        redis: The store.
        version: What this release works with.
        migrations: Under each version, what makes the next one of it.

    Raises:
        SchemaRefused: A later release has been here, or one so old that nothing leads on from it.
    """
    await redis.set(SCHEMA, version, nx=True)  # an empty store is up to date
    if await _kept_version(redis, version) == version:
        return
    lock = redis.lock(SCHEMA_LOCK, timeout=LOCK_LEASE_S)
    async with lock:
        renewal = asyncio.create_task(_keep(lock))
        try:
            for old in range(await _kept_version(redis, version), version):
                if old not in migrations:
                    raise SchemaRefused(
                        f"The store is of version {old}, from which this release knows no way on"
                    )
                await migrations[old](redis)
                await redis.set(SCHEMA, old + 1)
                structlog.get_logger().info("store.migrated", version=old + 1)
        finally:
            renewal.cancel()
            await asyncio.wait([renewal])


async def _kept_version(redis: Redis, ours: int) -> int:
    kept = int(await redis.get(SCHEMA) or 0)
    if kept > ours:
        raise SchemaRefused(
            f"A later release wrote the store (version {kept}, this one knows {ours}): update the bot"
        )
    return kept


async def _keep(lock: Lock) -> None:
    while True:
        await asyncio.sleep(LOCK_LEASE_S / 3)
        await lock.reacquire()
