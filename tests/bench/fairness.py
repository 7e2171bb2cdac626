"""How long others wait for a first sign of life while one chat sends far too much, or the bot's places are all taken.

``CHATS`` people ask for something, ``PER_S`` a second, and nobody has asked before; the first reaction or progress
message counts. In each round such a crowd comes three times to one process of the bot: alone; just after one more chat
has sent ``GREEDY`` requests at once; and while as many jobs as the operator lets run at a time (``WORKER_JOBS``) go on,
so that none of the crowd's may begin. A moment in which others took the machine spoils one round, and the median of the
rounds' ratios leaves it out. The first few of a crowd come while the greedy chat's requests are still being taken in,
and with ``CHATS`` people it is they who make 99 of 100. Both services are the light server of `crowd_server`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator
from statistics import quantiles

from tests.bench.crowd_server import TOKEN, Crowd
from tests.bench.latency import running
from tests.bench.start import CONSOLE_SCRIPT
from tests.bench.table import Figure, ratio

ROUNDS = 3
CHATS, PER_S = 50, 6  # With more a second, the limit on sending is what they wait for.
WARMING_UP = 20
"""Chats that come before any that count."""
GREEDY = 50
WORKER_JOBS = 30
PROMPT = "cut the silence at the beginning"
PATIENCE_S = 120.0


async def measure() -> list[Figure]:
    """99 of 100 first signs of each crowd."""
    crowd, chats, may_end = Crowd(), itertools.count(1_000_000), asyncio.Event()
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
            async with running(CONSOLE_SCRIPT, "run", **settings), _turns_end(crowd, may_end):

                async def quiet() -> float:
                    return await _latest_s(crowd, chats, may_end)

                async def beside_greedy() -> float:
                    greedy = next(chats)
                    for number in range(GREEDY):
                        crowd.write(greedy, f"{PROMPT} {number}")
                    took_s = await _latest_s(crowd, chats, may_end)
                    crowd.leave(greedy)
                    await crowd.until(lambda: not crowd.streams, PATIENCE_S)
                    return took_s

                async def all_places_taken() -> float:
                    may_end.clear()
                    for chat in itertools.islice(chats, WORKER_JOBS):
                        crowd.write(chat, PROMPT)
                    # A job of the greedy chat may be among them until its chat has left.
                    await crowd.until(lambda: len(crowd.streams) >= WORKER_JOBS, PATIENCE_S)
                    return await _latest_s(crowd, chats, may_end)

                await _come(crowd, list(itertools.islice(chats, WARMING_UP)), may_end)
                crowds = {"quiet": quiet, "greedy": beside_greedy, "full": all_places_taken}
                took: dict[str, list[float]] = {name: [] for name in crowds}
                for _, (name, comes) in itertools.product(range(ROUNDS), crowds.items()):
                    took[name].append(await comes())
    return [
        ratio(
            f"first sign for {CHATS} chats {when}, 99 of 100",
            took[name],
            took["quiet"],
            unit="s",
            peer_name="without it",
            goal=2,
            at_least=False,
        )
        for name, when in (
            ("greedy", f"beside one that sends {GREEDY} requests"),
            ("full", f"while all {WORKER_JOBS} jobs that may run at once do"),
        )
    ]


async def _latest_s(crowd: Crowd, chats: itertools.count[int], may_end: asyncio.Event) -> float:
    """Return how long 99 of 100 of new chats waited at most for a first sign."""
    asking = list(itertools.islice(chats, CHATS))
    await _come(crowd, asking, may_end)
    return quantiles([crowd.signs_s[chat] for chat in asking], n=100)[98]


async def _come(crowd: Crowd, chats: list[int], may_end: asyncio.Event) -> None:
    """Let people ask, and wait until all have what they asked for; if turns may not end, only after all asked."""
    for chat in chats:
        crowd.write(chat, PROMPT)
        await asyncio.sleep(1 / PER_S)
    try:
        await crowd.until(lambda: crowd.signs_s.keys() >= set(chats), PATIENCE_S)
        may_end.set()
        await crowd.until(lambda: crowd.answered.issuperset(chats), PATIENCE_S)
    except TimeoutError as error:
        unseen, unanswered = set(chats) - crowd.signs_s.keys(), set(chats) - crowd.answered
        raise RuntimeError(f"no sign for {unseen}, no answer for {unanswered} of {chats}") from error


@contextlib.asynccontextmanager
async def _turns_end(crowd: Crowd, may_end: asyncio.Event) -> AsyncIterator[None]:
    """The agent ends a turn more often than one begins."""
    may_end.set()

    async def end() -> None:
        while True:
            await may_end.wait()
            await asyncio.sleep(1 / (2 * PER_S))
            if crowd.streams and may_end.is_set():
                crowd.end_turn()

    ending = asyncio.create_task(end())
    try:
        yield
    finally:
        ending.cancel()
