"""From an update that leaves Telegram's server to the first sign that comes back, a reaction or a message; 30 a second.

The whole bot runs, in one process with its embedded store: intake, queue, worker, and Telegram's flood limits,
which 30 messages a second just fill. Each update is a request of somebody new, who gets a reaction and a progress
message; NemoVideo stays at work, so that jobs pile up and their progress messages go on being edited, and none is
answered. The peer is a PTB handler that keeps nothing and answers at once. Both times are the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median, quantiles

import httpx

from tests.bench import botapi
from tests.bench.aiogram_calls import TOKEN
from tests.bench.start import CONSOLE_SCRIPT
from tests.bench.table import Figure, alone

ROUNDS = 3
PER_S = 30
COUNT = 180
"""People who write, in each round."""

PEER_TOKEN = "987654321:" + "B" * 35
PATIENCE_S = 60.0

PTB_BOT = """
import sys
from telegram.ext import ApplicationBuilder, MessageHandler, filters

async def answer(update, context):
    await update.message.reply_text("Hello")

application = ApplicationBuilder().token(sys.argv[1]).base_url(sys.argv[2] + "/bot").build()
application.add_handler(MessageHandler(filters.TEXT, answer))
application.run_polling()
"""


@contextlib.asynccontextmanager
async def running(*command: str | Path, **settings: str) -> AsyncIterator[None]:
    """Run a process with settings in its environment."""
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **settings})
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def first_sign_delays_ms(
    http: httpx.AsyncClient, url: str, token: str, count: int = COUNT
) -> list[float]:
    """Let so many people write; return how long each waited."""
    answer = await http.get(f"{url}/feed/bot{token}/{PER_S}/{count}")
    delays_s: list[float] = answer.json()["result"]
    if len(delays_s) < count:
        raise RuntimeError(f"{count - len(delays_s)} of {count} were not answered")
    return [delay_s * 1000 for delay_s in delays_s]


async def measure() -> list[Figure]:
    """Half of them, and all but one of a hundred; the bot and the peer in turn."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with botapi.serve() as url, httpx.AsyncClient(timeout=PATIENCE_S) as http:
            settings = {
                "TELEGRAM_BOT_TOKEN": TOKEN,
                "TELEGRAM_API_URL": url,
                "NEMO_API_URL": url,
                "NEMO_TOKEN": "of-the-operator",
                "DATA_DIR": folder,
                "LOG_LEVEL": "WARNING",
            }
            rounds: dict[str, list[list[float]]] = {TOKEN: [], PEER_TOKEN: []}
            async with (
                running(CONSOLE_SCRIPT, "run", **settings),
                running(sys.executable, "-c", PTB_BOT, PEER_TOKEN, url),
            ):
                for _ in range(1 + ROUNDS):
                    for token, measured in rounds.items():
                        measured.append(await first_sign_delays_ms(http, url, token))
    figures = []
    for name, percent, goal_ms in (("half", 50, 6.0), ("99 of 100", 99, 12.0)):
        ours, peer = (
            [quantiles(delays, n=100)[percent - 1] for delays in measured[1:]] for measured in rounds.values()
        )
        figures.append(
            alone(
                f"update received → first sign, 30/s, {name}",
                ours,
                unit="ms",
                goal=goal_ms,
                peer=f"PTB handler: {median(peer):.3g} ms",
            )
        )
    return figures
