"""What all pressed buttons share: a press is read, handled, and answered in background tasks.

A button may be too old in four ways: its message can't be read any more, or no release knows its data (``handler``
here); its job is gone (``HandlerFamily.job_behind``); its message no longer has it (``Press.button_is_still_there``,
asked where a press would do harm or be charged).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from telegram import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, Update
from telegram.ext import CallbackQueryHandler

from bot.chats.key import ChatKey
from bot.jobs.buttons import CONFIRMING, VERSION, ButtonAction, pack, unpack
from bot.jobs.model import MessageLocation, job_id_of_press
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.reading.addressing import chat_key_of, telegram_chat_id_of
from bot.telegram.receiving.application import AnyApplication, Context
from bot.telegram.sending.located_messages import LocatedMessages, View
from bot.words import Words

NO_BUTTONS = InlineKeyboardMarkup([])


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed button of a message that can be read."""

    update: Update  # the update that brought the press
    message: Message  # the message with the button
    data: str  # the button's callback data

    @property
    def chat(self) -> ChatKey:
        """The chat, and its topic, of the button."""
        return chat_key_of(self.message)

    @property
    def job_id(self) -> str:
        """The id of the job that it asks for: the same when it is pressed twice."""
        action, message = unpack(self.data), self.message
        data = self.data if action is None else pack(action)
        return job_id_of_press(telegram_chat_id_of(message.chat), message.message_id, data)

    @property
    def button_is_still_there(self) -> bool:
        """Whether the message still has this button: a redrawn keyboard or a forged press may lack it."""
        return any(button.callback_data == self.data for button in buttons_of(self.message))

    @property
    def other_buttons(self) -> InlineKeyboardMarkup:
        """The keyboard of the message without the button."""
        return _keyboard_of(self.message, lambda button: button.callback_data != self.data)


def buttons_of(message: Message | None) -> list[InlineKeyboardButton]:
    """Return the buttons under a message."""
    markup = None if message is None else message.reply_markup
    return [] if markup is None else [button for row in markup.inline_keyboard for button in row]


def action_of(button: InlineKeyboardButton) -> ButtonAction | None:
    """Return what a button does; ``None`` for a link."""
    return unpack(button.callback_data) if isinstance(button.callback_data, str) else None


def asks_for_decision(message: Message | None) -> bool:
    """Return whether a message has buttons by which something is decided that words don't decide."""
    return any(isinstance(action_of(button), CONFIRMING) for button in buttons_of(message))


def without_actions(message: Message, *actions: type[ButtonAction]) -> InlineKeyboardMarkup:
    """Return the keyboard of a message without the buttons of these actions."""
    return _keyboard_of(message, lambda button: not isinstance(action_of(button), actions))


def _keyboard_of(message: Message, is_kept: Callable[[InlineKeyboardButton], bool]) -> InlineKeyboardMarkup:
    rows = message.reply_markup.inline_keyboard if message.reply_markup is not None else ()
    kept = [[button for button in row if is_kept(button)] for row in rows]
    return InlineKeyboardMarkup([row for row in kept if row])


ShowView: TypeAlias = Callable[[Words], Awaitable[View]]
"""Makes what a message shows, from what is stored when it is called."""


@dataclass(frozen=True, slots=True)
class PressReply:
    """The response to a press of a button."""

    toast: str = ""  # key of the text of the answer; empty for none
    params: Mapping[str, str] = field(default_factory=dict)  # parameters of that text
    show: View | ShowView | None = None  # what the message shows from now on; ``None`` leaves its text
    buttons: InlineKeyboardMarkup | None = None  # the buttons that stay; ``None`` leaves them as they are
    stopped: tuple[MessageLocation, ...] = ()  # the position messages of waiting jobs that were stopped


OLD_BUTTON = PressReply("toast.old_button")
OLD_JOB = PressReply("toast.old_button", buttons=NO_BUTTONS)
"""The answer to a press of a button whose job is gone."""


class PressRefused(Exception):
    """Nothing is done for this press.

    Args:
        reply: The response.
    """

    def __init__(self, reply: PressReply) -> None:
        super().__init__(reply.toast)
        self.reply = reply


HandlePress: TypeAlias = Callable[[Press, Any], Awaitable[PressReply]]
"""Handles an action: stores what has to be stored, and returns the answer."""


class ButtonPresses:
    """Reads presses and answers them."""

    def __init__(self, submitter: JobSubmitter, messages: LocatedMessages) -> None:
        self._submitter = submitter
        self.messages = messages

    def handler(
        self, handle: HandlePress, *actions: type[ButtonAction]
    ) -> CallbackQueryHandler[Context, None]:
        """Make the handler of these actions."""

        async def on_press(update: Update, context: Context) -> None:
            query = update.callback_query
            if query is None:
                return
            action, message = unpack(query.data), query.message
            # PTB makes a message without text and topic of one that is too old to be read.
            if isinstance(message, Message) and message.is_accessible and isinstance(action, actions):
                try:
                    reply = await handle(Press(update, message, query.data or ""), action)
                except PressRefused as refused:
                    reply = refused.reply
                if asks_for_decision(message) and reply.buttons == NO_BUTTONS:
                    await self._submitter.record_decision(message)
            else:
                reply = OLD_BUTTON
            self.answer(update, context.application, reply)

        names = "|".join(action.name for action in actions)
        return CallbackQueryHandler(on_press, pattern=rf"^{VERSION}:(?:{names})(?::|$)")

    async def answer_unknown(self, update: Update, context: Context) -> None:
        """Handle a press of a button that no release has sent."""
        self.answer(update, context.application, OLD_BUTTON)

    def answer(self, update: Update, application: AnyApplication, reply: PressReply) -> None:
        """Answer a press and redraw its message, in background tasks: both may have to wait for Telegram."""
        query = update.callback_query
        if query is None:
            return
        application.create_task(self._answer(update, query, reply), update, name="press answer")
        if isinstance(query.message, Message):
            redraw = self._redraw(update, query.message, reply)
            application.create_task(redraw, update, name="press redraw")

    async def _answer(self, update: Update, query: CallbackQuery, reply: PressReply) -> None:
        chat = ChatKey(query.message.chat.id if query.message is not None else query.from_user.id)
        if isinstance(query.message, Message):
            chat = chat_key_of(query.message)
        words = Words(await self._submitter.chat_language(update, chat))
        toast = words.plain(reply.toast, **reply.params) if reply.toast else None
        await self.messages.answer(query.id, chat.chat_id, toast)

    async def _redraw(self, update: Update, message: Message, reply: PressReply) -> None:
        chat = chat_key_of(message)
        where = MessageLocation(chat.chat_id, telegram_chat_id_of(message.chat), message.message_id)
        if reply.buttons is not None:
            await self.messages.set_buttons(where, reply.buttons)
        if reply.show is not None:
            await self.show(update, chat, where, reply.show)
        for stopped in reply.stopped:
            await self.messages.close(stopped, Words(await self._submitter.chat_language(update, chat)))

    async def show(
        self, update: Update, chat: ChatKey, where: MessageLocation, view: View | ShowView
    ) -> None:
        """Edit what a message shows, in the chat's language.

        Args:
            update: The update that caused it.
            chat: The chat whose language counts.
            where: The message.
            view: What it shows, or what makes that.
        """

        async def make_view() -> tuple[View, Words]:
            words = Words(await self._submitter.chat_language(update, chat))
            return await view(words) if callable(view) else view, words

        await self.messages.show(where, make_view)
