"""From the start of the process to the answer to an update that waited, as ``nemovideo-bot run`` has it.

The bot runs with the embedded store, once on an empty data directory and once on the one that the round before left;
beside it the smallest python-telegram-bot that polls and answers. Bytecode is warm after the round that does not count.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bot.sandbox.botapi.client import People
from bot.sandbox.services import Services, serve_services
from tests.bench.table import Figure, alone, take_turns

ROUNDS = 5
GOAL_S = 0.6
PATIENCE_S = 60.0

CONSOLE_SCRIPT = Path(sys.executable).with_name("nemovideo-bot")
"""What ``uv run nemovideo-bot`` starts."""

SMALLEST_BOT = """
import sys
from telegram.ext import ApplicationBuilder, CommandHandler

async def start(update, context):
    await update.message.reply_text("Hello")

application = ApplicationBuilder().token(sys.argv[1]).base_url(sys.argv[2] + "/bot").build()
application.add_handler(CommandHandler("start", start))
application.run_polling()
"""


def _with_bytecode(environment: dict[str, str]) -> dict[str, str]:
    """This process's environment with a bot's; bytecode is kept as usual, without which a start takes twice as long."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**ours, **environment}


async def _first_answer_s(
    services: Services, command: Sequence[str | Path], environment: dict[str, str]
) -> float:
    """Seconds from the start of a bot's process until it answered somebody who had written before."""
    async with People(services.people_url) as people:
        ada = await people.person("Ada")
        await ada.start()
        waiting = asyncio.create_task(ada.chat.wait(timeout_s=PATIENCE_S))
        began_s = time.monotonic()
        process = await asyncio.create_subprocess_exec(*command, env=_with_bytecode(environment))
        try:
            await waiting
            return time.monotonic() - began_s
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def measure() -> list[Figure]:
    """The bot with a new store and with one that is there, and the smallest bot."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with serve_services(Path(folder) / "services", flood_limits=None) as services:

            async def bot(data_dir: str) -> float:
                environment = {
                    "TELEGRAM_BOT_TOKEN": services.token,
                    "TELEGRAM_API_URL": services.telegram_url,
                    "NEMO_API_URL": services.nemo_url,
                    "NEMO_WEB_URL": services.nemo_url,
                    "DATA_DIR": data_dir,
                    "LOG_LEVEL": "ERROR",
                }
                return await _first_answer_s(services, [CONSOLE_SCRIPT, "run"], environment)

            async def on_new_store() -> float:
                return await bot(tempfile.mkdtemp(dir=folder))

            async def on_old_store() -> float:
                return await bot(f"{folder}/kept")

            async def smallest() -> float:
                command = [sys.executable, "-c", SMALLEST_BOT, services.token, services.telegram_url]
                return await _first_answer_s(services, command, {})

            took = await take_turns({"new": on_new_store, "old": on_old_store, "smallest": smallest}, ROUNDS)
    peer = f"smallest PTB bot: {median(took['smallest']):.3g} s"
    return [
        alone("start to first answer, new store", took["new"], unit="s", goal=GOAL_S, peer=peer),
        alone("start to first answer, store kept", took["old"], unit="s", goal=GOAL_S, peer=peer),
    ]
