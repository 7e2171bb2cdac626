"""Thousands of open event streams in one process, one event a second each, beside stock httpx-sse with fewer.

The bot's own reading, from the socket to typed events and the text put together. Each contender has a process of its
own for every round, and so has the server. The peer does less, it only parses each event's JSON; still it is given a
tenth of the streams, as to open one takes it the longer the more of them are open.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import uvloop
from httpx_sse import aconnect_sse

from bot.nemo.client import NemoClient
from bot.nemo.events import (
    AgentText,
    Completeness,
    Event,
    KeepAlive,
    StateDelta,
    Thought,
    ToolCall,
    ToolResult,
)
from bot.nemo.turn_text import TurnText
from bot.nemo.wire import Attribution, Credentials
from bot.runtime.http import new_client
from bot.runtime.process import collect_rarely, raise_open_files
from tests.bench.table import Figure, alone

STREAMS = 5000
PEER_STREAMS = 500
ROUNDS = 3
OPEN_AT_ONCE = 100
SETTLE_S = 0.5
WATCH_S = 4.0
OTHER_FILES = 100
"""Of a contender's process and of the server's, beside their streams."""

WHO = Credentials("token", Attribution("nemo-video", "1.0.0"))
PROMPT = "Make a video of a cat that walks in the rain, 20 seconds, with music and a title."


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one contender, in one round.

    Args:
        open_cpu_s: Of CPU, to open all streams.
        stream_kb: Resident memory for each, after all of the events.
        core_percent: Of CPU, while an event a second comes on each.
        lag_ms: From an event's sending until the contender has read it; of a hundred, 99 take no longer.
    """

    open_cpu_s: float
    stream_kb: float
    core_percent: float
    lag_ms: float


@dataclass(slots=True)
class Tally:
    """What the streams of one process have come to."""

    opened: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    lags_s: list[float] = field(default_factory=list)

    def note(self, sent_s: float) -> None:
        """An event was read."""
        self.lags_s.append(time.monotonic() - sent_s)


Listen = Callable[[Tally], Coroutine[Any, Any, None]]
"""Opens a stream and reads it for ever."""


async def measure() -> list[Figure]:
    """Measure both, in turn."""
    limit = raise_open_files(0)
    streams = STREAMS if limit is None else min(STREAMS, limit - OTHER_FILES)
    if streams < STREAMS:
        print(f"only {limit} open files are allowed, so many streams: {streams}", file=sys.stderr)
    ours, peers = [], []
    for _ in range(ROUNDS):
        ours.append(await _in_own_process("bot", streams))
        peers.append(await _in_own_process("peer", PEER_STREAMS))

    def figure(what: str, of: Callable[[Measures], float], unit: str, goal: float) -> Figure:
        peer = f"httpx-sse with {PEER_STREAMS}: {median(map(of, peers)):.3g} {unit}"
        return alone(f"{streams} event streams: {what}", [*map(of, ours)], unit=unit, goal=goal, peer=peer)

    return [
        figure("CPU at an event a second each", lambda one: one.core_percent, "% of a core", 55),
        figure("lag p99", lambda one: one.lag_ms, "ms", 10),
        figure("memory a stream", lambda one: one.stream_kb, "KB", 25),
        figure("CPU to open all", lambda one: one.open_cpu_s, "s", 10),
    ]


async def _in_own_process(contender: str, streams: int) -> Measures:
    async with (
        _first_line("tests.bench.event_server", str(streams)) as port,
        _first_line("tests.bench.streams", contender, str(streams), f"http://127.0.0.1:{port}") as told,
    ):
        return Measures(**json.loads(told))


@contextlib.asynccontextmanager
async def _first_line(module: str, *args: str) -> AsyncIterator[str]:
    """Run a module in a process of its own, which ends with the block; gives the first line that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *args, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"{module} has failed")
        yield line.decode().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def listen_as_bot(nemo: NemoClient, tally: Tally) -> None:
    """Read a stream as a turn does."""
    heard = TurnText()
    async with contextlib.aclosing(nemo.send_message(WHO, "session", PROMPT)) as events:
        async for event in events:
            heard.add(event)
            _note(event, tally)
            del event  # As a turn does.


def _note(event: Event, tally: Tally) -> None:
    match event:
        case KeepAlive():
            tally.opened.release()
        case Thought(text) | AgentText(text, Completeness.PARTIAL):
            tally.note(float(text.partition(" ")[0]))
        case ToolCall(args=told) | ToolResult(result=told) | StateDelta(told):
            tally.note(told["sent_s"])


async def listen_as_peer(http: httpx.AsyncClient, url: str, tally: Tally) -> None:
    """Read a stream with the stock libraries."""
    body = {"session_id": "session", "new_message": {"parts": [{"text": PROMPT}]}}
    async with aconnect_sse(http, "POST", f"{url}/run_sse", json=body, timeout=None) as source:
        tally.opened.release()
        async for event in source.aiter_sse():
            tally.note(json.loads(event.data)["timestamp"])


async def as_bot(url: str, streams: int) -> Measures:
    """The bot's measures."""
    collect_rarely()
    async with new_client() as http:
        return await _watch(functools.partial(listen_as_bot, NemoClient(http, url)), streams)


async def as_peer(url: str, streams: int) -> Measures:
    """The peer's."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None)) as http:
        return await _watch(functools.partial(listen_as_peer, http, url), streams)


CONTENDERS: Mapping[str, Callable[[str, int], Coroutine[Any, Any, Measures]]] = {
    "bot": as_bot,
    "peer": as_peer,
}


async def _watch(listen: Listen, streams: int) -> Measures:
    tally = Tally()
    tasks: list[asyncio.Task[None]] = []
    first_kb, opening_s = 0.0, time.process_time()
    async with asyncio.TaskGroup() as group:  # A stream that fails ends them all.
        for first in range(0, streams, OPEN_AT_ONCE):
            batch = range(first, min(first + OPEN_AT_ONCE, streams))
            tasks += [group.create_task(listen(tally)) for _ in batch]
            for _ in batch:
                await tally.opened.acquire()
            # What only the first ones take, such as modules, is no stream's.
            first_kb = first_kb or _resident_kb()
        opening_s = time.process_time() - opening_s
        await asyncio.sleep(SETTLE_S)
        tally.lags_s.clear()
        began_s, cpu_s = time.monotonic(), time.process_time()
        await asyncio.sleep(WATCH_S)
        took_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
        stream_kb = (_resident_kb() - first_kb) / (streams - OPEN_AT_ONCE)
        lag_s = quantiles(tally.lags_s, n=100)[-1]
        for task in tasks:
            task.cancel()
    return Measures(opening_s, stream_kb, 100 * cpu_s / took_s, 1000 * lag_s)


def _resident_kb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def main() -> None:
    """Be one contender, and print its measures."""
    contender, streams, url = sys.argv[1:]
    raise_open_files(0)
    measures = uvloop.run(CONTENDERS[contender](url, int(streams)))
    print(json.dumps(asdict(measures)))


if __name__ == "__main__":
    main()
