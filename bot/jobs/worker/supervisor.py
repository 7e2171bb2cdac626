"""Keeps a docket worker at work, whatever becomes of the store.

A worker that lost the store takes nothing new until every task that it runs has ended, which may be a quarter of an
hour for a chat's long turn: all other chats would wait for that one. So a worker that no longer says that it is there
is replaced: the new one takes tickets at once, while the old one sees its own to their end. Their leases run out
meanwhile; a ticket that is delivered again to this process joins the one that is running (see ``Runner.work``).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import structlog
from docket import Docket, Worker
from redis.exceptions import RedisError

from bot.runtime.clock import Clock

log = structlog.get_logger(__name__)

LOOK_S = 1.0
"""Pause between two looks at the worker's signs of life; docket's heartbeats come every 2 s."""

SILENT_S = 6.0
"""Without a sign of life for so long, while the store is there, a worker is replaced."""


class WorkerSupervisor:
    """One worker that takes tickets, and its predecessors that end theirs.

    Args:
        docket: Whose tickets.
        new_worker: Makes a worker.
        clock: For the looks.
    """

    def __init__(self, docket: Docket, new_worker: Callable[[], Worker], clock: Clock) -> None:
        self._docket = docket
        self._new_worker = new_worker
        self._clock = clock
        self._heard_at_s: float | None = None

    @property
    def is_heard(self) -> bool:
        """Whether the worker that takes tickets gave a sign of life lately."""
        return self._heard_at_s is not None and self._clock.monotonic_s() - self._heard_at_s < SILENT_S

    async def run(self) -> None:
        """Work for ever; when cancelled, wait for what is running."""
        shifts: set[asyncio.Task[None]] = set()
        try:
            while True:
                worker, replaced = self._new_worker(), asyncio.Event()
                shift = asyncio.create_task(_work(worker, replaced), name=f"worker:{worker.name}")
                shifts.add(shift)
                silence = asyncio.create_task(self._until_silent(worker), name=f"silence:{worker.name}")
                try:
                    await asyncio.wait({shift, silence}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    silence.cancel()
                if shift.done():
                    shift.result()
                log.warning("crew.worker_replaced")
                replaced.set()
                shift.add_done_callback(shifts.discard)
        finally:
            for shift in shifts:
                shift.cancel()
            await asyncio.gather(*shifts, return_exceptions=True)

    async def _until_silent(self, worker: Worker) -> None:
        seen: datetime | None = None
        seen_s = self._clock.monotonic_s()
        while self._clock.monotonic_s() - seen_s < SILENT_S:
            await self._clock.sleep(LOOK_S)
            try:
                known = await self._docket.workers()
            except (RedisError, OSError):
                seen_s = self._clock.monotonic_s()  # Nobody can be heard while the store is away.
                continue
            newest = next((one.last_seen for one in known if one.name == worker.name), None)
            if newest is not None and newest != seen:
                seen, seen_s = newest, self._clock.monotonic_s()
                self._heard_at_s = seen_s


def worker_name() -> str:
    """A name for a worker that begins now: where, since when, and its own, for a process may have several."""
    began_s = int(datetime.now(UTC).timestamp())
    return f"{socket.gethostname()}#{os.getpid()}#{began_s}#{uuid4().hex[:8]}"


def up_since(name: str) -> datetime | None:
    """When a worker began, by its name; ``None`` for those of other releases."""
    match name.split("#"):
        case [_, _, began_s, _] if began_s.isdecimal():
            return datetime.fromtimestamp(int(began_s), UTC)
    return None


async def _work(worker: Worker, replaced: asyncio.Event) -> None:
    running: asyncio.Task[None] | None = None
    try:
        async with worker:  # Its end waits for the tickets that run.
            running = asyncio.create_task(worker.run_forever())
            told = asyncio.create_task(replaced.wait())
            try:
                await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
            except asyncio.CancelledError:
                running.cancel()
                raise
            finally:
                told.cancel()
    finally:
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
