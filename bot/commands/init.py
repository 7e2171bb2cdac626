"""The command ``nemovideo-bot init``: asks for what the bot needs, checks it, and writes ``.env``."""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from bot.commands.check_services import NoAnswer, call_telegram, get_operator_credits
from bot.nemo.errors import AuthError, NemoError
from bot.nemo.lenient_json import mapping
from bot.runtime.clock import Clock
from bot.runtime.http import new_client
from bot.runtime.setting_types import revealed
from bot.runtime.terminal import EXIT_WRONG, CommandError
from bot.settings import Settings

Ask = Callable[[str, str], str]
"""Asks a question, with what an empty answer means."""

PAIRING_S = 300.0
LOOK_PAUSE_S = 2.0

_MAX_UPDATES = 100  # as many as one call of getUpdates returns
_PLAIN = re.compile(r"[\w:.,/@%+?&=*\-\[\]]+", re.ASCII)
"""A value that every reader of ``.env`` takes as it is: the bot, compose and systemd."""


_AT_BOTFATHER = {
    "can_join_groups": "/setjoingroups, Enable: so that it can be added to groups",
    "can_read_all_group_messages": "/setprivacy, Disable: so that groups can talk to it without /edit (optional)",
    "supports_inline_queries": '/setinline: for "Share" under videos, and their list in any chat (optional)',
    "supports_guest_queries": "its settings, Guest Mode: to be called into chats it is not in (optional)",
    "has_topics_enabled": "its settings, Threaded Mode: for topics in private chats (optional)",
}
"""What only @BotFather can switch, by the field of ``getMe`` that tells of it."""


class CannotInit(CommandError):
    """The file can't be written, or a service refuses what was given; the message is one line."""

    exit_code = EXIT_WRONG


@dataclass(frozen=True, slots=True)
class Paired:
    """The person who sent the code."""

    name: str  # the person's, or the group's
    user_id: int  # the person
    group_id: int | None  # the group in which it was sent, if any


class SetUp:
    """One run of the command.

    Args:
        settings: What the environment says; it isn't asked for again.
        clock: Source of pauses.
        ask: Asks a question.
        show: Shows a line.
    """

    def __init__(
        self, settings: Settings, clock: Clock, ask: Ask | None, show: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ask = ask
        self._show = show
        self._values = {
            name: value for name in Settings.model_fields if (value := os.environ.get(name.upper()))
        }

    async def run(self, env_file: Path) -> None:
        """Ask, check, and write the file, readable by its owner alone.

        Raises:
            CannotInit: It exists, can't be written, or something that was given is refused.
        """
        if env_file.exists():  # noqa: ASYNC240 - nothing else runs here
            raise CannotInit(f"{env_file} exists: change it there, or move it away first")
        async with (
            new_client(proxy=revealed(self._settings.telegram_proxy)) as telegram,
            new_client(proxy=revealed(self._settings.nemo_proxy)) as nemo,
        ):
            bot = await self._token(telegram)
            await self._account(nemo)
            if self._ask is not None:
                await self._people(telegram, self._ask, str(bot.get("username")))
                self._limits(self._ask)
        _write(env_file, self._values)
        self._show(f"Written: {env_file}. All other settings are in .env.example.")
        for line in at_botfather(bot):
            self._show(line)
        self._show("Start the bot: nemovideo-bot run")

    async def _token(self, http: httpx.AsyncClient) -> Mapping[str, Any]:
        while True:
            if self._settings.telegram_bot_token is None:
                self._set("telegram_bot_token", self._question("Token of the bot, from @BotFather (/newbot)"))
            problem = "it must look like 123456789:AAE…"
            if re.fullmatch(r"\d+:[\w-]+", self._values.get("telegram_bot_token", "").strip()):
                try:
                    answer, _ = await call_telegram(http, self._settings, "getMe")
                except NoAnswer as error:
                    raise CannotInit(f"{self._settings.telegram_api_url} does not answer: {error}") from error
                if answer.get("ok"):
                    bot = mapping(answer.get("result"))
                    self._show(f"✓ {bot.get('first_name')}, @{bot.get('username')}")
                    return bot
                problem = str(answer.get("description"))
            self._refused(f"Telegram refuses the token: {problem}", "telegram_bot_token")

    async def _account(self, http: httpx.AsyncClient) -> None:
        while True:
            if self._settings.nemo_token is None and self._ask is not None:
                token = self._ask("Token of the NemoVideo account that pays (empty: guest accounts)", "")
                if token.strip():
                    self._set("nemo_token", token)
            if self._settings.nemo_token is None:
                return
            try:
                credits = await get_operator_credits(http, self._settings)
            except AuthError:
                self._refused("NemoVideo refuses the token", "nemo_token")
            except (NemoError, TimeoutError):
                self._show(f"✗ {self._settings.nemo_api_url} does not answer: the token could not be checked")
                return
            else:
                left = credits.available
                self._show(f"✓ {'?' if left is None else round(left)} credits")
                return

    async def _people(self, http: httpx.AsyncClient, ask: Ask, bot_name: str) -> None:
        if self._settings.allowed_users or self._settings.allowed_chats:
            return
        users: list[int] = []
        groups: list[int] = []
        wants = ask("Limit the bot to some people and groups? (y/n)", "y")
        while wants.strip().lower().startswith("y"):
            paired = await self._pair(http, bot_name)
            if paired is None:
                self._show("Nobody sent the code. IDs can be added to the file later.")
                break
            if not users:
                self._values["admins"] = str(paired.user_id)
                users.append(paired.user_id)
            if paired.group_id is None and paired.user_id not in users:
                users.append(paired.user_id)
            if paired.group_id is not None and paired.group_id not in groups:
                groups.append(paired.group_id)
            self._show(f"✓ {paired.name}")
            wants = ask("Add somebody else, or a group? (y/n)", "n")
        if users:
            self._set("allowed_users", ",".join(map(str, users)))
        if groups:
            self._set("allowed_chats", ",".join(map(str, groups)))

    async def _pair(self, http: httpx.AsyncClient, bot_name: str) -> Paired | None:
        """Wait for a code that is sent to the bot. No update is confirmed: the bot gets all of them later."""
        code = secrets.token_urlsafe(9)
        is_first = "admins" not in self._values
        self._show("Open a link; the first one makes you the bot's admin:" if is_first else "Open a link:")
        self._show(f"  a person:  https://t.me/{bot_name}?start={code}")
        self._show(f"  a group:   https://t.me/{bot_name}?startgroup={code}")
        ends_s = self._clock.monotonic_s() + PAIRING_S
        while self._clock.monotonic_s() < ends_s:
            answer, _ = await call_telegram(http, self._settings, "getUpdates", limit=_MAX_UPDATES)
            updates = answer.get("result")
            if not isinstance(updates, list):
                raise CannotInit(f"Telegram gives no updates: {answer.get('description')}")
            for update in updates:
                if (paired := read_pairing(mapping(mapping(update).get("message")), code)) is not None:
                    return paired
            if len(updates) == _MAX_UPDATES:
                raise CannotInit("Too many messages wait for the bot: run it once, and try again")
            await self._clock.sleep(LOOK_PAUSE_S)
        return None

    def _limits(self, ask: Ask) -> None:
        if not self._settings.nemo_token:
            return
        default = str(self._settings.daily_jobs_per_person)
        questions = {
            "daily_jobs_per_person": ("Requests a day for each person (0: unlimited)", default),
            "daily_credits": ("Credits a day for all together (0: unlimited)", "0"),
        }
        for name, (question, assumed) in questions.items():
            if name in self._values:
                continue
            while not (amount := ask(question, assumed).strip()).isdecimal() or int(amount) > 1_000_000:
                self._show("✗ A number from 0 to 1000000")
            self._values[name] = amount

    def _question(self, text: str) -> str:
        if self._ask is None:
            raise CannotInit("TELEGRAM_BOT_TOKEN is not set")
        return self._ask(text, "")

    def _refused(self, problem: str, name: str) -> None:
        """Forget a value and show why, so that it is asked for again.

        Raises:
            CannotInit: Nobody can be asked.
        """
        if self._ask is None:
            raise CannotInit(problem)
        self._show(f"✗ {problem}")
        self._values.pop(name, None)
        self._settings = self._settings.model_copy(update={name: None})

    def _set(self, name: str, value: str) -> None:
        value = value.strip()
        self._values[name] = value
        typed: object = SecretStr(value)
        if name.startswith("allowed"):
            typed = tuple(map(int, value.split(",")))
        self._settings = self._settings.model_copy(update={name: typed})


def read_pairing(message: Mapping[str, Any], code: str) -> Paired | None:
    """Return who sent a code: ``/start CODE``, which a link sends, or the code alone."""
    words = str(message.get("text") or "").split()
    if not words or not secrets.compare_digest(words[-1].encode(), code.encode()):
        return None
    sender, chat = mapping(message.get("from")), mapping(message.get("chat"))
    user_id, chat_id = sender.get("id"), chat.get("id")
    if not isinstance(user_id, int) or not isinstance(chat_id, int):
        return None
    if chat.get("type") == "private":
        return Paired(f"{sender.get('first_name')}, ID {user_id}", user_id, None)
    return Paired(f"{chat.get('title')}, ID {chat_id}", user_id, chat_id)


def at_botfather(bot: Mapping[str, Any]) -> list[str]:
    """Return what only @BotFather can change, each with what it is good for."""
    return [
        f"@BotFather, {line}"
        for flag, line in _AT_BOTFATHER.items()
        if not bot.get(flag, flag == "can_join_groups")
    ]


def _write(env_file: Path, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if not _PLAIN.fullmatch(value):
            raise CannotInit(f"{name.upper()}: write it into {env_file} by hand, in quotes")
    text = "".join(f"{name.upper()}={value}\n" for name, value in values.items())
    try:
        descriptor = os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CannotInit(f"{env_file} can't be written: {error.strerror}") from error
