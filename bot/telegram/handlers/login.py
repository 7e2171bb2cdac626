"""Logging in with an API token, and deleting messages with tokens that were sent for anything else.

A message that holds a token is deleted before anything else happens, and the token is stored encrypted.
"""

from collections.abc import Iterator
from dataclasses import replace

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import ApplicationHandlerStop, MessageHandler, filters

from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import JobKind, MessageLocation
from bot.jobs.payloads import DeleteTokenPayload, LoginPayload
from bot.runtime.tokens import has_bot_token, has_token, token_in
from bot.telegram.handlers.access import AFTER_ACCESS
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler
from bot.telegram.reading.addressing import chat_key_of, message_of, telegram_chat_id_of
from bot.telegram.reading.commands import find_command
from bot.telegram.reading.request import is_from_others, words_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.group_admins import private_chat_url

LOGIN_START = "login"  # what ``/start`` brings along from the button under a refused ``/login``


class _HoldsToken(filters.MessageFilter):
    """A message with a token in it, or in what it answers or quotes."""

    def filter(self, message: Message) -> bool:
        replied = message.reply_to_message
        return any(map(has_token, _texts(message))) or (
            replied is not None and any(map(has_token, _texts(replied)))
        )


class LoginHandlers(HandlerFamily):
    """Handles ``/login``, and all other messages with a token in them."""

    def _handlers(self) -> Handlers:
        return {
            AFTER_ACCESS: [MessageHandler(filters.UpdateType.MESSAGES & _HoldsToken(), self._guard)],
            0: [TextCommandHandler("login", self._login)],
        }

    async def _guard(self, update: Update, context: Context) -> None:
        """Delete a message with a token in it, whatever else it asks for.

        Raises:
            ApplicationHandlerStop: Always; the message goes nowhere else.
        """
        message = update.effective_message
        if message is not None:
            token = None
            # A token that another person wrote would log the reader in to that account.
            if update.message is not None and not is_from_others(message):
                token = token_in(words_of(message))
            await self._delete_token_message(update, context, message, token)
        raise ApplicationHandlerStop

    async def _login(self, update: Update, context: Context) -> None:
        message = message_of(update)
        token = offered_token(message.text or "")
        if token is None:
            return await self._submitter.reply(
                update, login_how(message, context.bot.username, self._services.tokens_link)
            )
        return await self._delete_token_message(update, context, message, token)

    async def _delete_token_message(
        self, update: Update, context: Context, message: Message, login_token: str | None
    ) -> None:
        """Delete the message that holds a token, and log in with the token if the chat is private.

        Args:
            update: The update with the message.
            context: PTB's context.
            message: The message; the one that it answers may hold the token.
            login_token: What to log in with; ``None`` only deletes.
        """
        is_private = message.chat.type == ChatType.PRIVATE
        is_login, holder = is_private and login_token is not None, _holder(message)
        buttons = () if is_private else _to_private_chat(context.bot.username)
        place = "private" if is_private else "group"
        deleted = LocalizedMessage(f"login.deleted_in_{place}", buttons=buttons)
        kept = LocalizedMessage("login.please_delete", buttons=buttons)
        if login_token is None and any(map(has_bot_token, _texts(holder))):
            deleted, kept = (
                LocalizedMessage("login.bot_token_deleted"),
                LocalizedMessage("login.bot_token_kept"),
            )
        deletion = DeleteTokenPayload(
            message_id=holder.message_id, deleted=None if is_login else deleted, kept=kept
        )
        jobs = [self._submitter.job(update, JobKind.DELETE_TOKEN, payload=deletion)]
        if is_private and login_token is not None:
            encrypted = self._chats.encrypt(chat_key_of(message), LoginPayload.use, login_token)
            login = LoginPayload(encrypted_token=encrypted)
            jobs.append(self._submitter.job(update, JobKind.LOGIN, payload=login))
        # Delete it now as well: the job that makes sure of that may have to wait behind another quick job.
        where = MessageLocation(message.chat.id, telegram_chat_id_of(message.chat), holder.message_id)
        context.application.create_task(
            self._services.presses.messages.delete(where), update, name="delete token"
        )
        # No answer may quote the message.
        await self._submitter.enqueue(update, [replace(job, message_id=None) for job in jobs])


def _holder(message: Message) -> Message:
    """Return which message holds the token: this one, or the one that it answers."""
    replied = message.reply_to_message
    return message if replied is None or any(map(has_token, _texts(message))) else replied


def _texts(message: Message) -> Iterator[str]:
    """Yield the texts of a message that handlers may pass on: its own words, and those that it quotes."""
    yield words_of(message)
    if message.quote is not None:
        yield message.quote.text


def offered_token(text: str) -> str | None:
    """Return the token of a ``/login`` command: what looks like one, else the first word, for the service to judge."""
    command = find_command(text)
    words = command.words.split() if command is not None else []
    return token_in(text) or (words[0] if words else None)


def login_how(message: Message, username: str, tokens_link: str) -> LocalizedMessage:
    """Return how to log in, with a link to one's token; in a group, where."""
    if message.chat.type == ChatType.PRIVATE:
        return LocalizedMessage("login.how", buttons=(Button("button.copy_token", url=tokens_link),))
    return LocalizedMessage("login.only_private", buttons=_to_private_chat(username))


def _to_private_chat(username: str) -> tuple[Button, ...]:
    return (Button("button.private_chat", url=private_chat_url(username, LOGIN_START)),)
