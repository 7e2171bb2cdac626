"""How long others wait for a first sign of life while one chat sends far too much, beside a crowd without it.

``CHATS`` people ask for something, ``PER_S`` a second, and nobody has asked before; the first reaction or progress
message counts. In every other crowd one more chat sends ``GREEDY`` requests at once just before. The operator lets
``WORKER_JOBS`` run at a time, hardly more than the crowd needs, so that a place that somebody holds is missed. Both
services are the light server of `crowd_server`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from statistics import quantiles

from tests.bench.crowd_server import TOKEN, Crowd
from tests.bench.latency import running
from tests.bench.start import CONSOLE_SCRIPT
from tests.bench.table import Figure, ratio, take_turns

CHATS, PER_S = 300, 6
GREEDY = 50
WORKER_JOBS = 30
ROUNDS = 1
PROMPT = "cut the silence at the beginning"
PATIENCE_S = 120.0


async def measure() -> list[Figure]:
    """99 of 100 first signs, with and without the greedy chat in turn."""
    crowd, chats = Crowd(), itertools.count(1_000_000)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with crowd.served() as url:
            settings = {
                "TELEGRAM_BOT_TOKEN": TOKEN,
                "TELEGRAM_API_URL": url,
                "NEMO_API_URL": url,
                "NEMO_WEB_URL": url,
                "DATA_DIR": folder,
                "WORKER_JOBS": str(WORKER_JOBS),
                "LOG_LEVEL": "ERROR",
            }
            async with running(CONSOLE_SCRIPT, "run", **settings), _turns_end(crowd):
                contenders = {
                    name: partial(_latest_s, crowd, chats, requests)
                    for name, requests in (("quiet", 0), ("greedy", GREEDY))
                }
                took = await take_turns(contenders, ROUNDS)
    limit = f"{WORKER_JOBS} jobs at once"
    path = f"first sign for {CHATS} chats beside one that sends {GREEDY} requests, {limit}, 99 of 100"
    return [
        ratio(path, took["greedy"], took["quiet"], unit="s", peer_name="without it", goal=2, at_least=False)
    ]


async def _latest_s(crowd: Crowd, chats: itertools.count[int], greedy_requests: int) -> float:
    """Return how long 99 of 100 of new chats waited at most; what the greedy one asked for ends before the next."""
    greedy, *others = itertools.islice(chats, 1 + CHATS)
    for number in range(greedy_requests):
        crowd.write(greedy, f"{PROMPT} {number}")
    for chat in others:
        crowd.write(chat, PROMPT)
        await asyncio.sleep(1 / PER_S)
    await crowd.until(lambda: crowd.ended.issuperset(others), PATIENCE_S)
    crowd.leave(greedy)
    return quantiles([crowd.signs_s[chat] for chat in others], n=100)[98]


@contextlib.asynccontextmanager
async def _turns_end(crowd: Crowd) -> AsyncIterator[None]:
    """The agent ends a turn more often than one begins."""

    async def end() -> None:
        while True:
            await asyncio.sleep(1 / (2 * PER_S))
            if crowd.streams:
                crowd.end_turn()

    ending = asyncio.create_task(end())
    try:
        yield
    finally:
        ending.cancel()
