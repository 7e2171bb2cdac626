"""Commands of those who run the bot, in their private chats with it; for all others they do not exist."""

from __future__ import annotations

from collections.abc import Collection

from telegram import (
    Message,
    MessageOriginChannel,
    MessageOriginChat,
    MessageOriginUser,
    Update,
)
from telegram.ext import CommandHandler, filters

from bot.chats.access_control import AccessControl
from bot.jobs.messages import LocalizedMessage, UncutText
from bot.jobs.model import JobKind, QueueName
from bot.jobs.payloads import AnnouncePayload
from bot.telegram.handlers.handlers import ForwardedCommand
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.receiving.application import AnyApplication, Context

MAX_WORD_CHARS = 3000
"""Of a word to all chats; with what stands around it, it has to fit into one message."""


class AdminCommands:
    """Handles them.

    Args:
        submitter: Stores what they ask for.
        access: Keeps the bans.
        admins: Ids of the people.
    """

    def __init__(self, submitter: JobSubmitter, access: AccessControl, admins: Collection[int]) -> None:
        self._submitter = submitter
        self._access = access
        self._admins = admins

    def register(self, application: AnyApplication) -> None:
        """Add the handlers, before that of unknown commands."""
        theirs = filters.UpdateType.MESSAGE & filters.ChatType.PRIVATE & filters.User(user_id=self._admins)
        # What somebody sends them to be forwarded here is not their announcement.
        theirs &= ~ForwardedCommand()
        commands = {
            "stats": self._stats,
            "ban": self._ban,
            "unban": self._unban,
            "pause": self._pause,
            "resume": self._resume,
            "announce": self._announce,
        }
        for name, callback in commands.items():
            application.add_handler(CommandHandler(name, callback, filters=theirs))

    async def _stats(self, update: Update, context: Context) -> None:
        await self._submitter.enqueue(update, [self._submitter.job(update, QueueName.QUICK, JobKind.STATS)])

    async def _ban(self, update: Update, context: Context) -> None:
        someone = _someone(update.message, context)
        if someone is None:
            return await self._submitter.reply(update, LocalizedMessage("admin.ban_how"))
        done = await self._access.ban(someone)
        key = "admin.banned" if done else "admin.ban_refused"
        await self._submitter.reply(update, LocalizedMessage(key, {"id": str(someone)}))

    async def _unban(self, update: Update, context: Context) -> None:
        someone = _someone(update.message, context)
        if someone is None:
            return await self._submitter.reply(update, LocalizedMessage("admin.ban_how"))
        await self._access.unban(someone)
        await self._submitter.reply(update, LocalizedMessage("admin.unbanned", {"id": str(someone)}))

    async def _pause(self, update: Update, context: Context) -> None:
        await self._submitter.job_queue.pause()
        await self._submitter.reply(update, LocalizedMessage("admin.paused"))

    async def _resume(self, update: Update, context: Context) -> None:
        await self._submitter.job_queue.resume()
        await self._submitter.reply(update, LocalizedMessage("admin.resumed"))

    async def _announce(self, update: Update, context: Context) -> None:
        text = (
            (update.message.text if update.message and update.message.text else "").partition(" ")[2].strip()
        )
        if not text or len(text) > MAX_WORD_CHARS:
            return await self._submitter.reply(
                update, LocalizedMessage("admin.announce_how", {"most": MAX_WORD_CHARS})
            )
        word = AnnouncePayload(message=LocalizedMessage("admin.word", {"text": UncutText(text)}))
        await self._submitter.enqueue(
            update, [self._submitter.job(update, QueueName.QUICK, JobKind.ANNOUNCE, payload=word)]
        )


def _someone(message: Message | None, context: Context) -> int | None:
    """The person or chat that is meant: by id, or by a message of theirs that was forwarded here and replied to."""
    if context.args:
        try:
            return int(context.args[0])
        except ValueError:
            return None
    replied = message.reply_to_message if message is not None else None
    match replied.forward_origin if replied is not None else None:
        case MessageOriginUser(sender_user=user):
            return int(user.id)
        case MessageOriginChat(sender_chat=chat) | MessageOriginChannel(chat=chat):
            return int(chat.id)
    return None
