"""What ``nemovideo-bot check`` does: looks at everything that the bot needs, and says what to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from redis.exceptions import RedisError

from bot.commands.check_findings import Finding, not_asked, ok, wrong
from bot.commands.check_services import LISTEN_S, TelegramLook, look_at_nemovideo
from bot.commands.check_store import is_polled, look_at_disk, look_at_store
from bot.pictures.lettering import EMOJI_FONT, TEXT_FONT, has_glyph
from bot.projects.guest_accounts import GUEST_ACCOUNTS_PER_WEEK, GuestAccountCounter
from bot.runtime.clock import Clock
from bot.runtime.http import new_client
from bot.settings import Settings, WrongSettings
from bot.store.connect import open_store
from bot.store.errors import StoreError

GLYPHS = (("fonts: Chinese", TEXT_FONT, "剪"), ("fonts: emoji", EMOJI_FONT, "🎬"))
"""What the pictures of timelines are lettered with, and a character of each."""


async def examine(
    settings: Settings,
    clock: Clock,
    tell: Callable[[str], None] = lambda _: None,
    *,
    listen_s: int = LISTEN_S,
) -> list[Finding]:
    """Look at everything, and change nothing but what a start of the embedded store changes.

    Args:
        settings: Those of the bot.
        clock: Its time.
        tell: Is told what is being done.
        listen_s: How long another program that polls Telegram is waited for.
    """
    tell("Asking the store")
    store, polls_here, guests = await _store(settings, clock)
    tell("Asking Telegram and NemoVideo")
    async with new_client() as telegram_http, new_client() as nemo_http:
        telegram, nemovideo = await asyncio.gather(
            TelegramLook(telegram_http, settings, clock, listen_s).look(polls_here),
            look_at_nemovideo(nemo_http, settings, clock, guests, GUEST_ACCOUNTS_PER_WEEK),
        )
    return [ok("settings", "right"), *store, *look_at_disk(settings), *telegram, *nemovideo, *look_at_fonts()]


def without_settings(error: WrongSettings) -> list[Finding]:
    """What can be said where the settings can't be used: what is wrong with them, and little more."""
    found = []
    for line in error.lines:
        name, _, problem = line.partition(": ")
        found.append(wrong(f"settings: {name}", problem, "Put it right in the environment or in .env"))
    return [*found, not_asked("everything else", "hangs on the settings"), *look_at_fonts()]


async def _store(settings: Settings, clock: Clock) -> tuple[list[Finding], bool | None, int | None]:
    """The store; whether a process on it polls, and how many guest accounts were given, if that is known."""
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    async with contextlib.AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(open_store(redis_url, settings.data_dir))
            found = await look_at_store(store.redis, settings)
            guests = await GuestAccountCounter(store.redis, clock).used_this_week()
            return found, await is_polled(store.redis), guests
        except StoreError as error:
            advice = (
                "Start it, or put REDIS_URL right"
                if redis_url
                else "See what stands in DATA_DIR/valkey/valkey.log"
            )
            return [wrong("store", str(error), advice)], None, None
        except RedisError as error:
            advice = "Give the user in REDIS_URL all rights on the keys nemo:*, and INFO"
            return [wrong("store", f"it refuses a command ({type(error).__name__})", advice)], None, None


def look_at_fonts(glyphs: tuple[tuple[str, Path, str], ...] = GLYPHS) -> list[Finding]:
    """Whether pictures can be lettered in Chinese and with emoji.

    Args:
        glyphs: What each finding is called, its font, and a character that this must have.
    """
    found = []
    for name, font, character in glyphs:
        try:
            is_there = has_glyph(character, font)
        except OSError:
            is_there = False
        lack = f"{font.name} is missing or broken"
        found.append(ok(name, font.name) if is_there else wrong(name, lack, "Install the bot anew"))
    return found
