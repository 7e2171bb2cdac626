"""The append-only file of the embedded store, rewritten so that what was erased leaves the disk too."""

import asyncio
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from bot.store.keys import AOF_REWRITE_DUE, REWRITTEN_TODAY, REWRITTEN_WITHIN_HOUR

log = structlog.get_logger(__name__)

LOOK_S: Final = 60.0  # between two looks
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


async def rewrite_regularly(redis: Redis) -> None:
    """Rewrite the file once a day, and after an erasure, at most once an hour, for ever.

    Args:
        redis: The embedded store; several processes may do this at once.
    """
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            await rewrite_if_due(redis)
        except RedisError as error:  # Being started again, or out of room: the next look will do.
            log.warning("store.not_rewritten", error=str(error))


async def rewrite_if_due(redis: Redis) -> bool:
    """Rewrite the file if something was erased, or the last time is a day ago; return whether that has begun."""
    is_due = await redis.exists(AOF_REWRITE_DUE) or not await redis.exists(REWRITTEN_TODAY)
    if not is_due or not await redis.set(REWRITTEN_WITHIN_HOUR, 1, nx=True, ex=_HOUR_S):
        return False
    # Deleted before: what is erased from here on is due again.
    await redis.delete(AOF_REWRITE_DUE)
    await redis.set(REWRITTEN_TODAY, 1, ex=_DAY_S)
    try:
        await redis.bgrewriteaof()
    except ResponseError as error:  # The server writes a snapshot just now.
        log.warning("store.not_rewritten", error=str(error))
        await redis.set(AOF_REWRITE_DUE, 1)
        await redis.delete(REWRITTEN_WITHIN_HOUR)
        return False
    return True
