"""Who is an admin of a group: implements ``GroupAdmins`` of ``jobs/ports.py``."""

from typing import Any

from redis.asyncio import Redis
from telegram import Bot
from telegram.error import BadRequest

from bot.chats.key import ChatKey
from bot.store import keys
from bot.telegram.sending.api_calls import TelegramCalls

RECHECK_AFTER_S = 3
"""Seconds after which the list is fetched again for somebody not on it, who may just have been made an admin."""


class CachedGroupAdmins:
    """Asks Telegram, and keeps each list for a minute."""

    def __init__(self, bot: Bot, telegram_calls: TelegramCalls, redis: Redis) -> None:
        self._bot = bot
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
        known: Any = await self._redis.get(name)
        if known is not None and str(user_id) in known.split():
            return True
        age_s = keys.ADMINS_TTL_S - await self._redis.ttl(name)
        if known is not None and age_s < RECHECK_AFTER_S:
            return False
        admins = await self._admins(chat.chat_id)
        await self._redis.set(name, " ".join(map(str, admins)), ex=keys.ADMINS_TTL_S)
        return user_id in admins

    async def _admins(self, chat_id: int) -> list[int]:
        # Any member may list the admins; getChatMember of others is only for a bot that is an admin itself.
        try:
            members = await self._telegram_calls.call(
                chat_id, self._bot.get_chat_administrators, repeatable=True, patient=False
            )
        except BadRequest:
            return []  # It is no group.
        return [member.user.id for member in members]


def private_chat_url(username: str, start: str = "") -> str:
    """Return the address of the private chat with the bot; ``start`` goes along with ``/start``."""
    return f"https://t.me/{username}" + (f"?start={start}" if start else "")
