"""What happens to a group: it becomes a supergroup, the bot is removed or muted, a message is pinned."""

from telegram import ChatMember, ChatMemberUpdated, Update
from telegram.constants import ChatType
from telegram.ext import ChatMemberHandler, filters

from bot.chats.chats import ChatFields
from bot.jobs.messages import LocalizedMessage
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, on_message
from bot.telegram.reading.addressing import chat_key_of, may_write, message_of, telegram_chat_id_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.group_admins import posts


class GroupHandlers(HandlerFamily):
    """Handles pinned messages, a group's move to a supergroup, new topics, and what the bot may do in a chat."""

    def _handlers(self) -> Handlers:
        return [
            on_message(filters.StatusUpdate.PINNED_MESSAGE, self._pinned),
            on_message(filters.StatusUpdate.MIGRATE, self._migrated),
            on_message(filters.StatusUpdate.FORUM_TOPIC_CREATED, self._topic_created),
            ChatMemberHandler(self._membership),
        ]

    async def _pinned(self, update: Update, context: Context) -> None:
        await self._submitter.record(message_of(update))

    async def _migrated(self, update: Update, context: Context) -> None:
        """Record that a group has become a supergroup; the old and the new chat both announce it, in any order.

        ``chats/telegram_ids.py`` translates between the two ids from then on.
        """
        message = message_of(update)
        here = telegram_chat_id_of(message.chat)
        if message.migrate_to_chat_id is not None:
            await self._services.telegram_ids.record_migration(here, message.migrate_to_chat_id)
        elif message.migrate_from_chat_id is not None:
            await self._services.telegram_ids.record_migration(message.migrate_from_chat_id, here)

    async def _topic_created(self, update: Update, context: Context) -> None:
        """Record that a topic of a private chat is unnamed: it gets the name of its project."""
        message = message_of(update)
        key, created = chat_key_of(message), message.forum_topic_created
        await self._submitter.record(message)
        if key.is_private and created is not None and created.is_name_implicit:
            await self._chats.update(key, ChatFields(takes_name=True))

    async def _membership(self, update: Update, context: Context) -> None:
        """Introduce the bot to a group that it joins, and stop all jobs of a chat where it can't write any more.

        What is kept of such a chat is left to expire.
        """
        change = update.my_chat_member
        if change is None:
            return
        if change.chat.type == ChatType.CHANNEL:
            await self._record_channel(change)
        if not may_write(change.new_chat_member):
            await self._job_queue.cancel_chat(change.chat.id)
        elif change.chat.type in (ChatType.GROUP, ChatType.SUPERGROUP) and not may_write(
            change.old_chat_member
        ):
            # The bot sees all messages where it is an admin, or if it has no privacy mode.
            hears_all = (
                change.new_chat_member.status == ChatMember.ADMINISTRATOR
                or context.bot.bot.can_read_all_group_messages
            )
            await self._introduce(update, change, "group.hello" if hears_all else "group.hello_privacy")

    async def _record_channel(self, change: ChatMemberUpdated) -> None:
        """Record whether the person who changed the bot's rights in a channel lets it post there."""
        channels, channel, person_id = self._chats.channels, change.chat, change.from_user.id
        refusal = await self._services.access.why_denied(person_id, channel.id)
        if refusal is None and posts(change.new_chat_member):
            await channels.save(person_id, channel.id, channel.title or "")
        else:
            await channels.delete(person_id, channel.id)

    async def _introduce(self, update: Update, change: ChatMemberUpdated, text: str) -> None:
        # Check access here: AccessGuard lets my_chat_member updates through.
        here = telegram_chat_id_of(change.chat)
        if await self._services.access.why_denied(change.from_user.id, change.chat.id, here) is not None:
            return
        await self._submitter.send_to_joined_chat(update, change, LocalizedMessage(text))
