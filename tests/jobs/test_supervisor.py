"""Workers with and without heartbeats; what they run ends before they do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from docket import Docket, Worker
from redis.exceptions import ConnectionError as StoreGone

from bot.jobs.worker.supervisor import AFTER_OUTAGE_S, CHECK_EVERY_S, HANGS_S, SILENT_S, WorkerSupervisor
from tests.clocks import PATIENCE_S, HandClock, settle


@dataclass
class Hall:
    """Docket as the supervisor sees it: which workers run, and when each sent its last heartbeat."""

    clock: HandClock
    running: list[str] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    beats: dict[str, float] = field(default_factory=dict)
    is_store_away: bool = False
    is_docket_deaf: bool = False
    made: int = 0
    busy: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def workers_set(self) -> str:
        return "workers"

    @contextlib.asynccontextmanager
    async def redis(self) -> AsyncIterator["Hall"]:
        yield self

    async def zscore(self, _: str, name: str) -> float | None:
        if self.is_store_away or self.is_docket_deaf:
            raise StoreGone if self.is_store_away else TimeoutError
        now_s = self.clock.monotonic_s()
        self.beats.update({name: now_s for name in self.running if name not in self.silent})
        return self.beats.get(name, 0.0) if name in self.running else None

    async def is_store_there(self) -> bool:
        return not self.is_store_away

    def new_worker(self) -> Any:
        self.made += 1
        return FakeWorker(self, f"worker {self.made}")


@dataclass
class FakeWorker:
    hall: Hall
    name: str

    async def __aenter__(self) -> None:
        self.hall.running.append(self.name)

    async def __aexit__(self, *_: object) -> None:
        if (busy := self.hall.busy.get(self.name)) is not None:
            await busy.wait()
        self.hall.running.remove(self.name)

    async def run_forever(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def hall(clock: HandClock) -> Hall:
    return Hall(clock)


@contextlib.asynccontextmanager
async def supervised(hall: Hall) -> AsyncIterator[tuple[WorkerSupervisor, asyncio.Task[None]]]:
    supervisor = WorkerSupervisor(
        cast(Docket, hall), lambda: cast(Worker, hall.new_worker()), hall.is_store_there, hall.clock
    )
    task = asyncio.create_task(supervisor.run())
    await hall.clock.asleep()
    try:
        yield supervisor, task
    finally:
        for busy in hall.busy.values():
            busy.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_worker_with_heartbeats_stays(hall: Hall) -> None:
    async with supervised(hall) as (supervisor, _):
        assert not supervisor.is_alive  # Nobody has heard of it yet.
        await hall.clock.advance(10 * SILENT_S)
        assert supervisor.is_alive
        assert hall.running == ["worker 1"]
    assert hall.running == []


async def test_a_silent_worker_is_replaced_and_ends_what_it_runs(hall: Hall) -> None:
    hall.busy["worker 1"] = asyncio.Event()
    async with supervised(hall) as (supervisor, _):
        await hall.clock.advance(CHECK_EVERY_S)
        hall.silent.add("worker 1")
        await hall.clock.advance(SILENT_S)
        await hall.clock.advance(2 * CHECK_EVERY_S)
        assert supervisor.is_alive
        assert hall.running == ["worker 1", "worker 2"]
        hall.busy["worker 1"].set()
        await settle()
        assert hall.running == ["worker 2"]


async def test_no_worker_is_replaced_while_the_store_is_away(hall: Hall) -> None:
    async with supervised(hall) as (supervisor, _):
        await hall.clock.advance(CHECK_EVERY_S)
        hall.is_store_away = True
        await hall.clock.advance(HANGS_S + SILENT_S)
        assert not supervisor.is_alive
        assert not supervisor.hangs
        assert hall.made == 1


async def test_a_worker_takes_nothing_from_the_first_check_that_misses_the_store(hall: Hall) -> None:
    async with supervised(hall) as (supervisor, _):
        await hall.clock.advance(CHECK_EVERY_S)
        assert supervisor.is_alive
        hall.is_store_away = True
        await hall.clock.advance(CHECK_EVERY_S)
        assert not supervisor.is_alive


async def test_a_worker_that_stays_silent_after_an_outage_is_replaced_sooner(hall: Hall) -> None:
    async with supervised(hall) as (supervisor, _):
        await hall.clock.advance(CHECK_EVERY_S)
        hall.is_store_away = True
        await hall.clock.advance(10 * CHECK_EVERY_S)
        hall.is_store_away = False
        hall.silent.add("worker 1")
        await hall.clock.advance(AFTER_OUTAGE_S + 2 * CHECK_EVERY_S)
        assert hall.made == 2
        assert supervisor.is_alive


async def test_only_a_restart_helps_workers_that_hear_no_store_although_it_is_there(hall: Hall) -> None:
    async with supervised(hall) as (supervisor, _):
        hall.is_docket_deaf = True
        await hall.clock.advance(HANGS_S - CHECK_EVERY_S)
        assert not supervisor.hangs
        assert hall.made <= 1 + HANGS_S / SILENT_S
        await hall.clock.advance(3 * CHECK_EVERY_S)
        assert supervisor.hangs
        hall.is_docket_deaf = False
        await hall.clock.advance(3 * CHECK_EVERY_S)
        assert not supervisor.hangs


async def test_the_end_waits_for_what_runs(hall: Hall) -> None:
    hall.busy["worker 1"] = asyncio.Event()
    async with supervised(hall) as (_, task):
        task.cancel()
        await settle()
        assert not task.done()
        hall.busy["worker 1"].set()
        await asyncio.wait({task}, timeout=PATIENCE_S)
        assert task.done()
        assert hall.running == []
