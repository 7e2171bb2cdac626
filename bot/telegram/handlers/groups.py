"""What happens to a group: it becomes a supergroup, the bot is removed or muted, a message is pinned."""

from __future__ import annotations

from telegram import Update
from telegram.ext import ChatMemberHandler, MessageHandler, filters

from bot.chats.telegram_ids import TelegramIds
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.reading.senders import may_write, message_of, telegram_chat_id_of
from bot.telegram.receiving.application import AnyApplication, Context


class GroupHandlers:
    """Handles these updates.

    Args:
        submitter: Knows the queues, and notes message numbers.
        telegram_ids: Keeps under which id a group is known that has moved.
    """

    def __init__(self, submitter: JobSubmitter, telegram_ids: TelegramIds) -> None:
        self._submitter = submitter
        self._telegram_ids = telegram_ids

    def register(self, application: AnyApplication) -> None:
        """Add the handlers."""
        messages, status = filters.UpdateType.MESSAGE, filters.StatusUpdate
        application.add_handler(MessageHandler(messages & status.PINNED_MESSAGE, self._pinned))
        application.add_handler(MessageHandler(messages & status.MIGRATE, self._migrated))
        application.add_handler(ChatMemberHandler(self._membership, ChatMemberHandler.MY_CHAT_MEMBER))

    async def _pinned(self, update: Update, context: Context) -> None:
        await self._submitter.note(message_of(update))

    async def _migrated(self, update: Update, context: Context) -> None:
        """Record that a group has become a supergroup; both say so, in any order."""
        message = message_of(update)
        here = telegram_chat_id_of(message.chat)
        if message.migrate_to_chat_id is not None:
            await self._telegram_ids.moved(here, message.migrate_to_chat_id)
        elif message.migrate_from_chat_id is not None:
            await self._telegram_ids.moved(message.migrate_from_chat_id, here)

    async def _membership(self, update: Update, context: Context) -> None:
        """Stop all jobs of a chat where the bot can't write any more; what is kept of it is left to expire."""
        change = update.my_chat_member
        if change is not None and not may_write(change.new_chat_member):
            await self._submitter.job_queue.drop(change.chat.id)
