"""The command ``nemovideo-bot check``: checks everything that the bot needs and advises what to do."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from redis.exceptions import RedisError

from bot.commands.check_findings import Finding, ok, skipped, wrong
from bot.commands.check_services import LISTEN_S, TelegramCheck, check_nemovideo
from bot.commands.check_store import check_disk, check_store, is_polled
from bot.media.decoder_isolation import NOTHING
from bot.media.decoder_process import NotDecoded, active_isolation
from bot.pictures.lettering import EMOJI_FONT, TEXT_FONT, has_glyph
from bot.projects.guest_account_count import GUEST_ACCOUNTS_PER_WEEK, GuestAccountCounter
from bot.runtime.clock import Clock
from bot.runtime.http import new_client
from bot.runtime.setting_types import revealed
from bot.settings import Settings, WrongSettings
from bot.startup import describe_proxies
from bot.store.connect import open_store
from bot.store.errors import StoreError

GLYPHS = (("fonts: Chinese", TEXT_FONT, "剪"), ("fonts: emoji", EMOJI_FONT, "🎬"))
"""Fonts that timeline pictures are drawn with: name of the check, file, a character that it must have."""


async def run_checks(
    settings: Settings,
    clock: Clock,
    show_progress: Callable[[str], None] = lambda _: None,
    *,
    listen_s: int = LISTEN_S,
) -> list[Finding]:
    """Run all checks. They change nothing, except that the embedded store is started.

    Args:
        settings: The bot's settings.
        clock: Compared with the services' clocks.
        show_progress: Called with a line for each thing that is being checked.
        listen_s: How many seconds to wait for another program that polls Telegram.
    """
    show_progress("Asking the store")
    store, polls_here, guest_accounts = await _check_store(settings, clock)
    show_progress("Asking Telegram and NemoVideo")
    async with (
        new_client(proxy=revealed(settings.telegram_proxy)) as telegram_http,
        new_client(proxy=revealed(settings.nemo_proxy)) as nemo_http,
    ):
        telegram, nemovideo = await asyncio.gather(
            TelegramCheck(telegram_http, settings, clock, listen_s).run(polls_here),
            check_nemovideo(nemo_http, settings, clock, guest_accounts, GUEST_ACCOUNTS_PER_WEEK),
        )
    show_progress("Starting a decoder")
    local = [*check_disk(settings), await _check_decoders()]
    rights = [ok("settings", "valid"), check_spenders(settings), ok("proxies", describe_proxies(settings))]
    return [*rights, *store, *local, *telegram, *nemovideo, *check_fonts()]


def check_spenders(settings: Settings) -> Finding:
    """Report who may use up the credits of ``NEMO_TOKEN``; everybody without a limit is wrong."""
    who = settings.spenders
    is_limited = settings.daily_jobs_per_person and settings.daily_jobs_per_chat
    if settings.is_open_to_all and not is_limited:
        return wrong(
            "credits",
            who,
            "Set DAILY_JOBS_PER_PERSON and DAILY_JOBS_PER_CHAT, or ALLOWED_USERS and ALLOWED_CHATS",
        )
    return ok("credits", who)


def check_without_settings(error: WrongSettings) -> list[Finding]:
    """Run the checks that need no settings, and report which settings are not valid."""
    findings = []
    for line in error.lines:
        name, _, problem = line.partition(": ")
        findings.append(wrong(f"settings: {name}", problem, "Put it right in the environment or in .env"))
    return [*findings, skipped("everything else", "depends on the settings"), *check_fonts()]


async def _check_store(settings: Settings, clock: Clock) -> tuple[list[Finding], bool | None, int | None]:
    """Check the store; also return whether a process on it polls and how many guest accounts were used, if known."""
    redis_url = revealed(settings.redis_url)
    async with contextlib.AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(open_store(redis_url, settings.data_dir))
            findings = await check_store(store.redis, settings)
            guest_accounts = await GuestAccountCounter(store.redis, clock).used_this_week()
            return findings, await is_polled(store.redis), guest_accounts
        except StoreError as error:
            advice = "Start it, or put REDIS_URL right" if redis_url else "See DATA_DIR/valkey/valkey.log"
            return [wrong("store", str(error), advice)], None, None
        except RedisError as error:
            advice = "Give the user in REDIS_URL these rights: ~nemo:* &* +@all -@dangerous -@admin +info"
            return [wrong("store", f"it refuses a command ({type(error).__name__})", advice)], None, None


async def _check_decoders() -> Finding:
    """Check what keeps a decoder that a file took over from everything else."""
    name = "decoders: isolated by"
    try:
        mechanisms = await active_isolation()
    except NotDecoded as error:
        return wrong(name, str(error), "Reinstall the bot; until then videos have no cover and no length")
    if mechanisms == NOTHING:
        return skipped(name, "nothing: this system has no seccomp or Landlock, or refuses them")
    return ok(name, mechanisms)


def check_fonts(glyphs: tuple[tuple[str, Path, str], ...] = GLYPHS) -> list[Finding]:
    """Check that pictures can be drawn with Chinese and emoji.

    Args:
        glyphs: For each check its name, a font, and a character that the font must have.
    """
    findings = []
    for name, font, character in glyphs:
        try:
            is_there = has_glyph(character, font)
        except OSError:
            is_there = False
        problem = f"{font.name} is missing or broken"
        findings.append(ok(name, font.name) if is_there else wrong(name, problem, "Reinstall the bot"))
    return findings
