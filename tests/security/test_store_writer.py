"""Whoever can write to the store neither runs code in the bot, nor ends its processes."""

import asyncio
import json
import pickle
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docket as docket_package
import pytest
from docket import Docket
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bot.chats.key import ChatKey
from bot.jobs.model import QueueName
from bot.jobs.queue.packed_request import pack
from bot.jobs.queue.tickets import queue_id
from bot.jobs.worker.attempt import Attempt
from bot.runtime.clock import SystemClock
from bot.runtime.tasks import in_background
from bot.store import keys
from bot.store.connect import Store
from tests.clocks import PATIENCE_S, eventually
from tests.jobs.conftest import CHAT, Responders, new_job, working, workplace


@pytest.fixture
def clock() -> SystemClock:
    """The real time: a job waits for its position message, which another ticket may be sending."""
    return SystemClock()


@pytest.fixture
def responders() -> Responders:
    return Responders()


EDIT = queue_id(ChatKey(CHAT.chat_id + 1, None), QueueName.MAIN)
"""Of another chat: of two tickets that docket does not know, both may take up the same job."""


class Injected:
    """Runs code where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._mark,)


def ticket(**changed: bytes) -> dict[str, bytes]:
    message = {
        "key": b"injected",
        "when": datetime.now(UTC).isoformat().encode(),
        "function": b"work",
        "args": json.dumps([EDIT, ""]).encode(),
        "kwargs": b"{}",
        "attempt": b"1",
        "generation": b"0",
    }
    return {name: value for name, value in {**message, **changed}.items() if value}


def broken(mark: Path) -> list[dict[str, bytes]]:
    """Tickets that no bot wrote: pickles first."""
    pickled = pickle.dumps(Injected(mark))
    return [
        ticket(args=pickled),
        ticket(kwargs=pickled),
        ticket(args=b""),
        ticket(args=b"[" * 100_000),
        ticket(args=b"[]"),
        ticket(args=b"7"),
        ticket(args=b'[{"a": 1}, null, 3, 4]'),
        ticket(args=b'["no queue", "no job"]'),
        ticket(kwargs=b'{"ticket": "another", "more": 1}'),
        ticket(key=b""),
        ticket(key=b"\xff\xfe"),
        ticket(function=b""),
        ticket(function=b"\xff"),
        ticket(function=b"no such task"),
        ticket(when=b"yesterday"),
        ticket(when=b"9999-12-31T23:59:59+00:00"),
        ticket(attempt=b"many"),
        ticket(generation=b"x"),
        {"nothing": b"known"},
    ]


# docket's, for a failed task
@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
async def test_tickets_that_the_bot_did_not_write_end_and_run_nothing(
    store: Store, clock: SystemClock, responders: Responders, tmp_path: Path
) -> None:
    done: list[str] = []

    async def step(attempt: Attempt) -> None:
        done.append(attempt.job.id)

    mark = tmp_path / "ran"
    async with workplace(store, clock, responders, step) as place:
        await place.docket._ensure_stream_and_group()
        for message in broken(mark):
            await store.redis.xadd(place.docket.stream_key, message)  # type: ignore[arg-type]
        job = new_job()
        await place.job_queue.enqueue([job], 1)
        with capture_logs() as logs:
            async with working(place, "worker"):
                await eventually(lambda: done)
                await _until_empty(store.redis, place.docket)
    assert done == [job.id]
    assert not mark.exists()
    assert len([line for line in logs if line["event"] == "tickets.unreadable"]) == 14


async def _until_empty(redis: Redis, docket: Docket) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await redis.xlen(docket.stream_key):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def _until_listening(redis: Redis) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not (await redis.pubsub_numsub(keys.CANCEL_CHANNEL))[0][1]:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_strikes_that_the_bot_did_not_write_run_nothing_and_stop_nothing(
    store: Store, clock: SystemClock, responders: Responders, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    done: list[str] = []

    async def step(attempt: Attempt) -> None:
        done.append(attempt.job.id)

    strike = {"direction": b"strike", "function": b"work", "parameter": b"queue", "operator": b"=="}
    strikes: list[dict[str, bytes]] = [
        {**strike, "value": pickle.dumps(Injected(mark))},
        {**strike, "value": b"{"},
        {**strike, "value": b"[1]"},
        {**strike, "operator": b"no such", "value": b"1"},
        {"nothing": b"known"},
        {**strike, "direction": b"\xff", "value": b"1"},
    ]
    for message in strikes:
        await store.redis.xadd(f"{keys.DOCKET}:strikes", message)  # type: ignore[arg-type]
    async with workplace(store, clock, responders, step) as place:
        await place.docket.wait_for_strikes_loaded()
        await place.job_queue.enqueue([new_job()], 1)
        async with working(place, "worker"):
            await eventually(lambda: done)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("field", "stored"),
    [
        ("request", "no JSON"),
        ("request", "{}"),
        ("request", "[" * 100_000),
        ("request", pack(new_job(id="../../etc/x"))),
        ("uncounted_attempts", "x"),
        ("checkpoint:turn", "{"),
    ],
)
async def test_a_stored_job_that_the_bot_did_not_write_ends_and_the_next_begins(
    store: Store, clock: SystemClock, responders: Responders, field: str, stored: str
) -> None:
    done: list[str] = []

    async def step(attempt: Attempt) -> None:
        done.append(attempt.job.id)

    async with workplace(store, clock, responders, step) as place:
        damaged, after = new_job(), new_job()
        await place.job_queue.enqueue([damaged, after], 1)
        await store.redis.hset(keys.job_key(str(CHAT), damaged.id), field, stored)
        with capture_logs() as logs:
            async with working(place, "worker"):
                await eventually(lambda: after.id in done)
    assert damaged.id not in done
    assert [line["job"] for line in logs if line["event"] == "job.unreadable"] == [damaged.id]


async def test_the_sweep_goes_on_when_a_ticket_cannot_be_read(
    store: Store, clock: SystemClock, responders: Responders, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    async with workplace(store, clock, responders) as place:
        job = new_job()
        await place.job_queue.enqueue([job], 1)
        for name in ("args", "kwargs"):
            (key,) = [key async for key in store.redis.scan_iter(f"{keys.DOCKET}:runs:*")]
            await store.redis.hset(key, name, pickle.dumps(Injected(mark)))
        assert await place.job_queue.sweep() == 1, "the job has another one"
    assert not mark.exists()


FOREIGN: dict[str, list[tuple[Any, ...]]] = {
    "a queue without a name": [("ZADD", keys.QUEUES, 0, "junk")],
    "a queue of another kind": [
        ("ZADD", keys.QUEUES, 0, "7/other"),
        ("HSET", keys.running_key("7", "other"), "job", "x", "ticket", "y"),
    ],
    "a queue of no chat": [
        ("ZADD", keys.QUEUES, 0, "007/main"),
        ("HSET", keys.running_key("007", "main"), "job", "x", "ticket", "y"),
    ],
    "a queue that is no text": [
        ("ZADD", keys.QUEUES, 0, "7/main"),
        ("HSET", keys.running_key("7", "main"), "job", b"\xff", "ticket", "y"),
    ],
    "a queue that is no list": [("ZADD", keys.QUEUES, 0, "7/main"), ("SET", keys.queue_key("7", "main"), 1)],
    "a job that is none": [
        ("ZADD", keys.QUEUES, 0, "7/main"),
        ("HSET", keys.running_key("7", "main"), "job", "x", "ticket", "y"),
        ("SET", keys.job_key("7", "x"), 1),
    ],
    "a waiting job that is none": [("ZADD", keys.WAITING_JOBS, 0, "x"), ("SET", "x", 1)],
    "a waiting job that is no text": [("ZADD", keys.WAITING_JOBS, 0, b"\xff")],
    "a later job that is none": [("ZADD", keys.SCHEDULED_JOBS, 0, "{", 0, "junk")],
    "an ended job that is none": [("ZADD", keys.ENDED_JOBS, 0, "x", 0, b"\xff"), ("SET", "x", 1)],
    "an ended job that can't be read": [("ZADD", keys.ENDED_JOBS, 0, "x"), ("HSET", "x", "request", "z!")],
    "an open question of nobody": [("ZADD", keys.OPEN_QUESTIONS, 0, "junk", 0, b"\xff")],
    "a cancellation of nothing": [
        ("PUBLISH", keys.CANCEL_CHANNEL, b"\xff"),
        ("PUBLISH", f"{keys.DOCKET}:cancel:x", b"\xff"),
    ],
    "later tickets that are none": [
        ("ZADD", f"{keys.DOCKET}:queue", 0, b"\xff", 0, "x", "inf", "y"),
        ("HSET", f"{keys.DOCKET}:x", b"a", b"\xff"),
    ],
    "a worker without a name": [("ZADD", f"{keys.DOCKET}:workers", "inf", b"\xff")],
}


@pytest.mark.parametrize("commands", FOREIGN.values(), ids=FOREIGN)
async def test_what_the_bot_did_not_write_stops_nothing_that_runs_for_ever(
    store: Store, clock: SystemClock, responders: Responders, commands: list[tuple[Any, ...]]
) -> None:
    done: list[str] = []

    async def step(attempt: Attempt) -> None:
        done.append(attempt.job.id)

    async with workplace(store, clock, responders, step) as place:
        lost = new_job()
        await place.job_queue.enqueue([lost], 1)
        async for key in store.redis.scan_iter(f"{keys.DOCKET}:*"):
            await store.redis.delete(key)
        await place.docket._ensure_stream_and_group()
        async with in_background(place.runner.listen(), place.runner.sweep()):
            await _until_listening(store.redis)
            for command in commands:
                await store.redis.execute_command(*command)  # type: ignore[no-untyped-call]
            await place.job_queue.sweep()
            async with working(place, "worker"):
                await eventually(lambda: done)
                assert "worker" in await place.job_queue.statistics.workers()
            names = {getattr(task.get_coro(), "__name__", "") for task in asyncio.all_tasks()}
            assert {"sweep", "listen"} <= names
    assert done.count(lost.id) == 1  # An apology for what can't be read may have run beside it.


def test_docket_pickles_nowhere_else() -> None:
    """A release of docket that pickles in another way has to be looked at."""
    text = "".join(path.read_text("utf-8") for path in Path(docket_package.__path__[0]).rglob("*.py"))
    assert not re.search(r"(?<!cloud)pickle\.|from cloudpickle|import (pickle|marshal|shelve)", text)
    assert set(re.findall(r"cloudpickle\.(\w+)", text)) == {"dumps", "loads"}
