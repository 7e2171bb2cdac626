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

from bot.chats.admission import Admission
from bot.jobs.job import Kind, Lane
from bot.jobs.notices import pack_notice
from bot.jobs.ports import Notice, Whole
from bot.telegram.application import AnyApplication, Context
from bot.telegram.desk import Desk
from bot.telegram.handlers import AnothersOrder

MAX_WORD_CHARS = 3000
"""Of a word to all chats; with what stands around it, it has to fit into one message."""


class AdminCommands:
    """Handles them.

    Args:
        desk: Stores what they ask for.
        admission: Keeps the bans.
        admins: Ids of the people.
    """

    def __init__(self, desk: Desk, admission: Admission, admins: Collection[int]) -> None:
        self._desk = desk
        self._admission = admission
        self._admins = admins

    def register(self, application: AnyApplication) -> None:
        """Add the handlers, before that of unknown commands."""
        theirs = filters.UpdateType.MESSAGE & filters.ChatType.PRIVATE & filters.User(user_id=self._admins)
        # What somebody sends them to be forwarded here is not their announcement.
        theirs &= ~AnothersOrder()
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
        await self._desk.accept(update, [self._desk.job(update, Lane.ASK, Kind.STATS)])

    async def _ban(self, update: Update, context: Context) -> None:
        someone = _someone(update.message, context)
        if someone is None:
            return await self._desk.say(update, Notice("admin.ban_how"))
        done = await self._admission.ban(someone)
        key = "admin.banned" if done else "admin.ban_refused"
        await self._desk.say(update, Notice(key, {"id": str(someone)}))

    async def _unban(self, update: Update, context: Context) -> None:
        someone = _someone(update.message, context)
        if someone is None:
            return await self._desk.say(update, Notice("admin.ban_how"))
        await self._admission.unban(someone)
        await self._desk.say(update, Notice("admin.unbanned", {"id": str(someone)}))

    async def _pause(self, update: Update, context: Context) -> None:
        await self._desk.lanes.pause()
        await self._desk.say(update, Notice("admin.paused"))

    async def _resume(self, update: Update, context: Context) -> None:
        await self._desk.lanes.resume()
        await self._desk.say(update, Notice("admin.resumed"))

    async def _announce(self, update: Update, context: Context) -> None:
        text = (
            (update.message.text if update.message and update.message.text else "").partition(" ")[2].strip()
        )
        if not text or len(text) > MAX_WORD_CHARS:
            return await self._desk.say(update, Notice("admin.announce_how", {"most": MAX_WORD_CHARS}))
        word = pack_notice(Notice("admin.word", {"text": Whole(text)}))
        await self._desk.accept(update, [self._desk.job(update, Lane.ASK, Kind.ANNOUNCE, data=word)])


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
