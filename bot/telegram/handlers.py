"""What people do in Telegram becomes jobs here. Handlers read and write Redis, and call nobody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from telegram import Chat, Message, MessageEntity, Update, User
from telegram.constants import ChatType
from telegram.ext import CallbackQueryHandler, CommandHandler, MessageHandler, filters

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.clock import Clock
from bot.jobs.job import FileRef, Job, Kind, Lane, State, new_job_id, retry_id
from bot.jobs.lanes import LaneFull, Lanes
from bot.jobs.ports import Button, Bytes, Notice
from bot.telegram import media
from bot.telegram.application import AnyApplication, Context
from bot.telegram.buttons import Action, Press, unpack
from bot.telegram.notices import pack_notice
from bot.telegram.once import Sent
from bot.words import language_of
from bot.words.phrases import Action as Phrase
from bot.words.phrases import action_for

log = structlog.get_logger(__name__)

ANONYMOUS_ADMIN_ID = 1087968824
"""Stands as sender where a group's admin writes in the group's name; who it was is in ``sender_chat``."""

MAX_WISH_CHARS = 8000

_COMMAND = re.compile(r"^/\w+(@\w+)?\s*")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before anything is tried.

    Args:
        fetch: Bytes of the largest file that the Bot API in use gives out.
        take: Bytes of the largest file that NemoVideo takes.
    """

    fetch: int
    take: int


class Handlers:
    """Turns updates into jobs.

    Args:
        lanes: Where jobs go.
        chats: Language and settings of chats.
        sent: Is told every message number.
        limits: Of files.
        clock: Stamps jobs.
    """

    def __init__(self, lanes: Lanes, chats: Chats, sent: Sent, limits: Limits, clock: Clock) -> None:
        self._lanes = lanes
        self._chats = chats
        self._sent = sent
        self._limits = limits
        self._clock = clock

    def register(self, application: AnyApplication) -> None:
        """Add the handlers. Edited messages and channel posts are left out: a wish is charged once."""
        fresh = filters.UpdateType.MESSAGE
        commands = {
            "start": self._start,
            "help": self._help,
            "new": self._new,
            "export": self._export,
            "credits": self._credits,
            "status": self._status,
            "cancel": self._cancel,
            "settings": self._settings,
            "edit": self._edit,
        }
        for name, callback in commands.items():
            application.add_handler(CommandHandler(name, callback, filters=fresh))
        application.add_handler(MessageHandler(fresh & filters.COMMAND, self._unknown_command))
        application.add_handler(MessageHandler(fresh & ~filters.StatusUpdate.ALL, self._message))
        application.add_handler(CallbackQueryHandler(self._press))

    async def _start(self, update: Update, context: Context) -> None:
        await self._say(update, Notice("start.greeting"))

    async def _help(self, update: Update, context: Context) -> None:
        await self._say(update, Notice("help.text"))

    async def _new(self, update: Update, context: Context) -> None:
        await self._accept(update, [self._job(update, Lane.EDIT, Kind.NEW)])

    async def _export(self, update: Update, context: Context) -> None:
        await self._accept(update, [self._job(update, Lane.EDIT, Kind.EXPORT)])

    async def _credits(self, update: Update, context: Context) -> None:
        await self._accept(update, [self._job(update, Lane.ASK, Kind.CREDITS)])

    async def _status(self, update: Update, context: Context) -> None:
        await self._accept(update, [self._job(update, Lane.ASK, Kind.STATUS)])

    async def _settings(self, update: Update, context: Context) -> None:
        chat = await self._chats.get(chat_key(_message(update)))
        await self._say(update, settings_notice(auto_export=chat.auto_export))

    async def _upload(self, update: Update, context: Context) -> None:
        await self._say(
            update,
            Notice(
                "upload.how",
                {"kinds": kinds_taken(), "limit": Bytes(min(self._limits.fetch, self._limits.take))},
            ),
        )

    async def _cancel(self, update: Update, context: Context) -> None:
        chat = chat_key(_message(update))
        for job_id in await self._lanes.current(chat, Lane.EDIT):
            standing = await self._lanes.find(chat, job_id)
            if standing and self._may_touch(update, standing.job):
                await self._lanes.cancel(chat, Lane.EDIT, job_id)
                return await self._say(update, Notice("job.cancelled"))
        return await self._say(update, Notice("job.nothing_to_cancel"))

    async def _edit(self, update: Update, context: Context) -> None:
        """``/edit`` with words, with a file, or in reply to one: the way in for groups with privacy mode."""
        message = _message(update)
        text = _COMMAND.sub("", message.text or message.caption or "")
        source = message
        if media.file_of(message) is None and _is_reply(message) and message.reply_to_message is not None:
            source = message.reply_to_message
        await self._wish(update, text, source)

    async def _unknown_command(self, update: Update, context: Context) -> None:
        message = _message(update)
        text = message.text or message.caption or ""
        command = text.split()[0] if text else "/"
        addressed = command.lower().endswith(f"@{context.bot.username}".lower())
        if message.chat.type == ChatType.PRIVATE or addressed:
            await self._say(update, Notice("error.unknown_command", {"command": command}))

    async def _message(self, update: Update, context: Context) -> None:
        message = _message(update)
        if not is_for_bot(message, context.bot.id, context.bot.username):
            return await self._note(message)
        text = without_mention(message, context.bot.username)
        phrase = None if media.file_of(message) else action_for(text)
        routes = {
            Phrase.EXPORT: self._export,
            Phrase.CREDITS: self._credits,
            Phrase.STATUS: self._status,
            Phrase.UPLOAD: self._upload,
            Phrase.NEW: self._new,
            Phrase.HELP: self._help,
            Phrase.CANCEL: self._cancel,
            Phrase.SETTINGS: self._settings,
        }
        if phrase is not None:
            return await routes[phrase](update, context)
        return await self._wish(update, text, message)

    async def _wish(self, update: Update, text: str, source: Message) -> None:
        file = media.file_of(source)
        if file is not None:
            refusal = self._refusal(file)
            if refusal is not None:
                return await self._say(update, refusal)
        elif not text.strip():
            return await self._say(update, Notice("start.greeting"))
        job = self._job(
            update, Lane.EDIT, Kind.WISH, text=text.strip()[:MAX_WISH_CHARS], files=(file,) if file else ()
        )
        return await self._accept(update, [job])

    def _refusal(self, file: FileRef) -> Notice | None:
        if not media.is_promising(file):
            return Notice("error.file_type", {"name": file.name, "kinds": kinds_taken()})
        if file.size == 0:
            return Notice("error.file_empty", {"name": file.name})
        if file.size is not None and file.size > self._limits.take:
            return Notice("error.file_too_large", {"limit": Bytes(self._limits.take)})
        if file.size is not None and file.size > self._limits.fetch:
            return Notice(
                "error.file_too_large_telegram",
                {"size": Bytes(file.size), "limit": Bytes(self._limits.fetch)},
            )
        return None

    async def _press(self, update: Update, context: Context) -> None:
        query = update.callback_query
        if query is None or not isinstance(query.message, Message):
            return  # Of a message too old to be named; nothing hangs on it any more.
        press = unpack(query.data)
        jobs: list[Job] = []
        toast, redraw = "", ""
        match press:
            case None:
                toast = "toast.old_button"
            case Press(Action.CANCEL, job_id):
                toast, redraw = await self._press_cancel(update, query.message, job_id)
            case Press(Action.RETRY, job_id):
                retried = await self._retried(update, query.message, job_id)
                jobs += [retried] if retried else []
                toast = "" if retried else "toast.old_button"
                redraw = "no_buttons" if retried else ""
            case Press(Action.EXPORT | Action.NEW as action):
                jobs.append(self._job(update, Lane.EDIT, Kind(action.value)))
            case Press(Action.CREDITS | Action.STATUS as action):
                jobs.append(self._job(update, Lane.ASK, Kind(action.value)))
            case Press(Action.AUTO_EXPORT, value):
                await self._chats.update(chat_key(query.message), auto_export=value == "1")
                toast, redraw = "toast.saved", f"settings:{value}"
        tap = {"query": query.id, "toast": toast, "redraw": redraw, "message": query.message.message_id}
        await self._accept(update, [*jobs, self._job(update, Lane.TAP, Kind.TAP, data=tap)])

    async def _press_cancel(self, update: Update, message: Message, job_id: str) -> tuple[str, str]:
        chat = chat_key(message)
        standing = await self._lanes.find(chat, job_id)
        if standing is None:
            return "toast.old_button", "no_buttons"
        if not self._may_touch(update, standing.job):
            return "toast.not_yours", ""
        was = await self._lanes.cancel(chat, standing.job.lane, job_id)
        match was:
            case State.QUEUED:
                return "toast.cancelling", "cancelled"
            case State.RUNNING:
                return "toast.cancelling", ""
            case _:
                return "toast.old_button", "no_buttons"

    async def _retried(self, update: Update, message: Message, job_id: str) -> Job | None:
        standing = await self._lanes.find(chat_key(message), job_id)
        if standing is None or not self._may_touch(update, standing.job):
            return None
        old = standing.job
        if await self._lanes.find(old.chat, retry_id(old.id)) is not None:
            return None  # Pressed before.
        # What reached the project stays there: a second upload would double the clip.
        files = () if await self._lanes.checkpoint(old, "uploaded") else old.files
        fresh = self._job(update, old.lane, old.kind, message_id=old.message_id)
        return replace(
            fresh, id=retry_id(old.id), owner_id=old.owner_id, text=old.text, files=files, data=old.data
        )

    def _may_touch(self, update: Update, job: Job) -> bool:
        chat = update.effective_chat
        return chat is not None and (chat.type == ChatType.PRIVATE or owner_id(update) == job.owner_id)

    async def _say(self, update: Update, notice: Notice) -> None:
        await self._accept(update, [self._job(update, Lane.ASK, Kind.SAY, data=pack_notice(notice))])

    async def _accept(self, update: Update, jobs: Sequence[Job]) -> None:
        message = update.message
        if message is not None:
            await self._note(message)
        await self._chats.touch(jobs[0].chat, jobs[0].language)
        try:
            await self._lanes.accept(jobs, update.update_id)
        except LaneFull:
            log.warning("handlers.lane_full", chat=str(jobs[0].chat))
            refusal = self._job(update, Lane.ASK, Kind.SAY, data=pack_notice(Notice("error.queue_full")))
            await self._lanes.accept([refusal], update.update_id)

    async def _note(self, message: Message) -> None:
        await self._sent.note(message.chat.id, message.message_id)

    def _job(
        self,
        update: Update,
        lane: Lane,
        kind: Kind,
        *,
        text: str = "",
        files: tuple[FileRef, ...] = (),
        data: dict[str, Any] | None = None,
        message_id: int | None = None,
    ) -> Job:
        query = update.callback_query
        message = query.message if query is not None else update.message
        if not isinstance(message, Message):
            raise TypeError("an update without a message is no job")
        asked_by_message = message.message_id if query is None else None
        return Job(
            id=new_job_id(),
            chat=chat_key(message),
            lane=lane,
            kind=kind,
            owner_id=owner_id(update),
            message_id=message_id or asked_by_message,
            language=language_of(_language_code(update.effective_user)),
            text=text,
            files=files,
            data=data or {},
            asked_at=self._clock.now(),
        )


def settings_notice(*, auto_export: bool) -> Notice:
    """The settings, with a button that turns each the other way."""
    on = "on" if auto_export else "off"
    button = Button(f"button.settings_auto_{on}", Action.AUTO_EXPORT, "0" if auto_export else "1")
    return Notice(f"settings.auto_export_{on}", buttons=(button,))


def kinds_taken() -> str:
    """The file endings that NemoVideo takes, for people to read."""
    return " ".join(media.CONTENT_TYPES)


def chat_key(message: Message) -> ChatKey:
    """The chat, and its topic in forums.

    ``message_thread_id`` is also set on plain replies in groups, and General has id 1 but must be left out when
    sending: only ``is_topic_message`` tells a real topic.
    """
    topic = message.message_thread_id if message.is_topic_message else None
    return ChatKey(message.chat.id, topic)


def owner_id(update: Update) -> int:
    """Whoever asked: the person, or the chat in whose name an anonymous admin or a channel writes."""
    message = update.message
    if message is not None and message.sender_chat is not None:
        return message.sender_chat.id
    user = update.effective_user
    return user.id if user is not None else 0


def is_for_bot(message: Message, bot_id: int, username: str) -> bool:
    """Everything in a private chat; in groups what replies to the bot or mentions it."""
    if message.chat.type == Chat.PRIVATE:
        return True
    replied = message.reply_to_message if _is_reply(message) else None
    if replied is not None and replied.from_user is not None and replied.from_user.id == bot_id:
        return True
    return _mention(message, username) is not None


def without_mention(message: Message, username: str) -> str:
    """The words of a message, without a mention of the bot."""
    text = message.text or message.caption or ""
    mention = _mention(message, username)
    return text.replace(mention, "", 1).strip() if mention else text.strip()


def _mention(message: Message, username: str) -> str | None:
    found = (
        message.parse_entities([MessageEntity.MENTION])
        if message.text
        else message.parse_caption_entities([MessageEntity.MENTION])
    )
    return next((text for text in found.values() if text.lower() == f"@{username}".lower()), None)


def _is_reply(message: Message) -> bool:
    # Some clients make every message of a topic a reply to the topic's first one: that is no reply.
    replied = message.reply_to_message
    return replied is not None and replied.forum_topic_created is None


def _language_code(user: User | None) -> str | None:
    return user.language_code if user is not None else None


def _message(update: Update) -> Message:
    if update.message is None:
        raise TypeError("registered for messages only")
    return update.message
