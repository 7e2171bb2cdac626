"""Hashes of a chat or a person that are kept for a time after their last use."""

from redis.asyncio import Redis


class ExpiringHash:
    """Reads and writes such hashes.

    Args:
        redis: The store.
        ttl_s: Seconds for which a hash is kept after it was last read or written.
    """

    def __init__(self, redis: Redis, ttl_s: int) -> None:
        self._redis = redis
        self._ttl_s = ttl_s

    async def read(self, key: str) -> dict[str, str]:
        """Return all fields; none if there is no such hash."""
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.hgetall(key)
            transaction.expire(key, self._ttl_s)
            fields: dict[str, str] = (await transaction.execute())[0]
        return fields

    async def write(self, key: str, field: str, value: str | None) -> None:
        """Set a field, or remove it."""
        async with self._redis.pipeline(transaction=True) as transaction:
            if value is None:
                transaction.hdel(key, field)
            else:
                transaction.hset(key, field, value)
            transaction.expire(key, self._ttl_s)
            await transaction.execute()
