"""Logging in and choosing a language: what the handlers make jobs of, and the messages with their buttons.

A message that holds an API token is deleted before anything else happens, and the token travels encrypted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import structlog
from telegram import Bot, Message
from telegram.constants import ChatType
from telegram.error import BadRequest

from bot.jobs.buttons import ChooseLanguage
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import Job, JobKind, QueueName
from bot.jobs.payloads import DeleteTokenPayload, LoginPayload, Payload
from bot.jobs.worker.runner import Attempt, Step
from bot.telegram.handlers.chat_settings import BACK
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.group_admins import private_chat_url
from bot.words import Words, languages

log = structlog.get_logger(__name__)

LOGIN_START = "login"
"""What ``/start`` brings along when somebody came by the button of a refused ``/login``."""

# Also right behind a command, where the space was forgotten.
_TOKEN = re.compile(r"nmv_[\w-]{8,}")


class NewJob(Protocol):
    """Makes a job of the update at hand."""

    def __call__(self, queue: QueueName, kind: JobKind, *, payload: Payload | None = None) -> Job:
        """A job of a kind for a lane."""
        ...


def token_in(text: str) -> str | None:
    """An API token that stands in a message, with or without a command."""
    found = _TOKEN.search(text)
    return found[0] if found else None


def offered_token(text: str) -> str | None:
    """The token of a ``/login`` command; whatever follows is one, for the service to judge."""
    _, *words = text.split()
    return token_in(text) or (words[0] if words else None)


def login_how(message: Message, username: str) -> LocalizedMessage:
    """How to log in, or where."""
    if message.chat.type == ChatType.PRIVATE:
        return LocalizedMessage("login.how")
    return LocalizedMessage("login.only_private", buttons=_to_private_chat(username))


def login_jobs(
    message: Message, token: str, new_job: NewJob, seal: Callable[[str], str], username: str
) -> list[Job]:
    """What is done with a message that holds a token: it goes at once, and only in private is the token used.

    Args:
        message: The message.
        token: The token in it.
        new_job: Makes jobs.
        seal: Encrypts.
        username: The bot's.
    """
    is_private = message.chat.type == ChatType.PRIVATE
    buttons = () if is_private else _to_private_chat(username)
    hide = DeleteTokenPayload(
        message_id=message.message_id,
        deleted=None if is_private else LocalizedMessage("login.deleted_in_group", buttons=buttons),
        kept=LocalizedMessage("login.please_delete", buttons=buttons),
    )
    jobs = [new_job(QueueName.TAP, JobKind.HIDE, payload=hide)]
    if is_private:
        login = LoginPayload(encrypted_token=seal(token))
        jobs.append(new_job(QueueName.MAIN, JobKind.LOGIN, payload=login))
    # No answer may quote the message.
    return [replace(job, message_id=None) for job in jobs]


def hide(bot: Bot, telegram_calls: TelegramCalls) -> Step:
    """The step that deletes a message which should not have been seen."""

    async def step(attempt: Attempt) -> None:
        if attempt.get_value("hidden") is None:
            await attempt.save_value("hidden", await _delete(bot, telegram_calls, attempt.job))
        payload = attempt.job.payload_as(DeleteTokenPayload)
        notice = payload.deleted if attempt.get_value("hidden") else payload.kept
        if notice is not None:
            await attempt.responder.send("hidden", notice)

    return step


async def _delete(bot: Bot, telegram_calls: TelegramCalls, job: Job) -> bool:
    message_id = job.payload_as(DeleteTokenPayload).message_id
    if job.place != await telegram_calls.address(job.chat.chat_id):
        return False  # Asked in a group that has become a supergroup since: there the number means another message.
    try:
        await telegram_calls.call(
            job.chat.chat_id, lambda chat_id: bot.delete_message(chat_id, message_id), repeatable=True
        )
    except BadRequest as error:
        if "not found" in error.message.lower():
            return True  # Gone already: by hand, or by an attempt that died right after.
        log.info("accounts.not_deletable", error=error.message)
        return False
    return True


def language_notice(current: str) -> LocalizedMessage:
    """Every language that has a catalogue, as buttons with their own names, and the way to all settings.

    Args:
        current: The one in use.
    """
    buttons = [_language_button(name, current) for name in languages()]
    return LocalizedMessage("language.choose", buttons=(*buttons, BACK))


def _language_button(name: str, current: str) -> Button:
    own_name = Words(name).plain("language.name")
    return Button(text=f"✓ {own_name}" if name == current else own_name, action=ChooseLanguage(name))


def _to_private_chat(username: str) -> tuple[Button, ...]:
    return (Button("button.private_chat", url=private_chat_url(username, LOGIN_START)),)
