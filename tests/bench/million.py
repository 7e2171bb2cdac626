"""What a million known chats and 100,000 waiting requests cost: memory, and whether anything gets slower by them.

The chats are copies of one that the bot saved itself; the requests went through its queue. Everything is measured in
turn on a store that holds them and on an empty one, both embedded ones of this process. The bot is a process that
receives (``run --role intake``): a worker would begin to work the requests off. Each update is a request of somebody
new, and its first sign is the reaction.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from statistics import quantiles

import httpx
from cryptography.fernet import Fernet

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.chats.token_cipher import TokenCipher
from bot.commands.check_store import check_store
from bot.jobs.queue.job_queue import JobQueue
from bot.runtime.clock import SystemClock
from bot.settings import Settings
from bot.store import keys
from bot.store.connect import Store, open_store
from bot.store.docket_json import open_docket
from tests.bench import botapi
from tests.bench.latency import PATIENCE_S, first_sign_delays_ms, running
from tests.bench.start import CONSOLE_SCRIPT
from tests.bench.stored import save_chat, used_bytes, waiting_job
from tests.bench.table import Figure, ratio, take_turns

CHATS, WAITING, ROUNDS = 1_000_000, 100_000, 5
FIRST_CHAT = 5_000_000_000
COPIES = 10_000
"""Chats that one script makes."""
AT_ONCE = 50

_COPY = """
local dump = redis.call('DUMP', KEYS[1])
for number = ARGV[2] + 1, ARGV[2] + ARGV[3] do
  redis.call('RESTORE', string.gsub(KEYS[1], ARGV[1], string.format('%.0f', number)), ARGV[4], dump)
end
"""

_TOKENS = {name: f"{number}:{'A' * 35}" for number, name in ((123456, "full"), (123457, "empty"))}
"""Each store has its own, whose updates are numbered on from phase to phase: a repeated number would be dropped."""


async def measure() -> list[Figure]:
    """Bytes of each, and how much longer first signs, a start and a check take."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        full = await stack.enter_async_context(open_store(None, folder / "full"))
        empty = await stack.enter_async_context(open_store(None, folder / "empty"))
        chat_bytes, job_bytes = await _fill(full)
        url = await stack.enter_async_context(botapi.serve())
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=PATIENCE_S))
        figures = []
        for path, unit, goal, contender in (
            ("update received → first sign, 30/s, 99 of 100", "ms", 1.2, _first_signs_of),
            ("start to first sign", "s", 1.1, _start_of),
            ("check of the store", "s", 1.2, _check_of),
        ):
            async with AsyncExitStack() as bots:
                contenders = {
                    name: await contender(bots, store, http, url, folder / "data" / name)
                    for name, store in (("full", full), ("empty", empty))
                }
                took = await take_turns(contenders, ROUNDS)
            figures.append(
                ratio(
                    f"a million chats, {WAITING:,} waiting requests: {path}",
                    took["full"],
                    took["empty"],
                    unit=unit,
                    peer_name="empty store",
                    goal=goal,
                    at_least=False,
                )
            )
    return [
        Figure("a million chats: a chat", "bytes", "", chat_bytes, chat_bytes, chat_bytes, " B", 400),
        Figure("100,000 waiting: a request", "bytes", "", job_bytes, job_bytes, job_bytes, " B", 1500),
        *figures,
    ]


async def _fill(store: Store) -> tuple[float, float]:
    """Return the bytes that a chat takes, and those of a waiting request."""
    redis = store.redis
    used = [await used_bytes(redis)]
    await save_chat(Chats(redis, TokenCipher([Fernet.generate_key().decode()])), ChatKey(FIRST_CHAT))
    saved = [key for key in await redis.keys("*") if str(FIRST_CHAT) in key]
    for key in saved:
        ttl_ms = max(0, await redis.pttl(key))
        for start in range(0, CHATS - 1, COPIES):
            copies = min(COPIES, CHATS - 1 - start)
            await redis.eval(_COPY, 1, key, str(FIRST_CHAT), FIRST_CHAT + start, copies, ttl_ms)
    used.append(await used_bytes(redis))
    async with open_docket(keys.DOCKET, store.url, timedelta(minutes=1)) as docket:
        job_queue = JobQueue(redis, docket, SystemClock(), total_limit=2 * WAITING)
        for start in range(0, WAITING, AT_ONCE):
            numbers = range(start, start + AT_ONCE)
            jobs = ([waiting_job(ChatKey(FIRST_CHAT + number))] for number in numbers)
            await asyncio.gather(*map(job_queue.enqueue, jobs, numbers))
    used.append(await used_bytes(redis))
    return (used[1] - used[0]) / CHATS, (used[2] - used[1]) / WAITING


def _settings(store: Store, url: str, data_dir: Path) -> dict[str, str]:
    return {
        "TELEGRAM_BOT_TOKEN": _TOKENS[data_dir.name],
        "TELEGRAM_API_URL": url,
        "NEMO_API_URL": url,
        "NEMO_TOKEN": "of-the-operator",
        "REDIS_URL": store.url,
        "DATA_DIR": str(data_dir),
        "TOTAL_QUEUE_LIMIT": str(2 * WAITING),
        "LOG_LEVEL": "WARNING",
    }


async def _first_signs_of(
    bots: AsyncExitStack, store: Store, http: httpx.AsyncClient, url: str, data_dir: Path
) -> Callable[[], Awaitable[float]]:
    settings = _settings(store, url, data_dir)
    await bots.enter_async_context(running(CONSOLE_SCRIPT, "run", "--role", "intake", **settings))

    async def slowest_ms() -> float:
        return quantiles(await first_sign_delays_ms(http, url, settings["TELEGRAM_BOT_TOKEN"]), n=100)[98]

    return slowest_ms


async def _start_of(
    _bots: AsyncExitStack, store: Store, http: httpx.AsyncClient, url: str, data_dir: Path
) -> Callable[[], Awaitable[float]]:
    settings = _settings(store, url, data_dir)

    async def start_s() -> float:
        began_s = time.monotonic()
        async with running(CONSOLE_SCRIPT, "run", "--role", "intake", **settings):
            await first_sign_delays_ms(http, url, settings["TELEGRAM_BOT_TOKEN"], 1)
            return time.monotonic() - began_s

    return start_s


async def _check_of(
    _bots: AsyncExitStack, store: Store, _http: httpx.AsyncClient, _url: str, data_dir: Path
) -> Callable[[], Awaitable[float]]:
    settings = Settings.model_validate({"redis_url": store.url, "data_dir": data_dir})

    async def check_s() -> float:
        began_s = time.monotonic()
        await check_store(store.redis, settings)
        return time.monotonic() - began_s

    return check_s
