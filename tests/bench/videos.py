"""A finished video's way to the Bot API: what the bot's process reads, sends and holds, and how long all else waits.

Each delivery runs in a process of its own, after a small one that warms everything up, so that none inherits another's
memory. A sink in a third process is the Bot API.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import uvloop
from telegram import Bot

from bot.chats.telegram_ids import TelegramIds
from bot.jobs.checkpoints import Exported
from bot.jobs.ports import Result
from bot.runtime.clock import SystemClock
from bot.runtime.http import Transport, tls_context
from bot.sandbox.samples import make_video
from bot.store.connect import open_store
from bot.telegram.reading.attachments import LOCAL_SEND_LIMIT
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.bot import new_bot
from bot.telegram.sending.delivery import SEND_TIMEOUT_S, DeliveryOptions, ResultSender
from bot.telegram.sending.rate_limiter import RateLimiter
from bot.telegram.sending.send_once import JobSender
from bot.telegram.sending.sent_messages import SentMessageLog
from tests.bench.process import forget_peak, memory_mb, peak_mb
from tests.bench.servers import SENT_BYTES, serve_sink
from tests.bench.table import Figure, alone
from tests.jobs.conftest import new_job
from tests.telegram.conftest import Notebook

MEGABYTE = 1_000_000
VIDEO_BYTES = 200 * MEGABYTE
ROUNDS = 3
HEARTBEAT_S = 0.002
TOKEN = "4711:bench"
CHAT_ID = 4711

MAX_GROWTH_MB = 8.0
MAX_STALL_MS = 50.0
MAX_PASSED_MB = 1.0
"""Of a video that goes by its path: its picture in two sizes, its caption, and what was read to find them."""

_ANSWER = {
    "ok": True,
    # As getMe reads it, and as sendVideo does.
    "result": {
        "id": 4711, "is_bot": True, "first_name": "Bench", "username": "bench_bot",
        "message_id": 100, "date": 0, "chat": {"id": CHAT_ID, "type": "private"},
        "video": {"file_id": SENT_BYTES, "file_unique_id": "1", "width": 320, "height": 180, "duration": 3},
    },
}  # fmt: skip

Send = Callable[[Path], Awaitable[int]]
"""Sends a video, and gives how many bytes of the call reached the server."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What one delivery took.

    Args:
        grown_mb: Resident memory at its highest, beyond what it was before.
        stalled_ms: The longest time for which nothing else could run.
        passed_mb: Read from files by the process, and what reached the server.
        speed_mb_s: The video's size over the time it took.
    """

    grown_mb: float
    stalled_ms: float
    passed_mb: float
    speed_mb_s: float


_Way = Callable[[str, Path, Path], Passage]


async def measure() -> list[Figure]:
    """Both ways of the bot, and the stock library's."""
    ways: dict[str, _Way] = {
        "path": partial(_by_bot, local=True),
        "multipart": partial(_by_bot, local=False),
        "stock": _by_stock,
    }
    passages: dict[str, list[Passage]] = {name: [] for name in ways}
    loop = asyncio.get_running_loop()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        serve_sink(json.dumps(_ANSWER).encode()) as sink,
    ):
        small = make_video(Path(folder) / "small.mp4")
        large = make_video(Path(folder) / "large.mp4", size_bytes=VIDEO_BYTES)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, spawn, max_tasks_per_child=1) as processes:
            for _ in range(ROUNDS):
                for name, way in ways.items():
                    passages[name].append(await loop.run_in_executor(processes, way, sink.url, small, large))
    return _figures(**passages)


def _figures(path: list[Passage], multipart: list[Passage], stock: list[Passage]) -> list[Figure]:
    beside = f"stock PTB: {_median(stock, 'grown_mb')} MB"
    speeds = f"{_median(multipart, 'speed_mb_s')} MB/s; stock PTB: {_median(stock, 'speed_mb_s')} MB/s"
    name = f"{VIDEO_BYTES // MEGABYTE} MB to the Bot API"
    return [
        alone(
            f"{name}, by path: bytes read and sent",
            [one.passed_mb for one in path],
            unit="MB",
            goal=MAX_PASSED_MB,
        ),
        alone(
            f"{name}, by path: memory",
            [one.grown_mb for one in path],
            unit="MB",
            goal=MAX_GROWTH_MB,
            peer=beside,
        ),
        alone(
            f"{name}, multipart: memory",
            [p.grown_mb for p in multipart],
            unit="MB",
            goal=MAX_GROWTH_MB,
            peer=beside,
        ),
        alone(
            f"{name}, multipart ({speeds}): longest stall",
            [one.stalled_ms for one in multipart],
            unit="ms",
            goal=MAX_STALL_MS,
            peer=f"stock PTB: {_median(stock, 'stalled_ms')} ms",
        ),
    ]


def _median(passages: list[Passage], name: str) -> str:
    return f"{median(getattr(one, name) for one in passages):.4g}"


def _by_bot(url: str, small: Path, large: Path, *, local: bool) -> Passage:
    async def run() -> Passage:
        async with _delivery(url, small.parent, local=local) as deliver:
            return await _watched(deliver, small, large)

    return uvloop.run(run())


@contextlib.asynccontextmanager
async def _delivery(url: str, work_dir: Path, *, local: bool) -> AsyncIterator[Send]:
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        redis = (await stack.enter_async_context(open_store(None, data_dir))).redis
        rate_limiter = RateLimiter(redis, clock)
        bot = new_bot(TOKEN, url, lambda: Transport(tls_context()), rate_limiter, local=local)
        await stack.enter_async_context(bot)
        telegram_calls = TelegramCalls(bot, clock, TelegramIds(redis), rate_limiter)
        delivery = DeliveryOptions(
            local_mode=local,
            max_send_bytes=LOCAL_SEND_LIMIT,
            work_dir=work_dir,
        )

        async def deliver(path: Path) -> int:
            delivered = await ResultSender(
                delivery,
                JobSender(new_job(), Notebook(), telegram_calls, SentMessageLog(redis)),
                "delivered",
                Result(Exported(size_bytes=VIDEO_BYTES, took_s=60.0), path),
                report_progress=lambda _: None,
                send_answer=_no_answer,
            ).run()
            return int(delivered.file_id)

        yield deliver


async def _no_answer() -> None:
    """Send nothing: the result has no answer."""


def _by_stock(url: str, small: Path, large: Path) -> Passage:
    async def run() -> Passage:
        async with Bot(TOKEN, base_url=f"{url}/bot") as bot:

            async def send(path: Path) -> int:
                with path.open("rb") as file:
                    message = await bot.send_video(
                        CHAT_ID, file, read_timeout=SEND_TIMEOUT_S, write_timeout=SEND_TIMEOUT_S
                    )
                return int(message.video.file_id) if message.video else 0

            return await _watched(send, small, large)

    return uvloop.run(run())


async def _watched(send: Send, small: Path, large: Path) -> Passage:
    await send(small)
    longest_s = 0.0
    loop = asyncio.get_running_loop()

    async def beat() -> None:
        nonlocal longest_s
        while True:
            began_s = loop.time()
            await asyncio.sleep(HEARTBEAT_S)
            longest_s = max(longest_s, loop.time() - began_s - HEARTBEAT_S)

    beating = asyncio.create_task(beat())
    await asyncio.sleep(10 * HEARTBEAT_S)
    longest_s, read_before = 0.0, _read_bytes()
    forget_peak()
    before_mb = memory_mb()
    began_s = loop.time()
    arrived = await send(large)
    took_s = loop.time() - began_s
    beating.cancel()
    return Passage(
        grown_mb=peak_mb() - before_mb,
        stalled_ms=longest_s * 1000,
        passed_mb=(_read_bytes() - read_before + arrived) / MEGABYTE,
        speed_mb_s=VIDEO_BYTES / MEGABYTE / took_s,
    )


def _read_bytes() -> int:
    """What this process has read from files so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar:"))
