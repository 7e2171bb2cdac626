"""The channels in which the bot may post, by the people who made it an admin there."""

from typing import Any, cast

from redis.asyncio import Redis

from bot.store.keys import channels_key

MAX_CHANNELS = 20  # kept for each person


class Channels:
    """The titles of these channels by Telegram's ids of them, in the store."""

    def __init__(self, redis: Redis, ttl_s: int) -> None:
        self._redis = redis
        self._ttl_s = ttl_s

    async def all(self, person_id: int) -> dict[int, str]:
        """Return a person's channels, and keep them for their whole time again."""
        name = channels_key(str(person_id))
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.hgetall(name)
            transaction.expire(name, self._ttl_s)
            found, _ = await transaction.execute()
        return {int(channel_id): title for channel_id, title in found.items()}

    async def save(self, person_id: int, channel_id: int, title: str) -> None:
        """Save a channel; one more than ``MAX_CHANNELS`` is left out."""
        known = await self.all(person_id)
        if channel_id in known or len(known) < MAX_CHANNELS:
            name = channels_key(str(person_id))
            async with self._redis.pipeline(transaction=True) as transaction:
                transaction.hset(name, str(channel_id), title)
                transaction.expire(name, self._ttl_s)
                await transaction.execute()

    async def delete(self, person_id: int, channel_id: int) -> None:
        """Take a channel off a person's list."""
        await cast(Any, self._redis.hdel(channels_key(str(person_id)), str(channel_id)))
