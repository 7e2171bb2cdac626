"""What people typed last behind the bot's name in any chat."""

from redis.asyncio import Redis

from bot.store.keys import INLINE_REQUEST_TTL_S, inline_request_key

MAX_INLINE_CHARS = 256  # Telegram passes on no more of what a person types


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
