"""Messages that the bot leaves alone: of other bots, for other bots, and forwarded commands of other people."""

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import ApplicationHandlerStop, filters

from bot.jobs.messages import LocalizedMessage
from bot.runtime.tokens import has_token
from bot.telegram.handlers.handler_family import HandlerFamily, on_message
from bot.telegram.reading.addressing import is_from_bot, message_of
from bot.telegram.reading.attachments import attachment_of
from bot.telegram.reading.commands import EDIT, find_command
from bot.telegram.reading.request import is_from_others, words_of
from bot.telegram.receiving.application import Context
from bot.words.phrases import action_for

_BEFORE_ACCESS = -3
"""The group of handlers that PTB asks before the access guard. Within one group it asks only the first that fits."""


class ForwardedCommand(filters.MessageFilter):
    """A forwarded message that would forget or cancel if its forwarder had written it.

    People forward what others wrote, and need not have read it. Their own commands they may forward; a forwarded
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


class IgnoredMessages(HandlerFamily):
    """Keeps messages from the other handlers."""

    @on_message(filters.ALL, _BEFORE_ACCESS)
    async def _stop_for_others(self, update: Update, context: Context) -> None:
        """Stop what nobody has said to this bot, or what comes from another bot."""
        message = message_of(update)
        # A token in it has to be deleted all the same.
        username = context.bot.username
        command = find_command(message.text or message.caption or "", username)
        is_elses = command is not None and not command.is_for(username) and not has_token(message.text or "")
        if is_elses or message.is_automatic_forward or is_from_bot(update, context.bot.id):
            await self._submitter.record(message)
            raise ApplicationHandlerStop

    @on_message(ForwardedCommand())
    async def _forwarded_command(self, update: Update, context: Context) -> None:
        message = message_of(update)
        if message.chat.type == ChatType.PRIVATE:
            return await self._submitter.reply(update, LocalizedMessage("error.forwarded_order"))
        return await self._submitter.record(message)
