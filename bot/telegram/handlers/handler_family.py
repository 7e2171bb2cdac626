"""What all handlers are made with, and the base of those of one family of commands and buttons."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from telegram import InlineKeyboardMarkup, Message, Update
from telegram.constants import ChatType
from telegram.ext import BaseHandler, CommandHandler, MessageHandler, filters

from bot.chats.access_control import AccessControl
from bot.chats.chats import Chat
from bot.chats.telegram_ids import TelegramIds
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Job, JobKind
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.operator_alerts import OperatorAlerts
from bot.telegram.handlers.button_presses import (
    NO_BUTTONS,
    OLD_JOB,
    ButtonPresses,
    Press,
    PressRefused,
    PressReply,
    ShowView,
    buttons_of,
)
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.permissions import Permissions, is_channel, requester_id_behind
from bot.telegram.reading.addressing import is_reply
from bot.telegram.reading.commands import EDIT, Command, find_command, mentions, without_mention
from bot.telegram.reading.file_refusals import FileRefusals
from bot.telegram.receiving.application import AnyApplication, Context
from bot.telegram.sending.guest_messages import GuestMessages
from bot.telegram.sending.located_messages import View
from bot.words import Words, bounded
from bot.words.phrases import command_for


class TextCommandHandler(CommandHandler[Context, Any]):
    """Handles a command at the beginning of a new text, whether Telegram has made an entity of it or not."""

    def check_update(self, update: object) -> bool | tuple[list[str], bool | dict[str, Any]] | None:
        """See ``CommandHandler``."""
        if not isinstance(update, Update) or (command := text_command(update)) is None:
            return None
        passed = command.name in self.commands and self.filters.check_update(update)
        return (command.words.split(), passed) if passed else None


class CommandInCaption(filters.MessageFilter):
    """A caption that begins with a command, by the person who wrote it: PTB's command handlers read no captions."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def filter(self, message: Message) -> bool:
        """See ``MessageFilter``."""
        command = find_command(message.caption or "", message.get_bot().username)
        return command is not None and command.name == self._name


def text_command(update: Update) -> Command | None:
    """Return the command for this bot that a new text begins with, or is in words; ``None`` if there is none."""
    message = update.message  # Not of an edit: a request is charged once.
    if message is None or not message.text:
        return None
    username = message.get_bot().username
    command = find_command(message.text, username)
    if command is not None and command.name != EDIT:
        return command if command.is_for(username) else None
    name = None
    if command is not None:
        name = command_for(command.words)  # In groups people write /edit before everything.
    elif message.forward_origin is None and _calls_bot(message):
        name = command_for(without_mention(message.text, username))
    if name is not None:
        command = Command(name, f"/{name}", "" if command is None else command.bot, "")
    return command if command is not None and command.is_for(username) else None


def _calls_bot(message: Message) -> bool:
    """Return whether a text without a command is for the bot."""
    bot, replied = message.get_bot(), message.reply_to_message
    answers = replied is not None and is_reply(message) and replied.from_user == bot.bot
    return message.chat.type == ChatType.PRIVATE or answers or mentions(message.text or "", bot.username)


MAX_NAME_CHARS = 40  # of the person who pressed a button

AnyHandler: TypeAlias = BaseHandler[Any, Context, Any]
Handlers: TypeAlias = Sequence[AnyHandler] | dict[int, Sequence[AnyHandler]]
"""Handlers by group, or those of group 0; PTB runs the first handler of a group that fits."""


@dataclass(frozen=True, slots=True)
class HandlerServices:
    """What the handlers use."""

    application: AnyApplication  # PTB's application, to which handlers are added
    submitter: JobSubmitter  # stores jobs, and knows chats, cards and queues
    permissions: Permissions  # decides who may change or stop what
    access: AccessControl  # decides who may use the bot
    refusals: FileRefusals  # decides which files can be used
    telegram_ids: TelegramIds  # translates between the two ids of a migrated group
    presses: ButtonPresses  # reads and answers presses
    guest_mode_messages: GuestMessages  # answers where the bot is a guest
    tokens_link: str  # where people copy their API token
    alerts: OperatorAlerts  # alerts admins to problems
    admins: Collection[int] = ()  # ids of the people who run the bot


class HandlerFamily(ABC):
    """Base of the handlers of one family."""

    def __init__(self, services: HandlerServices) -> None:
        self._services = services
        self._submitter = services.submitter
        self._permissions = services.permissions
        self._job_queue = services.submitter.job_queue
        self._chats = services.submitter.chats
        self._cards = services.submitter.cards
        self._clock = services.submitter.clock
        self._on_press = services.presses.handler

    def register(self) -> None:
        """Add the handlers to the application."""
        self._services.application.add_handlers(self._handlers())

    @abstractmethod
    def _handlers(self) -> Handlers:
        """Return the family's handlers, in the order in which they are asked."""

    async def words_for(self, press: Press) -> Words:
        """Return the texts for the person who pressed a button."""
        return Words(await self._submitter.chat_language(press.update, press.chat))

    async def ensure_may_change(self, press: Press, requester_id: int | None) -> None:
        """Raise `PressRefused` if a button is for this requester and not for the person who pressed it."""
        if not await self._permissions.may_change(press.update, requester_id):
            is_of_channel = is_channel(press.update, requester_id)
            raise PressRefused(PressReply("toast.not_channels" if is_of_channel else "toast.not_yours"))

    async def ensure_may_change_view(self, press: Press) -> None:
        """Raise `PressRefused` if another person asked for the message with the button."""
        await self.ensure_may_change(press, requester_id_behind(press.message))

    async def show_view(self, press: Press, view: View | ShowView) -> PressReply:
        """Show a view in the button's message, for the person who asked for that."""
        await self.ensure_may_change_view(press)
        return PressReply(show=view)

    async def ensure_may_change_settings(self, press: Press, chat: Chat | None = None) -> None:
        """Raise `PressRefused` if the chat's settings leave a change to admins, and none of them has pressed."""
        chat = chat or await self._chats.get(press.chat)
        if not await self._permissions.may_change_settings(press.update, chat):
            raise PressRefused(PressReply("toast.admins_only"))

    async def job_behind(self, press: Press, job_id: str) -> Job:
        """Return the job that a button belongs to; raise `PressRefused` if it is gone, or another person's."""
        status = await self._job_queue.find(press.chat, job_id)
        if status is None:
            raise PressRefused(OLD_JOB)
        await self.ensure_may_change(press, status.job.requester_id)
        return status.job

    async def job_of(self, press: Press, kind: JobKind, **fields: Any) -> Job | None:
        """Make the job that a button asks for, with fields as of `JobSubmitter.job`; ``None`` at its second press."""
        if await self._job_queue.find(press.chat, press.job_id) is not None:
            return None
        fields = {"message_id": press.message.message_id, **fields}
        job = self._submitter.job(press.update, kind=kind, **fields)
        return replace(job, id=press.job_id)

    async def prompt_job(self, press: Press, prompt: str, **fields: Any) -> Job | None:
        """Make the job of a request with these fields of its `EditPayload`; ``None`` at the button's second press."""
        return await self.job_of(
            press, JobKind.EDIT, prompt=prompt, payload=EditPayload(pressed=_trace_of(press), **fields)
        )

    async def saved_job(self, press: Press, held: Job) -> Job | None:
        """Make the job of a request that another job holds; it replies to that job's message, not to the press."""
        job = await self.prompt_job(press, held.prompt)
        return job and replace(
            job,
            message_id=held.message_id,
            telegram_chat_id=held.telegram_chat_id,
            requester_id=held.requester_id,
            is_press=held.is_press,
        )

    async def send_prompt(
        self,
        press: Press,
        job: Job | None,
        toast: str = "toast.sent",
        buttons: InlineKeyboardMarkup = NO_BUTTONS,
    ) -> PressReply:
        """Store the job of a button, if this is its first press; answer with a toast, and leave these buttons."""
        if job is None:
            return PressReply("toast.sent_already")
        if not await self._submitter.enqueue(press.update, [job]):
            return PressReply()
        return PressReply(toast, buttons=buttons)


def on_message(
    which: filters.BaseFilter, handle: Callable[[Update, Context], Coroutine[Any, Any, None]]
) -> AnyHandler:
    """Return the handler of these new messages; PTB's takes edits as well."""
    return MessageHandler(filters.UpdateType.MESSAGE & which, handle)


def _trace_of(press: Press) -> LocalizedMessage | None:
    """Return which button was pressed, and by whom: nothing else in the chat says what the result is for."""
    user, buttons = press.update.effective_user, buttons_of(press.message)
    label = next((button.text for button in buttons if button.callback_data == press.data), "")
    if user is None or not label:
        return None
    return LocalizedMessage(
        "answer.pressed", {"label": label, "name": bounded(user.first_name, MAX_NAME_CHARS)}
    )
