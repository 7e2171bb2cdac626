"""Before all handlers: whoever may not use the bot is turned away, politely and not over and over."""

from __future__ import annotations

import re

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import ApplicationHandlerStop, CommandHandler, TypeHandler, filters

from bot.chats.access_control import AccessControl
from bot.jobs.messages import LocalizedMessage
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.reading.senders import address_of, owner_id
from bot.telegram.receiving.application import AnyApplication, Context

_BEFORE_ALL = -1
"""The group of handlers that PTB asks first."""

_COMMAND = re.compile(r"/\w+(?:@(?P<bot>\w+))?")


class AccessGuard:
    """Lets updates in, or answers them itself.

    Args:
        submitter: Stores the answers.
        access: Knows who may come in.
    """

    def __init__(self, submitter: JobSubmitter, access: AccessControl) -> None:
        self._submitter = submitter
        self._access = access

    def register(self, application: AnyApplication) -> None:
        """Stand before all other handlers."""
        application.add_handler(TypeHandler(Update, self.look), group=_BEFORE_ALL)

    async def look(self, update: Update, context: Context) -> None:
        """Let an update pass.

        Raises:
            ApplicationHandlerStop: It may not; it was answered, where that was due.
        """
        chat, message = update.effective_chat, update.message
        if chat is None or update.my_chat_member is not None:
            return
        if message is not None and filters.StatusUpdate.ALL.check_update(update):
            # What happened to a chat is nobody's request.
            return
        why = await self._access.refusal(owner_id(update), chat.id, address_of(chat))
        if why is None:
            return
        if update.callback_query is not None:
            await self._submitter.turn_away(update, "toast.not_admitted")
        elif (
            message is not None
            and _is_addressed(update, message, context)
            and await self._access.may_be_told(chat.id, update.update_id)
        ):
            await self._submitter.turn_away(update, LocalizedMessage(f"door.{why}"))
        raise ApplicationHandlerStop


def _is_addressed(update: Update, message: Message, context: Context) -> bool:
    """Whether an answer is expected: in groups to the bot's own commands only."""
    if message.chat.type == ChatType.PRIVATE:
        return True
    command = _COMMAND.match(message.text or message.caption or "")
    if command is None:
        return False
    if command["bot"]:
        return command["bot"].lower() == str(context.bot.username).lower()
    handlers = (handler for group in context.application.handlers.values() for handler in group)
    return any(isinstance(handler, CommandHandler) and handler.check_update(update) for handler in handlers)
