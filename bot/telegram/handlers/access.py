"""Before all other handlers: people who may not use the bot are refused, and told so once in a while."""

from functools import partial

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import ApplicationHandlerStop, TypeHandler, filters

from bot.jobs.messages import LocalizedMessage
from bot.telegram.handlers.button_presses import PressReply
from bot.telegram.handlers.command_handler import TextCommandHandler
from bot.telegram.handlers.handler_family import HandlerFamily, handles
from bot.telegram.reading.addressing import owner_id, telegram_chat_id_of
from bot.telegram.reading.commands import find_command
from bot.telegram.receiving.application import Context

_BEFORE_ALL = -2  # the group of handlers that PTB asks before the ordinary ones


class AccessGuard(HandlerFamily):
    """Lets updates pass, or answers them itself."""

    @handles(partial(TypeHandler, Update), _BEFORE_ALL)
    async def _check(self, update: Update, context: Context) -> None:
        """Let an update pass if its sender may use the bot.

        Raises:
            ApplicationHandlerStop: The sender may not; the answer is on its way, where one is due.
        """
        chat, message = update.effective_chat, update.message
        if chat is None or update.my_chat_member is not None or update.guest_message is not None:
            return  # A guest's handler looks by itself: the chat is not the one that the request runs in.
        if message is not None and filters.StatusUpdate.ALL.check_update(update):
            # What happened to a chat is nobody's request.
            return
        reason = await self._services.access.refusal(owner_id(update), chat.id, telegram_chat_id_of(chat))
        if reason is None:
            return
        if update.callback_query is not None:
            self._services.presses.answer(update, context.application, PressReply("toast.not_admitted"))
        elif (
            message is not None
            and _is_addressed(update, message, context)
            and await self._services.access.may_send_refusal(chat.id, update.update_id)
        ):
            await self._submitter.refuse_access(update, LocalizedMessage(f"access.{reason}"))
        raise ApplicationHandlerStop


def _is_addressed(update: Update, message: Message, context: Context) -> bool:
    """Return whether an answer is expected: in groups to the bot's own commands only."""
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
