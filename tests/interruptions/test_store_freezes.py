"""The store freezes instead of dying: connections stay open, and nothing answers on them."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from tests.interruptions.expected import expect_everything_once
from tests.interruptions.points import AtNemo
from tests.interruptions.relay import Relay
from tests.interruptions.sentinel import sentinel_deployment
from tests.interruptions.world import PATIENCE_S, ExternalStore, World, until

pytestmark = pytest.mark.heavy

AWAY_S = 3.0
LEASE_S = "600"
"""Far longer than anybody waits for an answer here: nothing may wait for a lease."""


async def test_a_bot_whose_connections_hang_goes_on_when_new_ones_work(
    world: World, external: ExternalStore
) -> None:
    async with Relay(external.socket) as relay:
        world.bots.redis_url = relay.url
        await world.bots.ready(world.bots.start(DEAD_WORKER_S=LEASE_S))
        let_go = await AtNemo("message", "work").arrive(world)
        bob = await world.people.person("Bob", language_code="en")
        await bob.open()

        relay.freeze()
        await bob.say("/help")
        await asyncio.sleep(AWAY_S)  # not for anything to happen: this is how long it is away
        relay.pass_new()
        began_s = time.monotonic()
        await bob.chat.wait(timeout_s=PATIENCE_S)
        print(f"/help was answered after {time.monotonic() - began_s:.1f} s")
        await bob.say("/skill")
        await bob.chat.wait_all(2, timeout_s=PATIENCE_S)
        print(f"/skill was answered after {time.monotonic() - began_s:.1f} s")

        await let_go()
        await expect_everything_once(world)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
async def test_the_bot_follows_sentinel_to_the_next_primary(world: World, number: signal.Signals) -> None:
    with sentinel_deployment() as deployment:
        await until(deployment.is_up)
        first = await deployment.primary()
        assert first is not None
        world.bots.redis_url = deployment.url
        await world.bots.ready(world.bots.start(DEAD_WORKER_S=LEASE_S))
        let_go = await AtNemo("message", "work").arrive(world)
        bob = await world.people.person("Bob", language_code="en")
        await bob.open()

        async def is_failed_over() -> bool:
            return await deployment.primary() not in (None, first)

        deployment.servers[first].send_signal(number)
        await bob.say("/help")
        await until(is_failed_over)
        began_s = time.monotonic()
        await bob.chat.wait(timeout_s=PATIENCE_S)
        print(f"/help was answered {time.monotonic() - began_s:.1f} s after Sentinel was done")

        await let_go()
        await expect_everything_once(world)


@pytest.mark.parametrize("role", ["all", "intake", "worker"])
async def test_a_process_told_to_end_does_not_wait_for_a_store_that_hangs(
    world: World, external: ExternalStore, role: str
) -> None:
    world.bots.redis_url = external.url
    first = world.bots.start(role)
    let_go = None
    if role == "all":
        let_go = await AtNemo("message", "work").arrive(world)
    else:
        await world.bots.ready(first)

    os.kill(external.pid, signal.SIGSTOP)
    try:
        await world.bots.end(first, signal.SIGTERM)
    finally:
        os.kill(external.pid, signal.SIGCONT)

    if let_go is not None:
        await let_go()
        world.bots.start()
        await expect_everything_once(world)
