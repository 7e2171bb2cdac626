"""Before all other handlers: ignore updates that aren't for the bot, and refuse people who may not use it."""

import asyncio

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import ApplicationHandlerStop, TypeHandler, filters

from bot.jobs.messages import LocalizedMessage
from bot.runtime.tokens import has_token
from bot.telegram.handlers.button_presses import PressReply
from bot.telegram.handlers.guest_mode import GuestModeHandlers
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler, on_message
from bot.telegram.reading.addressing import (
    chat_key_of,
    is_from_bot,
    message_of,
    requester_id_of,
    telegram_chat_id_of,
)
from bot.telegram.reading.attachments import attachment_of
from bot.telegram.reading.commands import EDIT, find_command
from bot.telegram.reading.request import is_from_others, read_request, words_of
from bot.telegram.receiving.application import Context, FailedUpdate
from bot.words.phrases import action_for

_BEFORE_ACCESS, _BEFORE_ALL, AFTER_ACCESS, BEFORE_COMMANDS = -4, -3, -2, -1
"""The groups of handlers that PTB asks before the ordinary ones. It runs only the first of a group that fits: in
``AFTER_ACCESS``, the apology for a failed update goes before what reads its message."""


class ForwardedCommand(filters.MessageFilter):
    """A forwarded message by somebody else that reads as a command, or in private as words that do what a command does.

    People forward what others wrote, and need not have read it. They may forward their own commands; a forwarded
    request stays a request, with ``/edit`` or without.
    """

    def filter(self, message: Message) -> bool:
        """Return whether a message is one."""
        if not is_from_others(message):
            return False
        text = words_of(message)
        is_private = message.chat.type == ChatType.PRIVATE
        if (command := find_command(text)) is not None:
            return command.name != EDIT
        return is_private and attachment_of(message) is None and action_for(text) is not None


class AccessGuard(HandlerFamily):
    """Passes updates on to the other handlers, stops them, or answers them itself."""

    def _handlers(self) -> Handlers:
        return {
            _BEFORE_ACCESS: [on_message(filters.ALL, self._stop_for_others)],
            _BEFORE_ALL: [TypeHandler(Update, self._check)],
            AFTER_ACCESS: [TypeHandler(FailedUpdate, self._apologize)],
            0: [on_message(ForwardedCommand(), self._forwarded_command)],
        }

    async def _stop_for_others(self, update: Update, context: Context) -> None:
        """Stop commands for other bots, direct messages to channels, and messages that no person has sent."""
        message = message_of(update)
        username, words = context.bot.username, words_of(message)
        command = find_command(words, username)
        is_for_others = command is not None and not command.is_for(username)
        # An answer to direct messages needs ``direct_messages_topic_id`` (Bot API 9.2), which jobs don't have: what is
        # paid for there could not be delivered.
        is_for_others = is_for_others or bool(message.chat.is_direct_messages)
        # One with a token goes on to LoginHandlers, which deletes it.
        is_for_others = is_for_others and not has_token(words)
        if is_for_others or message.is_automatic_forward or is_from_bot(update, context.bot.id):
            await self._submitter.record(message)
            raise ApplicationHandlerStop

    async def _apologize(self, update: Update, context: Context) -> None:
        """Apologize for a fault of the bot, in groups where the message was for it."""
        message, edited = update.message, update.edited_message
        if update.callback_query is not None:
            # What it asks for may be stored.
            self._services.presses.answer(update, context.application, PressReply("toast.not_handled"))
        elif update.guest_message is not None:
            await GuestModeHandlers(self._services).apologize(update)
        elif edited is not None:
            # Reactions and link previews come as edits without a date.
            if edited.edit_date is not None and _is_answered(update, edited, context):
                await self._submitter.reply_alone(update, LocalizedMessage("error.edit_not_handled"))
        elif message is not None and _is_answered(update, message, context):
            mark = f"failed:{message.media_group_id}" if message.media_group_id else update.update_id
            await self._submitter.reply_alone(update, LocalizedMessage("error.not_handled"), mark)
        raise ApplicationHandlerStop

    async def _forwarded_command(self, update: Update, context: Context) -> None:
        message = message_of(update)
        if message.chat.type == ChatType.PRIVATE:
            return await self._submitter.reply(update, LocalizedMessage("error.forwarded_order"))
        return await self._submitter.record(message)

    async def _check(self, update: Update, context: Context) -> None:
        """Pass an update on if its sender may use the bot.

        Raises:
            ApplicationHandlerStop: The sender may not; the answer is on its way, where one is due.
        """
        chat, message = update.effective_chat, update.message
        if chat is None or update.my_chat_member is not None or update.guest_message is not None:
            return  # guest_mode.py checks access itself: a guest request runs in another chat than this.
        if message is not None and filters.StatusUpdate.ALL.check_update(update):
            # An event of a chat isn't anybody's request.
            return
        refusal = self._services.access.why_denied(
            requester_id_of(update), chat.id, telegram_chat_id_of(chat)
        )
        # In one round trip with what the next handlers read: a person waits for the first sign.
        ahead = () if message is None else (self._submitter.chat(update, chat_key_of(message)),)
        reason, *_ = await asyncio.gather(refusal, *ahead)
        if reason is None:
            return
        if update.callback_query is not None:
            self._services.presses.answer(update, context.application, PressReply("toast.not_admitted"))
        elif (
            message is not None
            and _expects_refusal(update, message, context)
            and await self._services.access.may_send_refusal(chat.id, update.update_id)
        ):
            await self._submitter.reply_alone(update, LocalizedMessage(f"access.{reason}"))
        raise ApplicationHandlerStop


def _is_answered(update: Update, message: Message, context: Context) -> bool:
    """Return whether the sender of a message expects an answer; a group's command may be another bot's."""
    request = read_request(message, context.bot.bot)
    return request.is_addressed and (request.command is None or _expects_refusal(update, message, context))


def _expects_refusal(update: Update, message: Message, context: Context) -> bool:
    """Return whether a refusal is expected: in groups to the bot's own commands only."""
    if message.chat.type == ChatType.PRIVATE:
        return True
    command = find_command(message.text or message.caption or "", context.bot.username)
    if command is None:
        return False
    if command.bot:
        return command.is_for(context.bot.username)
    handlers = (handler for group in context.application.handlers.values() for handler in group)
    return any(
        isinstance(handler, TextCommandHandler) and handler.check_update(update) for handler in handlers
    )
