"""Who may use the bot: everyone or those on the operator's lists, except those who were banned."""

from collections.abc import Collection
from enum import StrEnum
from typing import Any, cast

from redis.asyncio import Redis

from bot.store import keys


class AccessDenied(StrEnum):
    """Why a person may not use the bot."""

    CLOSED = "closed"  # on none of the operator's lists
    BANNED = "banned"  # by one of the bot's admins


class AccessControl:
    """Decides whom the bot serves.

    A listed person may use it in every chat; in a listed chat everyone may. Without lists it is open to all. The bot's
    admins always may. Ids are those of people and chats: a person who writes in the name of a chat counts as that chat.

    Args:
        redis: Holds the bans, for all processes.
        users: Ids of the listed people (``ALLOWED_USERS``).
        chats: Ids of the listed chats (``ALLOWED_CHATS``).
        admins: Ids of the bot's admins (``ADMINS``).
    """

    def __init__(
        self, redis: Redis, users: Collection[int], chats: Collection[int], admins: Collection[int]
    ) -> None:
        self._redis = redis
        self._listed = frozenset(users) | frozenset(chats)
        self._admins = frozenset(admins)

    async def why_denied(self, person_id: int, *chat_ids: int) -> AccessDenied | None:
        """Return why a person may not use the bot in a chat, or ``None`` if they may.

        Args:
            person_id: The id of the person who writes.
            *chat_ids: The chat's ids; a group that became a supergroup counts under both.
        """
        if person_id in self._admins:
            return None
        ids = [person_id, *chat_ids]
        banned = cast(list[Any], await self._redis.smismember(keys.BANS, [str(id_) for id_ in ids]))
        if any(banned):
            return AccessDenied.BANNED
        if self._listed and self._listed.isdisjoint(ids):
            return AccessDenied.CLOSED
        return None

    async def may_send_refusal(self, chat_id: int, update_id: int) -> bool:
        """Return whether an update may be answered with a refusal: one a day in each chat, also when redelivered."""
        key = keys.access_denied_key(str(chat_id))
        await self._redis.set(key, update_id, nx=True, ex=keys.ACCESS_DENIED_TTL_S)
        return bool(await self._redis.get(key) == str(update_id))

    async def ban(self, id_: int) -> bool:
        """Ban a person or a chat; return ``False`` for the bot's admins, who can't be banned."""
        if id_ in self._admins:
            return False
        await self._redis.sadd(keys.BANS, str(id_))
        return True

    async def unban(self, id_: int) -> bool:
        """Lift a ban; return ``False`` if there was none."""
        return bool(await self._redis.srem(keys.BANS, str(id_)))
