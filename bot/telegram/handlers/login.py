"""Logging in with an API token.

A message that holds a token is deleted before anything else happens, and the token is stored encrypted.
"""

import re
from dataclasses import replace

from telegram import Message, Update
from telegram.constants import ChatType

from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import JobKind, QueueName
from bot.jobs.payloads import DeleteTokenPayload, LoginPayload
from bot.jobs.position_message import MessageLocation
from bot.telegram.handlers.handler_family import HandlerFamily
from bot.telegram.reading.addressing import message_of, telegram_chat_id_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.group_admins import private_chat_url

LOGIN_START = "login"  # what ``/start`` brings along from the button under a refused ``/login``

# Also right behind a command, where the space was forgotten.
_TOKEN = re.compile(r"nmv_[\w-]{8,}")


class LoginHandlers(HandlerFamily):
    """Handles ``/login``, and tokens wherever else they stand."""

    def register(self) -> None:
        """Add the handlers."""
        self.on_command("login", self._login)

    async def _login(self, update: Update, context: Context) -> None:
        message = message_of(update)
        token = offered_token(message.text or "")
        if token is None:
            return await self._submitter.reply(update, login_how(message, context.bot.username))
        return await self.use_token(update, context, token)

    async def use_token(self, update: Update, context: Context, token: str) -> None:
        """Delete a message with a token in it, and log in with that if the chat is private."""
        message = message_of(update)
        is_private = message.chat.type == ChatType.PRIVATE
        buttons = () if is_private else _to_private_chat(context.bot.username)
        deletion = DeleteTokenPayload(
            message_id=message.message_id,
            deleted=None if is_private else LocalizedMessage("login.deleted_in_group", buttons=buttons),
            kept=LocalizedMessage("login.please_delete", buttons=buttons),
        )
        jobs = [self._submitter.job(update, QueueName.QUICK, JobKind.DELETE_TOKEN, payload=deletion)]
        if is_private:
            login = LoginPayload(encrypted_token=self._submitter.chats.encrypt(token))
            jobs.append(self._submitter.job(update, QueueName.MAIN, JobKind.LOGIN, payload=login))
        # At once: a question that is being answered may hold up the job, which makes sure of it.
        where = MessageLocation(message.chat.id, telegram_chat_id_of(message.chat), message.message_id)
        context.application.create_task(
            self._services.presses.messages.delete(where), update, name="delete token"
        )
        # No answer may quote the message.
        await self._submitter.enqueue(update, [replace(job, message_id=None) for job in jobs])


def token_in(text: str) -> str | None:
    """Return an API token that stands in a text, with or without a command."""
    found = _TOKEN.search(text)
    return found[0] if found else None


def offered_token(text: str) -> str | None:
    """Return the token of a ``/login`` command; whatever follows is one, for the service to judge."""
    _, *words = text.split()
    return token_in(text) or (words[0] if words else None)


def login_how(message: Message, username: str) -> LocalizedMessage:
    """Say how to log in; in a group, where."""
    if message.chat.type == ChatType.PRIVATE:
        return LocalizedMessage("login.how")
    return LocalizedMessage("login.only_private", buttons=_to_private_chat(username))


def _to_private_chat(username: str) -> tuple[Button, ...]:
    return (Button("button.private_chat", url=private_chat_url(username, LOGIN_START)),)
