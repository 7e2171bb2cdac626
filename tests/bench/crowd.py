"""Thousands of jobs at once in one process of the bot, beside a few: what each takes, and whether others wait for it.

Every chat is new and asks for something in words. Its job is the bot's own from the update to the answer, with store,
queue and progress message; the agent's event stream stays open until those of all chats are. Both services are one
light server in this process (see ``crowd_server.py``).

* **CPU** is that of the bot's process, for all that its jobs do: from the first update until all streams are open and
  all progress messages sent, and from the first end of a stream until every chat has its answer. The embedded store is
  a process of its own and not in it.
* **Memory** is what the process has more, a job, while all streams are open than before; small crowds have warmed
  everything up by then.
* **Answers**: all the time somebody presses a button, five times a second. That goes through store and queue as well;
  what counts is the longest time until the answer. People come, and turns end, ``RATE`` a second, which is more
  than Telegram lets a bot send.

Telegram takes 30 messages a second from a bot, so that thousands of progress messages take more than a minute, and so
do thousands of answers. The bot's clock therefore runs ``SPEED`` times as fast as the machine's, as it does where
conversations are played: that limit and all pauses are so much shorter, and there is more to do at a time. Progress
messages are edited as often as ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop

from bot.app import App
from bot.runtime.logs import configure_logging
from bot.runtime.process import Role, collect_rarely
from bot.settings import load_settings
from bot.telegram.sending import rate_limiter
from tests.bench.crowd_server import TOKEN, Crowd
from tests.bench.process import memory_mb
from tests.bench.table import Figure, alone
from tests.clocks import FastClock

PROMPT = "cut the silence at the beginning"
MANY, FEW = 2000, 20
SMALL_CROWDS = 5
"""After one that does not count."""
RATE = 40
SPEED = 10
PROGRESS_EDIT_S = 3.0
PRESS_EVERY_S = 0.2
HOLD_S = 2.0
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one crowd.

    Args:
        cpu_ms: Of the bot's process, a job.
        memory_kb: Resident, a job.
        latest_s: The longest that a press waited for its answer.
    """

    cpu_ms: float
    memory_kb: float
    latest_s: float


async def measure() -> list[Figure]:
    """Small crowds, then the large one, all in the same process of the bot."""
    crowd, chats = Crowd(), itertools.count(1_000_000)
    async with crowd.served() as url, _bot(url) as pid:
        few = [await _pass(crowd, pid, list(itertools.islice(chats, FEW))) for _ in range(1 + SMALL_CROWDS)]
        many = await _pass(crowd, pid, list(itertools.islice(chats, MANY)))
    few_ms = [one.cpu_ms for one in few[1:]]
    path = f"{MANY} jobs at once"
    return [
        Figure(
            f"{path}: CPU a job",
            f"{many.cpu_ms:.4g} ms",
            f"{FEW} at once: {median(few_ms):.4g} ms",
            many.cpu_ms / median(few_ms),
            many.cpu_ms / max(few_ms),
            many.cpu_ms / min(few_ms),
            "×",
            1.2,
        ),
        alone(f"{path}: memory a job", [many.memory_kb], unit="KB", goal=60),
        alone(f"{path}: latest answer to a press", [many.latest_s], unit="s", goal=1),
    ]


async def _pass(crowd: Crowd, pid: int, chats: list[int]) -> Measures:
    count = len(chats)
    crowd.delays_s.clear()
    sent = crowd.sends
    before_kb, began_s = 1024 * memory_mb(pid), _cpu_s(pid)
    async with _presses(crowd):
        await _evenly(lambda chat: crowd.write(chat, PROMPT), chats)
        await crowd.until(lambda: len(crowd.streams) == count and crowd.sends >= sent + count, PATIENCE_S)
        opened_s = _cpu_s(pid)
        await asyncio.sleep(HOLD_S)
        held_kb, held_s = 1024 * memory_mb(pid), _cpu_s(pid)
        await _evenly(lambda _: crowd.end_turn(), chats)
        await crowd.until(lambda: crowd.ended.issuperset(chats), PATIENCE_S)
        ended_s = _cpu_s(pid)
    cpu_s = opened_s - began_s + ended_s - held_s
    return Measures(1000 * cpu_s / count, (held_kb - before_kb) / count, max(crowd.delays_s))


async def _evenly(do: Callable[[int], None], chats: Iterable[int]) -> None:
    for chat in chats:
        do(chat)
        await asyncio.sleep(1 / RATE)


@contextlib.asynccontextmanager
async def _presses(crowd: Crowd) -> AsyncIterator[None]:
    """Somebody presses a button, over and over."""

    async def press() -> None:
        while True:
            crowd.press(1)
            await asyncio.sleep(PRESS_EVERY_S)

    pressing = asyncio.create_task(press())
    try:
        yield
    finally:
        pressing.cancel()


def _cpu_s(pid: int) -> float:
    """Seconds of a processor that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def _bot(url: str) -> AsyncIterator[int]:
    """The bot in a process of its own, with a clock that is fast; gives its id."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environment = {
            **os.environ,
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": url,
            "NEMO_API_URL": url,
            "NEMO_WEB_URL": url,
            "DATA_DIR": folder,
            "WORKER_JOBS": str(2 * MANY),
            "PROGRESS_EDIT_S": str(SPEED * PROGRESS_EDIT_S),
            "TURN_SILENT_S": "3600",
            "TURN_TOTAL_S": "3600",
            "LOG_LEVEL": "ERROR",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.crowd", env=environment
        )
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def _run_bot() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = load_settings(None)
    configure_logging(settings.log_level, settings.log_format)
    collect_rarely()
    rate_limiter.EDITS_PER_S /= SPEED  # As often as ever.
    await App(settings, FastClock(SPEED), Role.ALL).run(stop)


if __name__ == "__main__":
    uvloop.run(_run_bot())
