"""The two ids of a group that became a supergroup: the one it has in Telegram now, and the one it is stored under.

Telegram gives such a group a new id. Nothing in the store is moved: its project, queue and running job stay under the
first id, and ids are translated where updates come in and calls go out. A group migrates once, and basic groups and
supergroups never share an id.
"""

from typing import Any

from redis.asyncio import Redis

from bot.store.keys import MOVED_FROM, MOVED_TO

_SUPERGROUPS = -1_000_000_000_000
"""Ids of supergroups and channels are below this, those of basic groups between it and 0."""


class TelegramIds:
    """Translates between a migrated group's two ids; every other chat has one id for both."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def record_migration(self, stored_id: int, telegram_chat_id: int) -> None:
        """Record that a group became a supergroup. Telegram announces it several times, always the same."""
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.hset(MOVED_TO, str(stored_id), telegram_chat_id)
            transaction.hset(MOVED_FROM, str(telegram_chat_id), stored_id)
            await transaction.execute()

    async def telegram_chat_id(self, stored_id: int) -> int:
        """Return the id that a chat has in Telegram now: messages to it go there."""
        if not _SUPERGROUPS < stored_id < 0:
            return stored_id
        supergroup: Any = await self._redis.hget(MOVED_TO, str(stored_id))
        return int(supergroup) if supergroup else stored_id

    async def stored_id(self, telegram_chat_id: int) -> int:
        """Return the id under which a chat is stored."""
        if telegram_chat_id >= _SUPERGROUPS:
            return telegram_chat_id
        group: Any = await self._redis.hget(MOVED_FROM, str(telegram_chat_id))
        return int(group) if group else telegram_chat_id
