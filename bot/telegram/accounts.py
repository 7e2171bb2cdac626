"""Logging in and choosing a language: what the handlers make jobs of, and the messages with their buttons.

A message that holds an API token is deleted before anything else happens, and the token travels encrypted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import structlog
from telegram import Bot, Message
from telegram.constants import ChatType
from telegram.error import BadRequest

from bot.jobs.job import Job, Kind, Lane
from bot.jobs.notices import pack_notice, unpack_notice
from bot.jobs.ports import Button, Notice
from bot.jobs.runner import Run, Step
from bot.telegram.buttons import Action
from bot.telegram.chat_settings import BACK
from bot.telegram.membership import private_chat_url
from bot.telegram.outbox import Outbox
from bot.words import Words, languages

log = structlog.get_logger(__name__)

LOGIN_START = "login"
"""What ``/start`` brings along when somebody came by the button of a refused ``/login``."""

# Also right behind a command, where the space was forgotten.
_TOKEN = re.compile(r"nmv_[\w-]{8,}")


class NewJob(Protocol):
    """Makes a job of the update at hand."""

    def __call__(self, lane: Lane, kind: Kind, *, data: dict[str, Any] | None = None) -> Job:
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


def login_how(message: Message, username: str) -> Notice:
    """How to log in, or where."""
    if message.chat.type == ChatType.PRIVATE:
        return Notice("login.how")
    return Notice("login.only_private", buttons=_to_private_chat(username))


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
    hide: dict[str, Any] = {
        "message": message.message_id,
        "deleted": None if is_private else pack_notice(Notice("login.deleted_in_group", buttons=buttons)),
        "kept": pack_notice(Notice("login.please_delete", buttons=buttons)),
    }
    jobs = [new_job(Lane.TAP, Kind.HIDE, data=hide)]
    if is_private:
        jobs.append(new_job(Lane.EDIT, Kind.LOGIN, data={"token": seal(token)}))
    # No answer may quote the message.
    return [replace(job, message_id=None) for job in jobs]


def hide(bot: Bot, outbox: Outbox) -> Step:
    """The step that deletes a message which should not have been seen."""

    async def step(run: Run) -> None:
        if run.get("hidden") is None:
            await run.save("hidden", await _delete(bot, outbox, run.job))
        notice = run.job.data["deleted" if run.get("hidden") else "kept"]
        if notice is not None:
            await run.front.say("hidden", unpack_notice(notice))

    return step


async def _delete(bot: Bot, outbox: Outbox, job: Job) -> bool:
    message_id = int(job.data["message"])
    if job.place != await outbox.address(job.chat.chat_id):
        return False  # Asked in a group that has become a supergroup since: there the number means another message.
    try:
        await outbox.call(
            job.chat.chat_id, lambda chat_id: bot.delete_message(chat_id, message_id), repeatable=True
        )
    except BadRequest as error:
        if "not found" in error.message.lower():
            return True  # Gone already: by hand, or by an attempt that died right after.
        log.info("accounts.not_deletable", error=error.message)
        return False
    return True


def language_notice(current: str) -> Notice:
    """Every language that has a catalogue, as buttons with their own names, and the way to all settings.

    Args:
        current: The one in use.
    """
    buttons = [_language_button(name, current) for name in languages()]
    return Notice("language.choose", buttons=(*buttons, BACK))


def _language_button(name: str, current: str) -> Button:
    own_name = Words(name).plain("language.name")
    return Button(
        text=f"✓ {own_name}" if name == current else own_name, action=Action.LANGUAGE, argument=name
    )


def _to_private_chat(username: str) -> tuple[Button, ...]:
    return (Button("button.private_chat", url=private_chat_url(username, LOGIN_START)),)
