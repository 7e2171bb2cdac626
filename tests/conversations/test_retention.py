"""What requests leave in the store: of what is kept for ever, nothing grows with them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.runtime.clock import SystemClock
from bot.sandbox.botapi.client import People, Person
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import running_bot
from bot.sandbox.services import serve_services
from bot.store import keys
from bot.store.connect import Store

pytestmark = pytest.mark.heavy

PATIENCE_S = 60.0
BOUNDED = {keys.ENDED_JOBS, keys.QUEUES, f"{keys.DOCKET}:stream", f"{keys.QUICK_DOCKET}:stream"}
"""What grows to a bound: the sweep takes out ended jobs after `WHOLE_JOB_TTL_S`, and empty queues; workers take
out their tickets."""

COUNTS = {
    "hash": "HLEN",
    "list": "LLEN",
    "set": "SCARD",
    "zset": "ZCARD",
    "stream": "XLEN",
    "string": "STRLEN",
}


async def kept_for_ever(redis: Any) -> dict[str, int]:
    """Return how much each key without an end holds."""
    counts: dict[str, int] = {}
    async for key in redis.scan_iter():
        kind: Any = await redis.type(key)
        if key not in BOUNDED and await redis.ttl(key) == -1:
            counts[key] = int(await redis.execute_command(COUNTS[kind], key))
    return counts


async def ask(person: Person, redis: Redis) -> None:
    """Ask for a video and for what else there is, and wait until no job is left."""
    await person.open()
    await person.say("make a 1 second video of a cat")
    await person.chat.wait(kind="video", timeout_s=PATIENCE_S)
    for command in ("/credits", "/status", "/settings", "/new"):
        answered = len(await person.chat.messages(from_bots=True, deleted=True))
        await person.say(command)
        await person.chat.wait_all(answered + 1, deleted=True, timeout_s=PATIENCE_S)
    async with asyncio.timeout(PATIENCE_S):
        while await redis.zcard(keys.STARTED_JOBS) or await redis.zcard(keys.WAITING_JOBS):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)


async def test_nothing_that_is_kept_for_ever_grows(store: Store, tmp_path: Path) -> None:
    clock = SystemClock()
    async with (
        serve_services(tmp_path / "services", clock, flood_limits=None) as services,
        People(services.people_url, app=services.telegram_app) as people,
        NemoControl(services.nemo_control_url, services.nemo_app),
        running_bot(services, tmp_path / "bot", clock, redis_url=store.url, render_poll_s=0.1),
    ):
        kept = []
        for name in ("Ann", "Bob", "Cleo"):
            await ask(await people.person(name), store.redis)
            kept.append(await kept_for_ever(store.redis))

    assert kept[2] == kept[1], kept
