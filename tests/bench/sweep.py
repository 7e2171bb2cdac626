"""What it costs to look for lost tickets, in the whole fleet, with 100,000 chats and 10,000 waiting jobs, and to count.

The store is a real one; its processor time counts as well as this process's. The jobs have waited for a while, so that
each has the sweep's ticket already; a minute of sweeps is measured, which comes to every queue once.
"""

from __future__ import annotations

import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from redis.asyncio import Redis

from bot.chats.chats import STORED_NAMES
from bot.chats.key import ChatKey
from bot.jobs.model import QueueName
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.sweep import SWEEP_EVERY_S
from bot.jobs.queue.tickets import queue_id
from bot.store import keys
from bot.store.connect import open_store
from bot.store.docket_json import open_docket
from tests.bench.table import Figure
from tests.clocks import HandClock

CHATS, WAITING, SWEEPS = 100_000, 10_000, 12
BATCH = 1000


async def _cpu_s(redis: Redis) -> float:
    info: Any = await redis.info("cpu")
    return time.process_time() + float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


async def _fill(redis: Redis) -> None:
    for start in range(0, CHATS, BATCH):
        async with redis.pipeline(transaction=False) as pipe:
            for number in range(start, start + BATCH):
                chat = ChatKey(number + 1)
                pipe.hset(keys.chat_key(str(chat)), STORED_NAMES["language"], "en")
                if number < WAITING:
                    job = keys.job_key(str(chat), "job")
                    pipe.hset(job, "state", "queued")
                    pipe.rpush(keys.queue_key(str(chat), QueueName.MAIN), "job")
                    pipe.zadd(keys.WAITING_JOBS, {job: 0})
                    pipe.zadd(keys.QUEUES, {queue_id(chat, QueueName.MAIN): 0})
            await pipe.execute()


async def measure() -> list[Figure]:
    """Share of one core, and commands of the store, of a sweep every 5 s; seconds that the figures of `/stats` take."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with (
            open_store(None, Path(folder)) as store,
            open_docket(keys.DOCKET, store.url, timedelta(minutes=1)) as docket,
        ):
            clock = HandClock()
            job_queue = JobQueue(store.redis, docket, clock)
            await _fill(store.redis)
            await job_queue.sweep()
            shares, sent = [], []
            for _ in range(SWEEPS):
                await clock.advance(SWEEP_EVERY_S)
                before: Any = await store.redis.info("stats")
                began_s = await _cpu_s(store.redis)
                added = await job_queue.sweep()
                shares.append(100 * (await _cpu_s(store.redis) - began_s) / SWEEP_EVERY_S)
                after: Any = await store.redis.info("stats")
                sent.append(after["total_commands_processed"] - before["total_commands_processed"])
                if added:
                    raise RuntimeError(f"{added} queues had lost their tickets")
            counts = []
            for _ in range(SWEEPS):
                began_s = time.monotonic()
                await job_queue.statistics.day_totals()
                waiting, _ = await job_queue.statistics.waiting()
                await job_queue.statistics.running()
                counts.append(time.monotonic() - began_s)
                if waiting != WAITING:
                    raise RuntimeError(f"{waiting} jobs wait")
    among = f"{CHATS:,} chats, {WAITING:,} waiting jobs"
    mean = sum(shares) / SWEEPS
    ours = f"{sum(sent) / SWEEPS:,.0f} commands every {SWEEP_EVERY_S:g} s"
    middle = median(counts)
    return [
        Figure(f"sweep: {among}", ours, "", mean, min(shares), max(shares), " % of a core", 1.0),
        Figure(f"/stats: {among}", f"{middle:.3f} s", "", middle, min(counts), max(counts), " s", 1.0),
    ]
