"""Who may do what in a group: whoever asked for something, and the group's admins."""

import asyncio

import structlog
from telegram import Message, Update
from telegram.constants import ChatType
from telegram.error import TelegramError

from bot.chats.chats import Chat
from bot.chats.key import ChatKey
from bot.jobs.ports import ChatGone, GroupAdmins
from bot.telegram.reading.addressing import requester_id_of

log = structlog.get_logger(__name__)

ADMINS_TIMEOUT_S = 5.0
"""How long Telegram may take to list a group's admins, while the updates behind this one wait."""


class Permissions:
    """Decides who may change or stop what."""

    def __init__(self, group_admins: GroupAdmins) -> None:
        self._group_admins = group_admins

    async def may_change(self, update: Update, requester_id: int | None) -> bool:
        """Return whether a person may change or stop something.

        Telegram names the person who presses a button even where they write as a channel: so what a channel asked for
        is also that of its admins. Telegram lists them only for a bot that is in the channel.
        """
        chat = update.effective_chat
        if chat is None:
            return False
        if is_own(update, requester_id) or await self._is_admin(chat.id, requester_id_of(update)):
            return True
        return (
            requester_id is not None
            and is_channel(update, requester_id)
            and await self._is_admin(requester_id, requester_id_of(update))
        )

    async def may_change_settings(self, update: Update, chat: Chat) -> bool:
        """Return whether a person may change a chat's settings: in groups only admins, unless they let all."""
        return chat.members_may_change or await self.may_change(update, None)

    async def _is_admin(self, chat_id: int, user_id: int) -> bool:
        try:
            async with asyncio.timeout(ADMINS_TIMEOUT_S):
                return await self._group_admins.is_admin(ChatKey(chat_id), user_id)
        except (TelegramError, ChatGone, TimeoutError) as error:
            # In doubt, a person isn't an admin.
            log.warning("permissions.admins_unknown", error=type(error).__name__)
            return False


def is_own(update: Update, requester_id: int | None) -> bool:
    """Return whether a person may change or stop something, as far as it is known without the list of admins."""
    chat = update.effective_chat
    if chat is None:
        return False
    # An anonymous admin writes in the group's own name.
    return chat.type == ChatType.PRIVATE or requester_id_of(update) in (requester_id, chat.id)


def is_channel(update: Update, requester_id: int | None) -> bool:
    """Return whether something was asked for in the name of a channel, not of a person or the group itself."""
    chat = update.effective_chat
    # Ids of people are positive.
    return requester_id is not None and requester_id < 0 and (chat is None or requester_id != chat.id)


def requester_id_behind(message: Message) -> int | None:
    """Return who wrote the message that a message of the bot replies to, or ``None`` if that is gone."""
    asked = message.reply_to_message
    sender = None if asked is None else asked.sender_chat or asked.from_user
    return None if sender is None else sender.id
