"""Receiving, interrupted: an update counts as received when what it asks for is stored, and then once."""

from __future__ import annotations

import signal

import pytest

from tests.interruptions.expected import expect_everything_once
from tests.interruptions.world import PATIENCE_S, World
from tests.interruptions.worlds import ENDS, Worlds

pytestmark = pytest.mark.heavy


async def test_an_update_that_did_not_arrive_comes_again(worlds: Worlds) -> None:
    async def play(world: World, number: signal.Signals) -> None:
        await world.prompt()
        hold = await world.people.faults.hold("getUpdates", when="after")
        first = world.bots.start()
        await hold.reached(timeout_s=PATIENCE_S)

        await world.bots.end(first, number)
        await hold.release(drop=True)
        world.bots.start()

        await expect_everything_once(world)

    await worlds.at_each(ENDS, play)


async def test_an_update_that_was_stored_and_not_confirmed_is_dropped_when_it_comes_again(
    worlds: Worlds,
) -> None:
    async def play(world: World, number: signal.Signals) -> None:
        first = world.bots.start()
        await world.bots.ready(first)
        hold = await world.people.faults.hold("getUpdates", when="before")
        await world.prompt()
        await hold.reached(timeout_s=PATIENCE_S)  # the call whose offset confirms

        await world.bots.end(first, number)
        await hold.release(drop=True)
        assert not await world.people.confirmed(0)
        world.bots.start()

        await expect_everything_once(world)

    await worlds.at_each(ENDS, play)


async def test_an_update_that_was_confirmed_is_not_lost(worlds: Worlds) -> None:
    async def play(world: World, number: signal.Signals) -> None:
        receiver = world.bots.start("intake")
        await world.prompt()
        assert await world.people.confirmed(PATIENCE_S)

        await world.bots.end(receiver, number)
        world.bots.start("worker")

        await expect_everything_once(world)

    await worlds.at_each(ENDS, play)


async def test_what_came_while_no_process_ran_is_received(world: World) -> None:
    first = world.bots.start()
    await world.bots.ready(first)
    await world.bots.end(first, signal.SIGKILL)
    await world.prompt()
    world.bots.start()

    await expect_everything_once(world)
