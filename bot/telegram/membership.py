"""Who is an admin of a group: implements ``Membership`` of ``jobs/steps/accounts.py``."""

from __future__ import annotations

from telegram import Bot
from telegram.constants import ChatMemberStatus
from telegram.error import BadRequest

from bot.chats.key import ChatKey
from bot.telegram.outbox import Outbox

_ADMINS = (ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR)


class GroupMembership:
    """Asks Telegram.

    Args:
        bot: Telegram.
        outbox: Makes the calls.
    """

    def __init__(self, bot: Bot, outbox: Outbox) -> None:
        self._bot = bot
        self._outbox = outbox

    @property
    def private_chat_url(self) -> str:
        """See ``Membership``."""
        return private_chat_url(self._bot.username)

    async def is_admin(self, chat: ChatKey, user_id: int) -> bool:
        """See ``Membership``."""
        try:
            member = await self._outbox.call(
                chat.chat_id, lambda chat_id: self._bot.get_chat_member(chat_id, user_id), repeatable=True
            )
        except BadRequest:
            return False  # Not a member that Telegram lets the bot see.
        return member.status in _ADMINS


def private_chat_url(username: str, start: str = "") -> str:
    """Where anyone begins a private chat with the bot; ``start`` goes along with ``/start``."""
    return f"https://t.me/{username}" + (f"?start={start}" if start else "")
