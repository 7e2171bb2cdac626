"""What people do in Telegram becomes jobs here. Handlers read and write Redis, and call nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from telegram import Chat, Message, MessageEntity, Update, User
from telegram.constants import ChatType
from telegram.ext import CallbackQueryHandler, CommandHandler, MessageHandler, filters

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.clock import Clock
from bot.jobs.job import MAX_WISH_CHARS, FileRef, Job, Kind, Lane, State, new_job_id, press_id, retry_id
from bot.jobs.lanes import LaneFull, Lanes
from bot.jobs.ports import ANNOUNCEMENT, Button, Notice
from bot.jobs.steps.telling import EXTRAS, offered_edit
from bot.skills import Card, Cards
from bot.telegram import media
from bot.telegram.accounts import (
    LOGIN_START,
    language_notice,
    login_how,
    login_jobs,
    offered_token,
    token_in,
)
from bot.telegram.application import AnyApplication, Context
from bot.telegram.buttons import Action, Press, unpack
from bot.telegram.limits import Limits
from bot.telegram.links import sort_out
from bot.telegram.notices import pack_notice
from bot.telegram.once import Sent
from bot.telegram.skills import CARD, LIST, START, card_of_start, wish_behind, without_button
from bot.words import Words, bounded, language_of, languages
from bot.words.phrases import Action as Phrase
from bot.words.phrases import action_for

log = structlog.get_logger(__name__)

ANONYMOUS_ADMIN_ID = 1087968824
"""Stands as sender where a group's admin writes in the group's name; who it was is in ``sender_chat``."""

_EDIT_CAPTION = re.compile(r"^/edit(?:@(?P<bot>\w+))?(?=\s|$)", re.IGNORECASE)
MAX_TOAST_CHARS = 150
"""Of a wish in a toast, which has 200 in all."""

_COMMAND = re.compile(r"^/\w+(@\w+)?\s*")


class Handlers:
    """Turns updates into jobs.

    Args:
        lanes: Where jobs go.
        chats: Language and settings of chats.
        sent: Is told every message number.
        limits: Of files.
        cards: The skill cards.
        clock: Stamps jobs.
    """

    def __init__(
        self, lanes: Lanes, chats: Chats, sent: Sent, limits: Limits, cards: Cards, clock: Clock
    ) -> None:
        self._lanes = lanes
        self._chats = chats
        self._sent = sent
        self._limits = limits
        self._cards = cards
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
            "login": self._login,
            "logout": self._logout,
            "link": self._link,
            "language": self._language,
            "skill": self._skill,
        }
        for name, callback in commands.items():
            application.add_handler(CommandHandler(name, callback, filters=fresh))
        # PTB's command handlers read no captions, where a wish with a file stands.
        application.add_handler(
            MessageHandler(fresh & filters.CaptionRegex(_EDIT_CAPTION), self._edit_caption)
        )
        application.add_handler(MessageHandler(fresh & filters.COMMAND, self._unknown_command))
        application.add_handler(MessageHandler(fresh & ~filters.StatusUpdate.ALL, self._message))
        application.add_handler(CallbackQueryHandler(self._press))

    async def _start(self, update: Update, context: Context) -> None:
        if context.args == [LOGIN_START]:
            return await self._say(update, login_how(_message(update), context.bot.username))
        if (said := card_of_start(context.args)) is not None:
            return await self._choose_skill(update, said)
        return await self._show_skill(update, START)

    async def _skill(self, update: Update, context: Context) -> None:
        if context.args:
            return await self._choose_skill(update, context.args[0])
        return await self._show_skill(update, LIST)

    async def _choose_skill(self, update: Update, said: str) -> None:
        name = self._cards.named(said)
        if name is not None:
            await self._chats.update(chat_key(_message(update)), skill=name)
        await self._show_skill(update, CARD if name else LIST)

    async def _show_skill(self, update: Update, view: str) -> None:
        await self._accept(update, [self._job(update, Lane.ASK, Kind.SKILL, data={"view": view})])

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

    async def _login(self, update: Update, context: Context) -> None:
        message = _message(update)
        token = offered_token(message.text or "")
        if token is None:
            return await self._say(update, login_how(message, context.bot.username))
        return await self._take_token(update, token)

    async def _take_token(self, update: Update, token: str) -> None:
        message, new_job = _message(update), partial(self._job, update)
        username = message.get_bot().username
        await self._accept(update, login_jobs(message, token, new_job, self._chats.seal, username))

    async def _logout(self, update: Update, context: Context) -> None:
        await self._accept(update, [self._job(update, Lane.EDIT, Kind.LOGOUT)])

    async def _link(self, update: Update, context: Context) -> None:
        await self._accept(update, [self._job(update, Lane.ASK, Kind.LINK)])

    async def _language(self, update: Update, context: Context) -> None:
        await self._say(update, language_notice(await self._language_in(update, chat_key(_message(update)))))

    async def _language_in(self, update: Update, chat: ChatKey) -> str:
        """What the chat chose, else the asker's."""
        return language_of((await self._chats.get(chat)).language or _language_code(update.effective_user))

    async def _upload(self, update: Update, context: Context) -> None:
        card = await self._card(update, _message(update))
        await self._say(update, self._limits.how(card))

    async def _cancel(self, update: Update, context: Context) -> None:
        chat = chat_key(_message(update))
        jobs = await self._lanes.current(chat, Lane.EDIT)
        for job_id in jobs:
            standing = await self._lanes.find(chat, job_id)
            if standing and self._may_touch(update, standing.job):
                # A job, and by its id: an update that comes twice must not stop the next one too.
                stop = self._job(update, Lane.TAP, Kind.CANCEL, data={"job": job_id})
                live = await self._lanes.checkpoint(standing.job, ANNOUNCEMENT)
                redrawn: list[Job] = []
                if standing.state is State.QUEUED and live is not None and "message_id" in live:
                    tap = {"query": "", "toast": "", "redraw": "cancelled", "message": live["message_id"]}
                    redrawn.append(self._job(update, Lane.TAP, Kind.TAP, data=tap))
                return await self._accept(update, [stop, *redrawn])
        return await self._say(update, Notice("toast.not_yours" if jobs else "job.nothing_to_cancel"))

    async def _edit(self, update: Update, context: Context) -> None:
        """``/edit`` with words, with a file, or in reply to one: the way in for groups with privacy mode."""
        message = _message(update)
        text = _COMMAND.sub("", message.text or message.caption or "")
        source = message
        if media.file_of(message) is None and _is_reply(message) and message.reply_to_message is not None:
            source = message.reply_to_message
        if not text.strip() and media.file_of(source) is None:
            return await self._say(update, Notice("edit.how"))
        return await self._wish(update, text, source)

    async def _edit_caption(self, update: Update, context: Context) -> None:
        addressed = _EDIT_CAPTION.match(_message(update).caption or "")
        name = addressed["bot"] if addressed else None
        if name is None or name.lower() == context.bot.username.lower():
            await self._edit(update, context)

    async def _unknown_command(self, update: Update, context: Context) -> None:
        message = _message(update)
        text = message.text or message.caption or ""
        if (token := token_in(text)) is not None:
            return await self._take_token(update, token)
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
        if not text and media.file_of(message) is None and not message.text:
            # A place, a contact, a poll, a die: in a group it may be meant for anybody.
            if message.chat.type == ChatType.PRIVATE:
                await self._say(update, Notice("error.unsupported"))
            return None
        return await self._wish(update, text, message)

    async def _wish(self, update: Update, text: str, source: Message) -> None:
        if (token := token_in(text)) is not None:
            # Pasted without the command, most likely; it must never reach the agent, nor lie in a wish.
            return await self._take_token(update, token)
        file = media.file_of(source)
        if file is not None:
            refusal = self._limits.refusal(file, await self._card(update, _message(update)))
            if refusal is not None:
                return await self._say(update, refusal)
        elif not text.strip():
            return await self._show_skill(update, START)
        # Before the cut, so that no address is cut in half.
        linked = sort_out(text)
        jobs: list[Job] = []
        if linked.told is not None:
            jobs.append(self._job(update, Lane.ASK, Kind.SAY, data=pack_notice(linked.told)))
        if not linked.is_over:
            jobs.append(
                self._job(
                    update,
                    Lane.EDIT,
                    Kind.WISH,
                    text=linked.wish.strip()[:MAX_WISH_CHARS],
                    files=(file,) if file else (),
                    data={"links": list(linked.media)} if linked.media else None,
                )
            )
        return await self._accept(update, jobs)

    async def _card(self, update: Update, message: Message) -> Card:
        """The chat's active card."""
        chat = await self._chats.get(chat_key(message))
        return self._cards.active(chat.skill, await self._language_in(update, chat.key))

    async def _press(self, update: Update, context: Context) -> None:
        query = update.callback_query
        if query is None or not isinstance(query.message, Message):
            return  # Of a message too old to be named; nothing hangs on it any more.
        press = unpack(query.data)
        jobs: list[Job] = []
        toast, redraw = "", ""
        more: dict[str, Any] = {}
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
            case Press(Action.LANGUAGE, name):
                chat = chat_key(query.message)
                if name in languages():
                    await self._chats.update(chat, language=name)
                    toast = "toast.saved"
                redraw = f"language:{await self._language_in(update, chat)}"
            case Press(Action.SKILL, mark):
                toast, redraw = await self._pressed_skill(query.message, mark)
            case Press(Action.KEEP):
                toast, redraw = "toast.kept", "no_buttons"
            case Press(Action.STRIP | Action.OFFER):
                wishes, toast = await self._pressed_offer(update, query.message, press)
                jobs += wishes
                redraw = "no_buttons" if wishes else ""
            case Press(Action.EXAMPLE | Action.NEXT):
                wishes, toast = await self._pressed_wish(update, query.message, press)
                jobs += wishes
                markup = without_button(query.message.reply_markup, query.data)
                said = bounded(wishes[0].text, MAX_TOAST_CHARS) if wishes else ""
                redraw, more = "keyboard", {"keyboard": markup.to_dict(), "words": {"wish": said}}
            case Press(Action.AUTO_EXPORT, value):
                await self._chats.update(chat_key(query.message), auto_export=value == "1")
                toast, redraw = "toast.saved", f"settings:{value}"
        tap = {"query": query.id, "toast": toast, "redraw": redraw, "message": query.message.message_id}
        await self._accept(update, [*jobs, self._job(update, Lane.TAP, Kind.TAP, data=tap | more)])

    async def _pressed_skill(self, message: Message, mark: str) -> tuple[str, str]:
        name = self._cards.marked(mark)
        if name is None:
            return "toast.skill_gone", ""
        await self._chats.update(chat_key(message), skill=name)
        return "toast.skill_chosen", f"skill:{name}"

    async def _pressed_wish(self, update: Update, message: Message, press: Press) -> tuple[list[Job], str]:
        """The wish that a button sends, and the toast; an old one may offer what is no longer there."""
        chat = chat_key(message)
        wish = wish_behind(press, self._cards, Words(await self._language_in(update, chat)))
        if wish is None:
            return [], "toast.wish_gone"
        job_id = press_id(chat, message.message_id, f"{press.action}:{press.argument}")
        if await self._lanes.find(chat, job_id) is not None:
            return [], "toast.sent_already"
        job = self._job(update, Lane.EDIT, Kind.WISH, text=wish, message_id=message.message_id)
        return [replace(job, id=job_id)], "toast.sent_wish"

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

    async def _pressed_offer(self, update: Update, message: Message, press: Press) -> tuple[list[Job], str]:
        """The wish behind a button that belongs to one job's answer: only who asked may press it in a group."""
        kind, _, job_id = press.argument.rpartition(".")
        chat = chat_key(message)
        standing = await self._lanes.find(chat, job_id)
        if standing is None:
            return [], "toast.old_button"
        if not self._may_touch(update, standing.job):
            return [], "toast.not_yours"
        wish: str | None = None
        if press.action is Action.STRIP and kind in EXTRAS.values():
            wish = Words(await self._language_in(update, chat)).plain(f"wish.strip_{kind}")
        elif press.action is Action.OFFER:
            outcome = await self._lanes.checkpoint(standing.job, "turn")
            wish = offered_edit(outcome) if outcome else None
        if wish is None:
            return [], "toast.old_button"
        new_id = press_id(chat, message.message_id, f"{press.action}:{press.argument}")
        if await self._lanes.find(chat, new_id) is not None:
            return [], "toast.sent_already"
        job = self._job(update, Lane.EDIT, Kind.WISH, text=wish, message_id=message.message_id)
        return [replace(job, id=new_id)], "toast.sent"

    async def _retried(self, update: Update, message: Message, job_id: str) -> Job | None:
        standing = await self._lanes.find(chat_key(message), job_id)
        if standing is None or not self._may_touch(update, standing.job):
            return None
        old = standing.job
        if await self._lanes.find(old.chat, retry_id(old.id)) is not None:
            return None  # Pressed before.
        kind, files, data = await self._left_to_do(old)
        fresh = self._job(update, old.lane, kind, message_id=old.message_id)
        return replace(
            fresh, id=retry_id(old.id), owner_id=old.owner_id, text=old.text, files=files, data=data
        )

    async def _left_to_do(self, job: Job) -> tuple[Kind, tuple[FileRef, ...], Mapping[str, Any]]:
        """What a failed job has still to do: what was charged is not asked for again, nor is a clip doubled."""
        turn = await self._lanes.checkpoint(job, "turn")
        if job.kind is Kind.WISH and turn is not None and not turn["failed"]:
            return Kind.EXPORT, (), {}
        session_id = (await self._chats.get(job.chat)).session_id
        uploaded, linked = [await self._lanes.checkpoint(job, name) for name in ("uploaded", "linked")]
        is_there = uploaded and uploaded.get("session") == session_id
        # Words in a file were not uploaded: they are read again.
        files = tuple(file for file in job.files if file.is_text or not is_there)
        return job.kind, files, {} if linked and linked.get("session") == session_id else job.data

    def _may_touch(self, update: Update, job: Job) -> bool:
        chat = update.effective_chat
        return chat is not None and (chat.type == ChatType.PRIVATE or owner_id(update) == job.owner_id)

    async def _say(self, update: Update, notice: Notice) -> None:
        await self._accept(update, [self._job(update, Lane.ASK, Kind.SAY, data=pack_notice(notice))])

    async def _accept(self, update: Update, jobs: Sequence[Job]) -> None:
        message = update.message
        if message is not None:
            await self._note(message)
        await self._chats.touch(jobs[0].chat)
        language = await self._language_in(update, jobs[0].chat)
        jobs = [replace(job, language=language) for job in jobs]
        try:
            await self._lanes.accept(jobs, update.update_id)
        except LaneFull:
            log.warning("handlers.lane_full", chat=str(jobs[0].chat))
            refusal = self._job(update, Lane.ASK, Kind.SAY, data=pack_notice(Notice("error.queue_full")))
            # What a press or a deletion asks for does not wait behind the others.
            at_once = [_without_success(job) for job in jobs if job.lane is Lane.TAP]
            await self._lanes.accept([*at_once, replace(refusal, language=language)], update.update_id)

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
    return Notice(f"settings.auto_export_{on}", buttons=(button, Button("button.language", Action.LANGUAGE)))


def _without_success(job: Job) -> Job:
    """A press whose wish finds no place any more: its button stays as it is, and no toast claims anything."""
    return replace(job, data={**job.data, "toast": "", "redraw": ""}) if job.kind is Kind.TAP else job


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
