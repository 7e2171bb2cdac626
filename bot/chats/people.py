"""What is kept of people: the channels in which they let the bot post, and what they typed behind its name."""

from redis.asyncio import Redis

from bot.store.expiring_hash import ExpiringHash
from bot.store.keys import INLINE_REQUEST_TTL_S, channels_key, inline_request_key

MAX_CHANNELS = 20  # kept for each person
MAX_INLINE_CHARS = 256  # Telegram passes on no more of what a person types


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


class InlineRequests:
    """What people typed last behind the bot's name in any chat, until they press "Start" to have it done in private."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def save(self, person_id: int, words: str) -> None:
        """Save what a person has typed so far."""
        key = inline_request_key(str(person_id))
        await self._redis.set(key, words[:MAX_INLINE_CHARS], ex=INLINE_REQUEST_TTL_S)

    async def get(self, person_id: int) -> str:
        """Return what a person typed last; empty if that is long ago."""
        return str(await self._redis.get(inline_request_key(str(person_id))) or "")
