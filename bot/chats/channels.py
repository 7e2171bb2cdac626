"""The channels in which people let the bot post."""

from redis.asyncio import Redis

from bot.store.expiring_hash import ExpiringHash
from bot.store.keys import channels_key

MAX_CHANNELS = 20  # kept for each person


class Channels:
    """The titles of channels in which the bot may post, by Telegram's ids of them and who made it an admin there."""

    def __init__(self, redis: Redis, ttl_s: int) -> None:
        self._hash = ExpiringHash(redis, ttl_s)

    async def all(self, person_id: int) -> dict[int, str]:
        """Return a person's channels, and renew their TTL."""
        found = await self._hash.read(channels_key(str(person_id)))
        return {int(channel_id): title for channel_id, title in found.items()}

    async def save(self, person_id: int, channel_id: int, title: str) -> None:
        """Save a channel; one more than ``MAX_CHANNELS`` is left out."""
        known = await self.all(person_id)
        if channel_id in known or len(known) < MAX_CHANNELS:
            await self._hash.write(channels_key(str(person_id)), str(channel_id), title)

    async def delete(self, person_id: int, channel_id: int) -> None:
        """Take a channel off a person's list."""
        await self._hash.write(channels_key(str(person_id)), str(channel_id), None)
