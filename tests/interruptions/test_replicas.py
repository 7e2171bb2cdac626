"""Several processes that receive: deliveries to any of them, and polling by one of them at a time."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.web.serve import serve
from tests.interruptions.expected import TITLE, expect_everything_once
from tests.interruptions.world import PATIENCE_S, Process, World, until

pytestmark = pytest.mark.heavy


SECRET = "of-nobody-at-all-0123456789"

LEASE_S = "5"
"""For the polling lock, as in real use: longer than a busy machine keeps a live process from renewing it."""

QUESTIONS = 4
"""At a time: more would wait for the flood limit of their chat."""


class Balancer:
    """Sends each delivery to any of the replicas, until one fails it."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.answered: dict[str, list[int]] = {}
        # Without a timeout: a replica that is slow, or whose store is away, has not failed the delivery.
        self._http = httpx.AsyncClient(trust_env=False, verify=False, timeout=None)  # noqa: S113, S501 - plain http on loopback
        self._random = random.Random(5)  # noqa: S311 - which replica is no secret

    async def forward(self, request: Request) -> Response:
        target = self._random.choice(self.targets)
        headers = {name: value for name, value in request.headers.items() if name.startswith("x-telegram")}
        try:
            answer = await self._http.post(f"{target}/hook", content=await request.body(), headers=headers)
        except httpx.TransportError:
            self.targets = [one for one in self.targets if one != target]
            return Response(status_code=502)
        self.answered.setdefault(target, []).append(answer.status_code)
        return Response(status_code=answer.status_code)

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        async with (
            serve(Starlette(routes=[Route("/hook", self.forward, methods=["POST"])])) as url,
            self._http,
        ):
            yield f"{url}/hook"


def logged(process: Process) -> str:
    return Path(process.name).read_text()


async def replica(world: World, url: str, role: str = "intake") -> tuple[Process, str]:
    """Start one that takes deliveries; gives its own address too."""
    settings = {"WEBHOOK_URL": url, "WEBHOOK_SECRET": SECRET, "HTTP_LISTEN": "127.0.0.1:0"}
    process = world.bots.start(role, **settings)
    return process, await world.bots.web_url(process)


async def ready(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE_S) as http:  # noqa: S501 - plain http on loopback
        return (await http.get(f"{url}/readyz")).status_code == 200


async def ask(world: World, first: int = 0) -> list[str]:
    """Ada asks several questions, and gets one answer to each, in their order."""
    texts = [f"/nonsense{number}" for number in range(first, first + QUESTIONS)]
    for text in texts:
        await world.ada.say(text)
    return texts


async def expect_answers(world: World, texts: list[str]) -> None:
    await world.ada.chat.wait_all(len(texts), timeout_s=PATIENCE_S)
    await world.at_rest()
    said = [re.findall(r"/nonsense\d+", seen.text) for seen in await world.said()]
    assert said == [[text] for text in texts]


async def test_deliveries_to_any_replica_are_answered_once_and_in_order(world: World) -> None:
    balancer = Balancer()
    async with balancer.listen() as url:
        replicas = [await replica(world, url), await replica(world, url, "all")]
        balancer.targets = [address for _, address in replicas]
        for _, address in replicas:
            await until(lambda address=address: ready(address))  # type: ignore[misc]  # of a lambda with a default
        asked = await ask(world)
        await expect_answers(world, asked)

        assert set(balancer.answered) == set(balancer.targets)
        assert len(await world.people.calls("setWebhook")) == 1
        assert "polling_lock" not in world.bots.tell()

        await world.bots.end(replicas[0][0], signal.SIGKILL)
        asked += await ask(world, QUESTIONS)
        await expect_answers(world, asked)


async def test_deliveries_that_come_again_are_dropped(world: World) -> None:
    balancer = Balancer()
    async with balancer.listen() as url:
        replicas = [await replica(world, url), await replica(world, url, "all")]
        balancer.targets = [address for _, address in replicas]
        await world.prompt(TITLE)
        await world.videos()
        for _ in range(3):
            await world.people.ask("repeat_update")
        assert await world.people.confirmed(PATIENCE_S)

        await expect_everything_once(world)


async def test_while_the_store_is_away_telegram_keeps_what_it_has(world: World) -> None:
    balancer = Balancer()
    async with balancer.listen() as url:
        process, address = await replica(world, url, "all")
        balancer.targets = [address]
        await until(lambda: ready(address))
        os.kill(world.bots.store_pid(), signal.SIGSTOP)
        try:
            await world.ada.say("/help")
            assert not await world.people.confirmed(timeout_s=1)
            assert not await ready(address)
        finally:
            os.kill(world.bots.store_pid(), signal.SIGCONT)
        await world.ada.chat.wait(timeout_s=PATIENCE_S)
        assert await world.people.confirmed(PATIENCE_S)
        await world.at_rest()
        assert len(await world.said()) == 1
        await world.bots.end(process, signal.SIGTERM)


async def test_back_to_polling_takes_the_webhook_away(world: World) -> None:
    balancer = Balancer()
    async with balancer.listen() as url:
        process, address = await replica(world, url, "all")
        balancer.targets = [address]
        await until(lambda: ready(address))
        await world.bots.end(process, signal.SIGTERM)
    world.bots.start()
    asked = await ask(world)
    await expect_answers(world, asked)
    assert len(await world.people.calls("deleteWebhook")) == 1


def polls(process: Process) -> bool:
    """Return whether it polls by its log, which may tell that it lost the lock."""
    return re.findall(r"polling_lock\.(acquired|lost)", logged(process))[-1:] == ["acquired"]


async def two_pollers(world: World) -> tuple[Process, Process]:
    """Two processes: the one that polls, and the one that stands by."""
    processes = [world.bots.start(DEAD_WORKER_S=LEASE_S) for _ in range(2)]
    found: list[Process] = []

    async def one_polls() -> bool:
        found[:] = [one for one in processes if polls(one)]
        return len(found) == 1 and all("app.ready" in logged(one) for one in processes)

    await until(one_polls)
    (other,) = (one for one in processes if one is not found[0])
    return found[0], other


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to end"])
async def test_a_standby_takes_over_the_polling(world: World, number: signal.Signals) -> None:
    first, _ = await two_pollers(world)
    asked = await ask(world)
    await expect_answers(world, asked)

    await world.bots.end(first, number)
    asked += await ask(world, QUESTIONS)
    await expect_answers(world, asked)
    assert "another_program_polls" not in world.bots.tell(), "Telegram told no conflict"


async def test_who_was_stopped_for_too_long_polls_no_more(world: World) -> None:
    first, _ = await two_pollers(world)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGSTOP)
    try:
        asked = await ask(world)
        await world.ada.chat.wait_all(len(asked), timeout_s=PATIENCE_S)
    finally:
        os.kill(first.pid, signal.SIGCONT)

    async def stands_by() -> bool:
        return not polls(first)

    await until(stands_by)
    asked += await ask(world, QUESTIONS)
    await expect_answers(world, asked)
