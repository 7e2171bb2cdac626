"""Who is an admin of a group: implements ``GroupAdmins`` of ``jobs/ports.py``."""

from datetime import datetime
from functools import partial
from typing import Any

from pydantic import BaseModel
from redis.asyncio import Redis
from telegram import ChatMember, ChatMemberAdministrator, ChatMemberOwner
from telegram.error import BadRequest

from bot.chats.key import ChatKey
from bot.jobs.ports import ChatGone
from bot.store import keys
from bot.telegram.sending.api_calls import TelegramCalls

RECHECK_AFTER_S = 3
"""Seconds after which the list is fetched again for a person not on it, who may just have been made an admin."""


class AdminList(BaseModel):
    """The admins of a group at a moment."""

    fetched_at: datetime
    user_ids: frozenset[int]


class CachedGroupAdmins:
    """Asks Telegram, and keeps each list for a minute."""

    def __init__(self, telegram_calls: TelegramCalls, redis: Redis) -> None:
        self._bot = telegram_calls.bot
        self._telegram_calls = telegram_calls
        self._redis = redis

    async def is_admin(self, chat: ChatKey, user_id: int) -> bool:
        """See ``GroupAdmins``.

        Raises:
            TelegramError: Telegram does not answer, or asks to wait.
            ChatGone: The bot is not in the group any more.
        """
        if user_id == chat.chat_id:
            return True
        name = keys.admins_key(str(ChatKey(chat.chat_id)))
        cached: Any = await self._redis.get(name)
        now = self._telegram_calls.clock.now()
        if cached is not None:
            known = AdminList.model_validate_json(cached)
            if user_id in known.user_ids:
                return True
            if abs((now - known.fetched_at).total_seconds()) < RECHECK_AFTER_S:
                return False
        admins = AdminList(fetched_at=now, user_ids=await self._admins(chat.chat_id))
        await self._redis.set(name, admins.model_dump_json(), ex=keys.ADMINS_TTL_S)
        return user_id in admins.user_ids

    async def may_post(self, channel_id: int, user_id: int) -> bool:
        """See ``GroupAdmins``.

        Raises:
            TelegramError: Telegram does not answer.
        """
        try:
            members = [
                await self._telegram_calls.call(
                    channel_id, partial(self._bot.get_chat_member, user_id=member_id), repeatable=True
                )
                for member_id in (self._bot.id, user_id)
            ]
        except (BadRequest, ChatGone):  # The bot is not in the channel any more, or that is gone.
            return False
        return all(map(posts, members))

    async def _admins(self, chat_id: int) -> frozenset[int]:
        # Any member may list the admins; getChatMember of others is only for a bot that is an admin itself.
        try:
            members = await self._telegram_calls.call(
                chat_id, self._bot.get_chat_administrators, repeatable=True, patient=False
            )
        except BadRequest:
            return frozenset()  # It isn't a group.
        return frozenset(member.user.id for member in members)


def posts(member: ChatMember) -> bool:
    """Return whether a member of a channel may post in it."""
    if isinstance(member, ChatMemberAdministrator):
        return bool(member.can_post_messages)
    return isinstance(member, ChatMemberOwner)


def private_chat_url(username: str, start: str = "") -> str:
    """Return the address of the private chat with the bot; ``start`` goes along with ``/start``."""
    return f"https://t.me/{username}" + (f"?start={start}" if start else "")
