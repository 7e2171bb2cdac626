"""Who may use the bot: everyone, or those on the operator's lists; and never those who were banned."""

from collections.abc import Collection
from enum import StrEnum
from typing import Any, cast

from redis.asyncio import Redis

from bot.store import keys


class AccessDenied(StrEnum):
    """Why somebody may not use the bot."""

    CLOSED = "closed"  # on none of the operator's lists
    BANNED = "banned"  # by one of the bot's admins


class AccessControl:
    """Decides whom the bot serves.

    A listed person may use it in every chat, in a listed chat everyone may. Without lists it is open. The bot's
    admins always may. An id is a person's or a chat's: who writes in the name of a chat counts as that chat.

    Args:
        redis: Where the bans are, for all processes.
        users: The people on the list.
        chats: The chats on the list.
        admins: The people who run the bot.
    """

    def __init__(
        self, redis: Redis, users: Collection[int], chats: Collection[int], admins: Collection[int]
    ) -> None:
        self._redis = redis
        self._listed = frozenset(users) | frozenset(chats)
        self._admins = frozenset(admins)

    async def refusal(self, person_id: int, *chat_ids: int) -> AccessDenied | None:
        """Why somebody may not use the bot in a chat; ``None`` when they may.

        Args:
            person_id: Who.
            *chat_ids: Where; a group that became a supergroup counts under both of its ids.
        """
        if person_id in self._admins:
            return None
        ids = [person_id, *chat_ids]
        banned = cast(list[Any], await self._redis.smismember(keys.BANS, [str(one) for one in ids]))
        if any(banned):
            return AccessDenied.BANNED
        if self._listed and self._listed.isdisjoint(ids):
            return AccessDenied.CLOSED
        return None

    async def may_be_told(self, chat_id: int, update_id: int) -> bool:
        """Whether an update may be answered with a refusal: one a day in each chat, the same when it comes again."""
        key = keys.access_denied_key(str(chat_id))
        await self._redis.set(key, update_id, nx=True, ex=keys.ACCESS_DENIED_TTL_S)
        return bool(await self._redis.get(key) == str(update_id))

    async def ban(self, someone: int) -> bool:
        """Ban a person or a chat, by id; ``False`` for the bot's admins, who can't be."""
        if someone in self._admins:
            return False
        await self._redis.sadd(keys.BANS, str(someone))
        return True

    async def unban(self, someone: int) -> bool:
        """Take a ban back; ``False`` when there was none."""
        return bool(await self._redis.srem(keys.BANS, str(someone)))
