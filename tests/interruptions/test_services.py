"""Both services at their worst, against real processes: what passes by itself is waited out, and done once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from bot.sandbox.nemovideo import scripts
from tests.interruptions.expected import TITLE, expect_everything_once
from tests.interruptions.world import World
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy


Fault = Callable[[World], Awaitable[object]]

NONSENSE = '{"code": 0, "data": [1]}'


def nemo(*endpoints: str, **fault: object) -> Fault:
    """The next request to each of these endpoints."""

    async def begin(world: World) -> None:
        for endpoint in endpoints:
            await world.nemo.fault(endpoint, **fault)

    return begin


def telegram(*methods: str, code: int, retry_after: int = 0) -> Fault:
    """The next call of each of these methods."""

    async def begin(world: World) -> None:
        for method in methods:
            await world.people.faults.error(
                method, code=code, description="Some trouble", retry_after=retry_after
            )

    return begin


def unanswered(*methods: str) -> Fault:
    """The next call of each of these methods takes effect, but its connection breaks."""

    async def begin(world: World) -> None:
        for method in methods:
            await world.people.faults.drop(method, when="after")

    return begin


READS = ("state", "render-status")
SENDS = ("sendMessage", "sendVideo")
CALLS = (*SENDS, "editMessageText", "deleteMessage", "getFile", "getUpdates")

FAULTS: dict[str, dict[str, Fault]] = {
    "NemoVideo": {
        "is down for a moment": nemo(*READS, "media", status=503),
        "breaks connections": nemo(*READS, "media", drop=True),
        "is slow": nemo(
            *READS, "anonymous-token", "session", "upload", "message", "render", "media", latency_s=1.0
        ),
        "cuts the stream": lambda world: world.nemo.script(scripts.cut_after_work(TITLE)),
        "cuts the result": nemo("media", cut_after_bytes=1000),
        "answers nonsense": nemo(*READS, body=NONSENSE, content_type="application/json"),
    },
    "Telegram": {
        "is down for a moment": telegram(*CALLS, code=502),
        "wants a pause": telegram(*CALLS, code=429, retry_after=1),
        "does it and does not say so": unanswered(*CALLS),
        "cuts the file": lambda world: world.people.faults.cut_download(100),
    },
}


@pytest.mark.parametrize("service", FAULTS)
async def test_a_fault_that_passes_loses_nothing_and_doubles_nothing(worlds: Worlds, service: str) -> None:
    async def play(world: World, begin: Fault) -> None:
        world.bots.start("worker")
        await world.bots.ready(world.bots.start("intake"))
        await begin(world)
        await world.prompt()
        await expect_everything_once(world)

    await worlds.at_each(FAULTS[service], play)
