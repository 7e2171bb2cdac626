"""What a process needs before it takes anything: the store, Telegram and the skill cards."""

import asyncio
import contextlib
import difflib
import importlib
import ssl
from collections.abc import AsyncIterator
from importlib.metadata import version

import structlog
from redis.exceptions import RedisError
from telegram.error import InvalidToken, TelegramError

from bot.chats.chats import STORED_NAMES
from bot.runtime.backoff import Backoff
from bot.runtime.clock import Clock
from bot.runtime.http import tls_context
from bot.runtime.process import Role
from bot.runtime.setting_types import revealed
from bot.runtime.terminal import EXIT_TELEGRAM, CommandError
from bot.settings import Settings
from bot.skills.cards import INSTALL_DIRS, SkillCards, load_cards
from bot.store.connect import Store, open_store, without_secrets
from bot.store.errors import StoreUnreachable
from bot.store.schema import ensure_schema
from bot.telegram.sending.bot import TelegramBot

log = structlog.get_logger(__name__)


MAX_CAUSES = 4


class CannotStart(CommandError):
    """Something has to be put right first; the message is one clear line."""


class TelegramRefuses(CannotStart):
    """Telegram takes the token or the webhook's address for wrong."""

    exit_code = EXIT_TELEGRAM


async def connect_store(
    stack: contextlib.AsyncExitStack, settings: Settings, clock: Clock, stop: asyncio.Event
) -> Store | None:
    """Connect to the store; wait for one that does not answer or takes no writes, as a running process would.

    Args:
        stack: Closes the store.
        settings: Name the store.
        clock: Source of pauses.
        stop: Set to end the waiting.

    Returns:
        The store, or ``None`` if asked to stop first.

    Raises:
        StoreError: It can't be used, and waiting won't help.
    """
    backoff = Backoff()
    while not stop.is_set():
        try:
            async with contextlib.AsyncExitStack() as opened:
                store = await opened.enter_async_context(
                    open_store(revealed(settings.redis_url), settings.data_dir)
                )
                await ensure_schema(store.redis, STORED_NAMES)
                stack.push_async_exit(opened.pop_all())
                return store
        except (StoreUnreachable, RedisError) as error:
            pause_s = backoff.next_s()
            log.warning("app.store_unreachable", problem=str(error), retry_in_s=pause_s)
            await sleep_unless(stop, clock, pause_s)
    return None


@contextlib.asynccontextmanager
async def connected_bot(
    bot: TelegramBot, settings: Settings, clock: Clock, stop: asyncio.Event
) -> AsyncIterator[None]:
    """Have Telegram tell who the bot is; wait while Telegram is away, until asked to stop.

    Raises:
        TelegramRefuses: The token is wrong.
    """
    backoff = Backoff()
    try:
        while not stop.is_set():
            try:
                await bot.initialize()
                break
            except InvalidToken as error:
                raise TelegramRefuses(
                    f"TELEGRAM_BOT_TOKEN is refused by {settings.telegram_api_url}: look it up at @BotFather"
                ) from error
            except TelegramError as error:
                pause_s = backoff.next_s()
                log.warning(
                    "app.telegram_unreachable",
                    address=settings.telegram_api_url,
                    error=type(error).__name__,
                    cause=_cause(error),
                    hint=f"try: curl {settings.telegram_api_url} from this machine; look at DNS, firewall, "
                    "TELEGRAM_API_URL and TELEGRAM_PROXY",
                    retry_in_s=pause_s,
                )
                await sleep_unless(stop, clock, pause_s)
        yield
    finally:
        await bot.shutdown()


def _cause(error: BaseException) -> str:
    """Return the names of the errors below an error: their texts may contain the token."""
    names: list[str] = []
    while (error_below := error.__cause__ or error.__context__) is not None and len(names) < MAX_CAUSES:
        names.append(type(error_below).__name__)
        error = error_below
    return " < ".join(names)


def load_files(settings: Settings) -> tuple[ssl.SSLContext, SkillCards]:
    """Read what takes long and waits for nothing: certificates, skill cards, and the library for Markdown.

    Raises:
        CannotStart: ``SKILLS_DIR`` or ``DEFAULT_SKILL`` names nothing.
    """
    importlib.import_module("telegramify_markdown")
    return tls_context(), load_skill_cards(settings)


def load_skill_cards(settings: Settings) -> SkillCards:
    """Load the packaged skill cards, those that were installed, and the operator's own.

    Raises:
        CannotStart: ``SKILLS_DIR`` or ``DEFAULT_SKILL`` names nothing.
    """
    own = () if settings.skills_dir is None else (settings.skills_dir,)
    for directory in own:
        if not directory.expanduser().is_dir():
            raise CannotStart(f"SKILLS_DIR: {directory} is no directory")
    cards = load_cards((*INSTALL_DIRS, *own), platform=settings.skill_source, default=settings.default_skill)
    for problem in cards.problems:
        log.warning("skills.card_skipped", file=str(problem.path), line=problem.line, reason=problem.reason)
    names = [card.name for card in cards.in_language("en")]
    if cards.get(cards.default) is None:
        nearest = difflib.get_close_matches(cards.default, names, n=1) or names
        raise CannotStart(f"DEFAULT_SKILL: there is no card {cards.default}; did you mean {nearest[0]}?")
    log.info("skills.ready", cards=len(names))
    return cards


def describe_setup(settings: Settings, role: Role, cards: SkillCards) -> dict[str, str]:
    """Return how a process is set up, for one line of its log."""
    own = "embedded" if settings.redis_url is None else without_secrets(settings.redis_url.get_secret_value())
    lists = {"ALLOWED_USERS": settings.allowed_users, "ALLOWED_CHATS": settings.allowed_chats}
    allowed = ", ".join(f"{len(ids)} {name}" for name, ids in lists.items() if ids)
    return {
        "version": version("nemovideo-bot"),
        "role": role,
        "store": own,
        "updates": f"webhook {settings.webhook_url}" if settings.webhook_url else "polling",
        "telegram": settings.telegram_api_url + (" (local mode)" if settings.telegram_local_mode else ""),
        "proxies": describe_proxies(settings),
        "users": allowed or "everybody",
        "admins": str(len(settings.admins)),
        "spenders": settings.spenders,
        "limits": f"{settings.worker_jobs} requests at once, {settings.queue_limit} waiting in a chat, "
        f"{settings.total_queue_limit} in all, {settings.max_upload_mb} MB a file",
        "skills": ", ".join(sorted({card.name for card in cards.in_language("en")})),
        "web": settings.http_listen or "none",
        "encryption": "ENCRYPTION_KEYS" if settings.encryption_keys else "a key in DATA_DIR",
    }


def describe_proxies(settings: Settings) -> str:
    """Return what is reached through which proxy, without passwords."""
    proxies = {"Telegram": revealed(settings.telegram_proxy), "NemoVideo": revealed(settings.nemo_proxy)}
    return ", ".join(f"{name} by {without_secrets(url)}" for name, url in proxies.items() if url) or "none"


async def sleep_unless(stop: asyncio.Event, clock: Clock, duration_s: float) -> None:
    """Sleep, but not longer than until asked to stop."""
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(clock.sleep(duration_s))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
