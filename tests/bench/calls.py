"""Calls of the Bot API, 256 at once: the bot's way, aiogram 3, and python-telegram-bot as it comes.

The bot's way is all that a send goes through: ``TelegramCalls.call``, PTB's ``Bot`` and the transport of
``bot/runtime/http.py``; not Telegram's flood limits, which would hold it at 30 a second: these calls count as free.
aiogram runs on uvloop too, stock PTB in the loop that it comes with. All send the same text to the same server over
open connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from subprocess import PIPE

from redis.asyncio import Redis
from telegram.constants import ParseMode

from bot.chats.telegram_ids import TelegramIds
from bot.runtime.clock import SystemClock
from bot.runtime.http import Transport, tls_context
from bot.runtime.process import collect_rarely
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.bot import new_bot
from bot.telegram.sending.rate_limiter import RateLimiter, SendPriority
from tests.bench import aiogram_calls, botapi
from tests.bench.aiogram_calls import CHAT, TEXT, TOKEN, calls_a_second
from tests.bench.table import Contender, Figure, ratio, take_turns

ROUNDS = 4
CALLS = 2560
STOCK_CALLS = 512
"""A tenth of the speed wants fewer of them."""

AIOGRAM = ("aiogram==3.31.0", "aiohttp==3.14.5", "uvloop==0.23.0")
"""Not among the project's packages, as it wants an older pydantic; the rest are the bot's versions."""


@contextlib.asynccontextmanager
async def _ours(url: str) -> AsyncIterator[Contender]:
    clock, redis = SystemClock(), Redis()  # never asked: a private chat is where it is
    rate_limiter = RateLimiter(redis, clock)
    collect_rarely()  # As a running bot does.
    async with new_bot(TOKEN, url, lambda: Transport(tls_context()), rate_limiter, local=False) as bot:
        telegram_calls = TelegramCalls(bot, clock, TelegramIds(redis), rate_limiter)

        async def send() -> None:
            await telegram_calls.call(
                CHAT,
                lambda chat_id: bot.send_message(
                    chat_id, TEXT, parse_mode=ParseMode.HTML, rate_limit_args=SendPriority.FREE
                ),
                repeatable=False,
            )

        yield lambda: calls_a_second(send, CALLS)


@contextlib.asynccontextmanager
async def _other(*command: str) -> AsyncIterator[Contender | None]:
    """One that measures itself, in a process of its own; nothing where it can't be had."""
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    told, heard = process.stdin, process.stdout

    async def run() -> float:
        told.write(b"\n")
        return float(await heard.readline())

    try:
        yield run if await heard.readline() else None
    finally:
        told.close()
        await process.wait()


def _aiogram(url: str) -> list[str]:
    packages = [word for name in AIOGRAM for word in ("--with", name)]
    uv = ["uv", "run", "-q", "--no-project", *packages, "--python", sys.executable]
    return [*uv, "python", aiogram_calls.__file__, url, str(CALLS)] if shutil.which("uv") else ["true"]


async def measure() -> list[Figure]:
    """Calls a second, in turn."""
    async with (
        botapi.serve() as url,
        _ours(url) as ours,
        _other(sys.executable, "-m", "tests.bench.stock_calls", url, str(STOCK_CALLS)) as stock,
        _other(*_aiogram(url)) as aiogram,
    ):
        assert stock is not None
        contenders = {"ours": ours, "stock": stock}
        if aiogram is None:
            print("uv is missing, or could not fetch aiogram: its line is left out", file=sys.stderr)
        else:
            contenders["aiogram"] = aiogram
        measured = await take_turns(contenders, ROUNDS)
    peers = [("aiogram", "aiogram 3", 1.3), ("stock", "stock PTB", 10.0)]
    return [
        ratio(
            "Bot API calls, 256 at once",
            measured["ours"],
            measured[name],
            unit="/s",
            peer_name=peer,
            goal=goal,
        )
        for name, peer, goal in peers
        if name in measured
    ]
