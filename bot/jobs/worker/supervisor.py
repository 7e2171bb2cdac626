"""Keeps a docket worker alive, whatever becomes of the store.

A worker that lost the store takes nothing new until every ticket that it runs has ended, which may be a quarter of an
hour for a long agent turn: all other chats would wait for that one. So a worker without heartbeats is replaced: the new
one takes tickets at once, while the old one runs its own to their end. Their leases run out meanwhile; a ticket that is
delivered again to this process joins the one that is running (see ``JobRunner.work``).

Other processes take over the jobs of a dead process without this module: docket delivers their tickets again after
DEAD_WORKER_S, and ``queue/lua/claim.lua`` gives each ticket its job back.

How a process ends: ``JobRunner.drain``, and ``DRAIN_TIMEOUT_S`` in ``cli.py``.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog
from docket import Docket, Worker
from redis.exceptions import RedisError

from bot.runtime.clock import Clock
from bot.runtime.tasks import cancel

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 1.0  # pause between two checks for heartbeats; docket sends one every 2 s
CHECK_TIMEOUT_S = 2.0  # for one check: docket itself repeats its calls for as long as the store is away
SILENT_S = 6.0  # a worker without a heartbeat for this long is replaced, while the store is reachable
AFTER_OUTAGE_S = 3.0  # the same once the store is back: a worker that takes tickets sends one within 2 s
TAKES_NOTHING_S = 4.0  # a worker whose last heartbeat is older counts as dead
RECONNECT_PAUSE = timedelta(seconds=1)
HANGS_S = (
    60.0  # if no worker has had a heartbeat for this long while the store is reachable, only a restart helps
)


class WorkerSupervisor:
    """Runs one worker that takes tickets, and its predecessors until their tickets end.

    Args:
        docket: Knows the workers' heartbeats.
        new_worker: Creates a worker.
        is_store_there: Whether the store answers the bot's own client, on other connections than docket's.
        clock: Source of time.
    """

    def __init__(
        self,
        docket: Docket,
        new_worker: Callable[[], Worker],
        is_store_there: Callable[[], Awaitable[bool]],
        clock: Clock,
    ) -> None:
        self._docket = docket
        self._new_worker = new_worker
        self._is_store_there = is_store_there
        self._clock = clock
        self._heartbeat_s: float | None = None
        self._excused_s = clock.monotonic_s()  # when there was a heartbeat, or no store for one

    @property
    def is_alive(self) -> bool:
        """Return whether the worker that takes tickets sent a heartbeat recently."""
        return (
            self._heartbeat_s is not None and self._clock.monotonic_s() - self._heartbeat_s < TAKES_NOTHING_S
        )

    @property
    def hangs(self) -> bool:
        """Return whether no worker has sent a heartbeat for long, although it could."""
        return self._clock.monotonic_s() - self._excused_s > HANGS_S

    async def run(self) -> None:
        """Run workers forever; when cancelled, wait for the running tickets."""
        workers: set[asyncio.Task[None]] = set()
        try:
            while True:
                worker, replaced = self._new_worker(), asyncio.Event()
                running = asyncio.create_task(_run(worker, replaced), name=f"worker:{worker.name}")
                workers.add(running)
                silence = asyncio.create_task(self._wait_for_silence(worker), name=f"silence:{worker.name}")
                try:
                    await asyncio.wait({running, silence}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    silence.cancel()
                if running.done():
                    running.result()
                log.warning("supervisor.worker_replaced")
                replaced.set()
                running.add_done_callback(workers.discard)
        finally:
            await cancel(*workers)

    async def _wait_for_silence(self, worker: Worker) -> None:
        last_seen_s: float | None = None
        silent_at_s = self._clock.monotonic_s() + SILENT_S
        while self._clock.monotonic_s() < silent_at_s:
            await self._clock.sleep(CHECK_EVERY_S)
            newest_s = await self._last_heartbeat(worker)
            now_s = self._clock.monotonic_s()
            if newest_s is not None and newest_s != last_seen_s:
                last_seen_s, silent_at_s = newest_s, now_s + SILENT_S
                self._heartbeat_s = self._excused_s = now_s
            elif not await self._is_store_there():
                # Without the store no heartbeat can be seen, and no ticket taken.
                self._heartbeat_s, self._excused_s = None, now_s
                silent_at_s = now_s + AFTER_OUTAGE_S

    async def _last_heartbeat(self, worker: Worker) -> float | None:
        try:
            # docket.workers() reads all names, and fails if one of them isn't text.
            async with asyncio.timeout(CHECK_TIMEOUT_S), self._docket.redis() as redis:
                return await redis.zscore(self._docket.workers_set, worker.name)
        except (RedisError, OSError):  # also a TimeoutError
            return None


def new_worker(docket: Docket, concurrency: int, dead_worker_s: float) -> Worker:
    """Create a worker.

    Args:
        docket: Has the tickets that it takes.
        concurrency: How many it takes at a time.
        dead_worker_s: Seconds of silence after which another worker takes over its tickets.
    """
    return Worker(
        docket,
        name=worker_name(),
        concurrency=concurrency,
        redelivery_timeout=timedelta(seconds=dead_worker_s),
        reconnection_delay=RECONNECT_PAUSE,
        schedule_automatic_tasks=False,
    )


def worker_name() -> str:
    """Return a name for a worker that starts now: host, process, start, and a part of its own."""
    started_s = int(datetime.now(UTC).timestamp())
    return f"{socket.gethostname()}#{os.getpid()}#{started_s}#{uuid4().hex[:8]}"


def up_since(name: str) -> datetime | None:
    """Return when a worker started, by its name; ``None`` if the name has another form."""
    match name.split("#"):
        case [_, _, started_s, _] if started_s.isdecimal():
            return datetime.fromtimestamp(int(started_s), UTC)
    return None


async def _run(worker: Worker, replaced: asyncio.Event) -> None:
    running: asyncio.Task[None] | None = None
    try:
        async with worker:  # Leaving it waits for the tickets that run.
            running = asyncio.create_task(worker.run_forever())
            replacement = asyncio.create_task(replaced.wait())
            try:
                await asyncio.wait({running, replacement}, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
            except asyncio.CancelledError:
                running.cancel()
                raise
            finally:
                replacement.cancel()
    finally:
        await cancel(running)
