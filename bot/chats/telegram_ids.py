"""Groups that became supergroups: they have another id in Telegram, and keep the one that everything is kept under.

So nothing has to be moved: the session, the queue and the running job stay as they are, under keys that never change,
and only the way in and the way out translate. A group moves once; the ids of groups and of supergroups have nothing in
common.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from bot.store.keys import MOVED_FROM, MOVED_TO

_SUPERGROUPS = -1_000_000_000_000
"""Ids of supergroups and channels are below this, those of basic groups between it and 0."""


class TelegramIds:
    """Knows both ids of every group that moved.

    Args:
        redis: Where they are.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def moved(self, kept_as: int, telegram_chat_id: int) -> None:
        """Note a move. Telegram tells of it twice, and refuses a send with it: all say the same."""
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.hset(MOVED_TO, str(kept_as), telegram_chat_id)
            transaction.hset(MOVED_FROM, str(telegram_chat_id), kept_as)
            await transaction.execute()

    async def telegram_chat_id(self, chat_id: int) -> int:
        """Where messages to a chat go."""
        if not _SUPERGROUPS < chat_id < 0:
            return chat_id
        found: Any = await self._redis.hget(MOVED_TO, str(chat_id))
        return int(found) if found else chat_id

    async def kept_as(self, telegram_chat_id: int) -> int:
        """Under which id what is known of a chat is kept."""
        if telegram_chat_id >= _SUPERGROUPS:
            return telegram_chat_id
        found: Any = await self._redis.hget(MOVED_FROM, str(telegram_chat_id))
        return int(found) if found else telegram_chat_id
