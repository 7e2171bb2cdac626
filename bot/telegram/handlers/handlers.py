"""What people do in Telegram becomes jobs here. Handlers read and write Redis, and call nobody."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from telegram import Message, MessageOriginUser, Update
from telegram.constants import ChatType
from telegram.ext import (
    ApplicationHandlerStop,
    CallbackQueryHandler,
    ChatMemberHandler,
    CommandHandler,
    MessageHandler,
    filters,
)

from bot.chats.telegram_ids import TelegramIds
from bot.jobs.buttons import RunEdited
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS, Job, JobKind, JobState, QueueName
from bot.jobs.payloads import CancelPayload, SayPayload, SkillPayload
from bot.jobs.queue.album import ArrivedPart, PartText, RequestPart
from bot.telegram.handlers.button_presses import ButtonPresses
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.login import (
    LOGIN_START,
    language_notice,
    login_how,
    login_jobs,
    offered_token,
    token_in,
)
from bot.telegram.handlers.permissions import may_change
from bot.telegram.handlers.privacy import forget_notice, privacy_notice
from bot.telegram.handlers.skills import CARD, LIST, START, card_of_start
from bot.telegram.reading import attachments as media
from bot.telegram.reading.file_refusals import FileRefusals
from bot.telegram.reading.links import read_links
from bot.telegram.reading.senders import (
    address_of,
    chat_key,
    is_for_bot,
    is_for_other_bot,
    is_from_bot,
    is_reply,
    may_write,
    without_mention,
)
from bot.telegram.receiving.application import AnyApplication, Context
from bot.telegram.sending.private_messages import read_payload
from bot.words.phrases import PhraseAction, action_for

_EDIT_CAPTION = re.compile(r"^/edit(?:@\w+)?(?=\s|$)", re.IGNORECASE)
_COMMAND = re.compile(r"^/\w+(@\w+)?\s*")

FIRST = -2
"""The group of handlers that PTB asks before the door: of one group, it asks but the first that fits."""


class ForwardedCommand(filters.MessageFilter):
    """A forwarded message of somebody else that would log in, forget or cancel, if it were its forwarder's own.

    Whoever forwards shows what another has written, and need not have read it: a token in it would log them in to the
    account of whoever wrote it. Their own they may forward; a forwarded request stays a request, ``/edit`` or not.
    """

    def filter(self, message: Message) -> bool:
        """Whether it is one."""
        origin = message.forward_origin
        if origin is None or (
            isinstance(origin, MessageOriginUser) and origin.sender_user == message.from_user
        ):
            return False
        text = message.text or message.caption or ""
        is_private = message.chat.type == ChatType.PRIVATE
        if token_in(text) is not None:
            return is_private  # In a group it is only deleted, whoever wrote it.
        if _COMMAND.match(text):
            return not _EDIT_CAPTION.match(text)
        return is_private and media.attachment_of(message) is None and action_for(text) is not None


class Handlers:
    """Turns updates into jobs.

    Args:
        submitter: Stores what they ask for.
        limits: Of files.
        telegram_ids: Is told when a group moves.
    """

    def __init__(self, submitter: JobSubmitter, limits: FileRefusals, telegram_ids: TelegramIds) -> None:
        self._submitter = submitter
        self._telegram_ids = telegram_ids
        self._limits = limits

    def register(self, application: AnyApplication) -> None:
        """Add the handlers. Those for new messages skip edits and channel posts: a request is charged once."""
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
            "privacy": self._privacy,
            "forget": self._forget,
        }
        application.add_handler(MessageHandler(fresh, self._pass_over), group=FIRST)
        application.add_handler(MessageHandler(fresh & ForwardedCommand(), self._anothers_order))
        for name, callback in commands.items():
            application.add_handler(CommandHandler(name, callback, filters=fresh))
        # PTB's command handlers read no captions, where a request with a file stands.
        application.add_handler(MessageHandler(fresh & filters.CaptionRegex(_EDIT_CAPTION), self._edit))
        application.add_handler(MessageHandler(fresh & filters.COMMAND, self._unknown_command))
        application.add_handler(MessageHandler(fresh & ~filters.StatusUpdate.ALL, self._message))
        application.add_handler(MessageHandler(fresh & filters.StatusUpdate.PINNED_MESSAGE, self._pinned))
        application.add_handler(MessageHandler(filters.UpdateType.EDITED_MESSAGE, self._edited))
        application.add_handler(MessageHandler(fresh & filters.StatusUpdate.MIGRATE, self._moved))
        application.add_handler(ChatMemberHandler(self._group_admins, ChatMemberHandler.MY_CHAT_MEMBER))
        application.add_handler(CallbackQueryHandler(ButtonPresses(self._submitter).press))

    async def _pass_over(self, update: Update, context: Context) -> None:
        """Leave alone what is not said to this bot by anybody whom it could answer."""
        message = _message(update)
        is_elses = is_for_other_bot(message, context.bot.username) and not token_in(message.text or "")
        if is_elses or message.is_automatic_forward or is_from_bot(update, context.bot.id):
            await self._submitter.note(message)
            raise ApplicationHandlerStop

    async def _anothers_order(self, update: Update, context: Context) -> None:
        message = _message(update)
        if message.chat.type == ChatType.PRIVATE:
            return await self._submitter.reply(update, LocalizedMessage("error.forwarded_order"))
        return await self._submitter.note(message)

    async def _moved(self, update: Update, context: Context) -> None:
        """A group became a supergroup; both tell of it, in an order that is not promised."""
        message = _message(update)
        here = address_of(message.chat)
        if message.migrate_to_chat_id is not None:
            await self._telegram_ids.moved(here, message.migrate_to_chat_id)
        elif message.migrate_from_chat_id is not None:
            await self._telegram_ids.moved(message.migrate_from_chat_id, here)

    async def _group_admins(self, update: Update, context: Context) -> None:
        """Removed, blocked or muted: what runs there ends without a word, and what is kept is left to age."""
        change = update.my_chat_member
        if change is not None and not may_write(change.new_chat_member):
            await self._submitter.job_queue.drop(change.chat.id)

    async def _start(self, update: Update, context: Context) -> None:
        if context.args == [LOGIN_START]:
            return await self._submitter.reply(update, login_how(_message(update), context.bot.username))
        seen = read_payload(context.args[0]) if context.args else None
        if seen is not None and chat_key(_message(update)).is_private:
            return await self._submitter.enqueue(
                update, [self._submitter.job(update, QueueName.QUICK, JobKind.CONFIDED, payload=seen)]
            )
        if (said := card_of_start(context.args)) is not None:
            return await self._choose_skill(update, said)
        return await self._show_skill(update, START)

    async def _skill(self, update: Update, context: Context) -> None:
        if context.args:
            return await self._choose_skill(update, context.args[0])
        return await self._show_skill(update, LIST)

    async def _choose_skill(self, update: Update, said: str) -> None:
        name = self._submitter.cards.named(said)
        if name is not None:
            await self._submitter.chats.update(chat_key(_message(update)), skill=name)
        await self._show_skill(update, CARD if name else LIST)

    async def _show_skill(self, update: Update, view: str) -> None:
        await self._submitter.enqueue(
            update,
            [self._submitter.job(update, QueueName.QUICK, JobKind.SKILL, payload=SkillPayload(view=view))],
        )

    async def _help(self, update: Update, context: Context) -> None:
        await self._submitter.reply(update, LocalizedMessage("help.text"))

    async def _new(self, update: Update, context: Context) -> None:
        await self._submitter.enqueue(update, [self._submitter.job(update, QueueName.MAIN, JobKind.NEW)])

    async def _export(self, update: Update, context: Context) -> None:
        await self._submitter.enqueue(update, [self._submitter.job(update, QueueName.MAIN, JobKind.EXPORT)])

    async def _credits(self, update: Update, context: Context) -> None:
        await self._submitter.enqueue(update, [self._submitter.job(update, QueueName.QUICK, JobKind.CREDITS)])

    async def _status(self, update: Update, context: Context) -> None:
        await self._submitter.enqueue(update, [self._submitter.job(update, QueueName.QUICK, JobKind.STATUS)])

    async def _settings(self, update: Update, context: Context) -> None:
        await self._submitter.enqueue(
            update, [self._submitter.job(update, QueueName.QUICK, JobKind.SETTINGS)]
        )

    async def _login(self, update: Update, context: Context) -> None:
        message = _message(update)
        token = offered_token(message.text or "")
        if token is None:
            return await self._submitter.reply(update, login_how(message, context.bot.username))
        return await self._take_token(update, token)

    async def _take_token(self, update: Update, token: str) -> None:
        message, new_job = _message(update), partial(self._submitter.job, update)
        username = message.get_bot().username
        await self._submitter.enqueue(
            update, login_jobs(message, token, new_job, self._submitter.chats.seal, username)
        )

    async def _logout(self, update: Update, context: Context) -> None:
        await self._submitter.enqueue(update, [self._submitter.job(update, QueueName.MAIN, JobKind.LOGOUT)])

    async def _link(self, update: Update, context: Context) -> None:
        await self._submitter.enqueue(update, [self._submitter.job(update, QueueName.QUICK, JobKind.LINK)])

    async def _privacy(self, update: Update, context: Context) -> None:
        await self._submitter.reply(update, privacy_notice(self._submitter.chats.ttl_days))

    async def _forget(self, update: Update, context: Context) -> None:
        await self._submitter.reply(update, forget_notice(_message(update)))

    async def _language(self, update: Update, context: Context) -> None:
        await self._submitter.reply(
            update, language_notice(await self._submitter.language_in(update, chat_key(_message(update))))
        )

    async def _upload(self, update: Update, context: Context) -> None:
        card = await self._submitter.card(update, _message(update))
        await self._submitter.reply(update, self._limits.how(card))

    async def _cancel(self, update: Update, context: Context) -> None:
        chat = chat_key(_message(update))
        jobs = await self._submitter.job_queue.current(chat, QueueName.MAIN)
        if not jobs:
            return await self._submitter.reply(update, LocalizedMessage("job.nothing_to_cancel"))
        # One's own before those of others, which only an admin may stop.
        payload = CancelPayload(job_id=jobs[0], only_admin=True)
        for job_id in jobs:
            status = await self._submitter.job_queue.find(chat, job_id)
            if status and may_change(update, status.job.owner_id):
                payload = CancelPayload(job_id=job_id)
                break
        # A job, and by its id: an update that comes twice must not stop the next one too.
        return await self._submitter.enqueue(
            update, [self._submitter.job(update, QueueName.TAP, JobKind.CANCEL, payload=payload)]
        )

    async def _edit(self, update: Update, context: Context) -> None:
        """``/edit`` with words, with a file, or in reply to one: the way in for groups with privacy mode."""
        message = _message(update)
        text = _COMMAND.sub("", message.text or message.caption or "")
        source = _about(message)
        if not text.strip() and media.attachment_of(source) is None:
            return await self._submitter.reply(update, LocalizedMessage("edit.how"))
        return await self._prompt(update, text, source)

    async def _unknown_command(self, update: Update, context: Context) -> None:
        message = _message(update)
        text = message.text or message.caption or ""
        if (token := token_in(text)) is not None:
            return await self._take_token(update, token)
        command = text.split()[0] if text else "/"
        addressed = command.lower().endswith(f"@{context.bot.username}".lower())
        if message.chat.type == ChatType.PRIVATE or addressed:
            return await self._submitter.reply(
                update, LocalizedMessage("error.unknown_command", {"command": command})
            )
        return await self._submitter.note(message)

    async def _pinned(self, update: Update, context: Context) -> None:
        await self._submitter.note(_message(update))

    async def _message(self, update: Update, context: Context) -> None:
        message = _message(update)
        if not is_for_bot(message, context.bot.id, context.bot.username):
            return await self._beside(update)
        text = without_mention(message, context.bot.username)
        phrase = None if media.attachment_of(message) else action_for(text)
        routes = {
            PhraseAction.EXPORT: self._export,
            PhraseAction.CREDITS: self._credits,
            PhraseAction.STATUS: self._status,
            PhraseAction.UPLOAD: self._upload,
            PhraseAction.NEW: self._new,
            PhraseAction.HELP: self._help,
            PhraseAction.CANCEL: self._cancel,
            PhraseAction.SETTINGS: self._settings,
        }
        if phrase is not None:
            return await routes[phrase](update, context)
        if not text and media.attachment_of(message) is None and not message.text:
            # A place, a contact, a poll, a die: in a group it may be meant for anybody.
            if message.chat.type == ChatType.PRIVATE:
                await self._submitter.reply(update, LocalizedMessage("error.unsupported"))
            return None
        told = None
        if message.caption and (command := _COMMAND.match(text)) is not None:
            # The agent would be charged for it; the file is taken all the same.
            told = LocalizedMessage("error.command_in_caption", {"command": command[0].strip()})
            text = text[command.end() :]
        return await self._prompt(update, text, _about(message), told)

    async def _prompt(
        self, update: Update, text: str, source: Message, told: LocalizedMessage | None = None
    ) -> None:
        if (token := token_in(text)) is not None:
            # Pasted without the command, most likely; it must never reach the agent, nor lie in a request.
            return await self._take_token(update, token)
        message = _message(update)
        part = await self._part(update, source)
        is_alone = source is not message or (not part.album and not part.is_forwarded)
        if part.refusal is not None and is_alone and not part.files:
            return await self._submitter.reply(update, part.refusal)
        if not part.files and part.refusal is None and not text.strip():
            return await self._show_skill(update, START)
        # Before the cut, so that no address is cut in half.
        linked = read_links(text)
        jobs: list[Job] = []
        if (told := linked.told or told) is not None:
            jobs.append(
                self._submitter.job(update, QueueName.QUICK, JobKind.SAY, payload=SayPayload(message=told))
            )
        if linked.is_over:
            return await self._submitter.enqueue(update, jobs)
        words = PartText(linked.prompt.strip()[:MAX_PROMPT_CHARS], linked.media)
        arrival = ArrivedPart(part, words)
        if source is not message:
            # What is answered is the file, and all of its album; the request is this message's.
            own = RequestPart(message.message_id, _sent_at(message))
            arrival = ArrivedPart(own, words, of_album=part.album, answered=part)
        return await self._submitter.enqueue(
            update, [*jobs, self._submitter.job(update, QueueName.MAIN, JobKind.EDIT)], arrival
        )

    async def _part(self, update: Update, source: Message) -> RequestPart:
        file = media.attachment_of(source)
        sender = source.from_user
        is_result = file is not None and sender is not None and sender.id == source.get_bot().id
        refusal = None
        if file is not None:
            refusal = self._limits.refusal(file, await self._submitter.card(update, _message(update)))
        if file is not None and is_result:
            # All results have the same name.
            file = replace(file, name=f"video_{source.message_id}.mp4", is_result=True)
        return RequestPart(
            source.message_id,
            _sent_at(source),
            # Of the project's latest video no bytes are needed, however large it is.
            files=(file,) if file is not None and (refusal is None or is_result) else (),
            album=source.media_group_id or "",
            is_forwarded=source.forward_origin is not None,
            refusal=refusal,
        )

    async def _beside(self, update: Update) -> None:
        """A message in a group that is not for the bot: it may belong to an album, or to forwards, that are."""
        message = _message(update)
        is_several = message.media_group_id is not None or message.forward_origin is not None
        if media.attachment_of(message) is None or not is_several:
            return await self._submitter.note(message)
        prompt = self._submitter.job(update, QueueName.MAIN, JobKind.EDIT)
        await self._submitter.enqueue(
            update, [prompt], ArrivedPart(await self._part(update, message), how="beside")
        )

    async def _edited(self, update: Update, context: Context) -> None:
        """Change a waiting request to its edited words; after it was passed on, offer them as a new one."""
        message = update.edited_message
        if message is None:
            return
        status = await self._submitter.job_queue.asked_in(
            chat_key(message), address_of(message.chat), message.message_id
        )
        text = without_mention(message, context.bot.username)
        text = _EDIT_CAPTION.sub("", text)
        linked = read_links(text)
        if status is None or linked.is_over or token_in(text) is not None:
            return  # No request before, or none now.
        if _COMMAND.match(text) or (media.attachment_of(message) is None and action_for(text) is not None):
            # It is no request, which the agent would be charged for; nor would it be a command in time.
            return await self._submitter.reply(update, LocalizedMessage("edited.command"))
        words = PartText(linked.prompt.strip()[:MAX_PROMPT_CHARS], linked.media)
        offer = self._submitter.job(update, QueueName.QUICK, JobKind.SAY, text=words.text)
        is_over = status.state not in (JobState.QUEUED, JobState.RUNNING)
        if is_over and not words.text:
            return  # What is left has nothing to ask for.
        told = "edited.done" if is_over else "edited.begun" if words.text else "edited.begun_no_words"
        if status.state in (JobState.FAILED, JobState.CANCELLED):
            told = "edited.without_result"
        if words.text and not status.job.text:
            told = "edited.added"  # A file that came without words has them now.
        buttons = (Button("button.run_edited", RunEdited(offer.id)),) if words.text else ()
        # Nobody waits for an answer to a request that has one: it is offered without a sound.
        notice = LocalizedMessage(told, buttons=buttons, quiet=told == "edited.done")
        payload = SayPayload(message=notice, links=words.links, edited_job_id=status.job.id)
        part = RequestPart(message.message_id, _sent_at(message))
        await self._submitter.enqueue(
            update, [replace(offer, payload=payload)], ArrivedPart(part, words, "edited")
        )


def _about(message: Message) -> Message:
    """The message whose file a request is about: its own, or that which it answers."""
    replied = message.reply_to_message
    if media.attachment_of(message) is not None or replied is None or not is_reply(message):
        return message
    sender = replied.from_user
    is_ours = sender is not None and sender.id == message.get_bot().id
    # The pictures that the bot sends are drawings of the timeline.
    is_usable = media.attachment_of(replied) is not None and not (is_ours and replied.photo)
    return replied if is_usable else message


def _sent_at(message: Message) -> int:
    """By Telegram's clock, which counts whole seconds."""
    return int(message.date.timestamp())


def _message(update: Update) -> Message:
    if update.message is None:
        raise TypeError("registered for messages only")
    return update.message
