"""What Telegram shows of the bot: its commands in each kind of chat and language, and its descriptions.

A part is set only when it has changed: Telegram locks out a bot that sets its commands at every start.
"""

import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import LockError, RedisError
from telegram import (
    Bot,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
)
from telegram.error import BadRequest, TelegramError

from bot.job_types import GROUP_ADMIN_MENU, GROUP_MENU, OPERATOR_COMMANDS, PRIVATE_MENU
from bot.runtime.backoff import Backoff
from bot.runtime.clock import Clock
from bot.store import keys
from bot.telegram.sending.rate_limiter import pause_after_s
from bot.words import Words, languages

log = structlog.get_logger(__name__)

START_PAUSE_S = 1.0  # so that the first answers don't wait for all texts of all languages
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 900.0

LOCK_LEASE_S = 60.0  # seconds for which a process may work on one part before another may take over
DEFAULT_LANGUAGE = "en"  # shown to people whose language has no catalogue
_ADMIN_PREFIX = "commands:admin:"  # prefix of the names of the parts for one operator

COMMANDS: dict[BotCommandScope, tuple[str, ...]] = {
    BotCommandScopeAllPrivateChats(): PRIVATE_MENU,
    BotCommandScopeAllGroupChats(): GROUP_MENU,
    BotCommandScopeAllChatAdministrators(): GROUP_ADMIN_MENU,
}
"""The commands of each kind of chat, the most useful first; ``/start`` is a button of Telegram's own."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One thing to set."""

    name: str  # its kind and language
    content: Any  # all that it says
    set: Callable[[], Awaitable[Any]]  # makes the call that sets it
    admin: int | None = None  # the operator whose private chat it is for, once they have begun that


class CommandMenu:
    """Keeps what Telegram shows up to date. Of many processes one does it.

    Args:
        bot: The bot whose commands are set.
        redis: Keeps digests of what was set.
        clock: Source of pauses; tests pass a manual one.
        admins: Ids of the operators.
    """

    def __init__(self, bot: Bot, redis: Redis, clock: Clock, admins: Collection[int] = ()) -> None:
        self._bot = bot
        self._redis = redis
        self._clock = clock
        self._admins = admins

    async def run(self) -> None:
        """Set what has changed, however often Telegram asks to wait; return when all is set."""
        await self._clock.sleep(START_PAUSE_S)
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while True:
            try:
                lock = self._redis.lock(keys.MENU_LOCK, timeout=LOCK_LEASE_S, blocking=False)
                async with lock:
                    return await self._set_all(lock.reacquire)
            except LockError:
                # Another process is setting it; look again whether that has finished.
                await self._clock.sleep(LOCK_LEASE_S)
            except (TelegramError, RedisError) as error:
                log.info("menu.retry_scheduled", error=type(error).__name__)
                await self._clock.sleep(pause_after_s(error, backoff))

    async def _set_all(self, renew_lock: Callable[[], Awaitable[Any]]) -> None:
        for part in self._parts():
            digest = hashlib.sha256(json.dumps(part.content).encode()).hexdigest()
            # With the bot's id: another bot may have used the store before.
            field = f"{self._bot.id}:{part.name}"
            if await self._redis.hget(keys.MENU, field) == digest:
                continue
            await renew_lock()
            try:
                await part.set()
            except BadRequest as error:
                if part.admin is None:
                    raise
                # The operator has not begun a private chat yet: the next start tries again.
                log.info("menu.operator_has_no_chat", admin=part.admin, error=error.message)
                continue
            await self._redis.hset(keys.MENU, field, digest)
            log.info("menu.set", part=part.name)
        await self._remove_former_admins(renew_lock)

    async def _remove_former_admins(self, renew_lock: Callable[[], Awaitable[Any]]) -> None:
        """Remove the operators' commands from the chats of former operators."""
        prefix = f"{self._bot.id}:{_ADMIN_PREFIX}"
        parts: Any = await self._redis.hgetall(keys.MENU)
        for field in parts:
            admin, _, language = field.removeprefix(prefix).partition(":")
            if not field.startswith(prefix) or int(admin) in self._admins:
                continue
            await renew_lock()
            with contextlib.suppress(BadRequest):  # The chat is gone.
                await self._bot.delete_my_commands(BotCommandScopeChat(int(admin)), _code(language))
            await self._redis.hdel(keys.MENU, field)

    def _parts(self) -> Iterator[_Part]:
        bot = self._bot
        for language in languages():
            words = Words(language)
            code = _code(language)
            for scope, names in COMMANDS.items():
                yield self._commands(f"commands:{scope.type}:{language}", scope, names, words)
            for admin in self._admins:
                name = f"{_ADMIN_PREFIX}{admin}:{language}"
                everything = (*PRIVATE_MENU, *OPERATOR_COMMANDS)
                yield self._commands(name, BotCommandScopeChat(admin), everything, words, admin)
            about, short = words.plain("bot.description"), words.plain("bot.short_description")
            yield _Part(f"description:{language}", about, partial(bot.set_my_description, about, code))
            yield _Part(
                f"short_description:{language}", short, partial(bot.set_my_short_description, short, code)
            )

    def _commands(
        self, part: str, scope: BotCommandScope, names: Sequence[str], words: Words, admin: int | None = None
    ) -> _Part:
        commands = [(name, words.plain(f"command.{name}")) for name in names]
        code = _code(words.language)
        set_them = partial(self._bot.set_my_commands, commands, scope=scope, language_code=code)
        return _Part(part, commands, set_them, admin)


def _code(language: str) -> str:
    return "" if language == DEFAULT_LANGUAGE else language
