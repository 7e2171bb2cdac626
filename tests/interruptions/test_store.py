"""The store goes away and comes back while a job runs: the bot waits for it, and forgets nothing."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.interruptions.expected import expect_everything_once
from tests.interruptions.points import AtNemo, AtTelegram, Point
from tests.interruptions.world import PATIENCE_S, ExternalStore, World, external_store
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy


POINTS: dict[str, Point] = {
    "upload": AtNemo("upload", "body", after_bytes=1),
    "turn": AtNemo("message", "work"),
    "export": AtNemo("render-status", "before"),
    "deliver": AtTelegram("sendVideo", "after"),
}


async def test_the_embedded_store_is_killed(worlds: Worlds) -> None:
    async def play(world: World, point: Point) -> None:
        world.bots.start()
        let_go = await point.arrive(world)

        os.kill(world.bots.store_pid(), signal.SIGKILL)
        await let_go()

        await expect_everything_once(world)

    await worlds.at_each(POINTS, play)


@pytest.mark.parametrize(
    ("number", "away_s"),
    [(signal.SIGTERM, 0), (signal.SIGKILL, 4)],
    ids=["restarted", "killed, and away for longer than the lease"],
)
async def test_an_external_store_is_restarted(worlds: Worlds, number: signal.Signals, away_s: float) -> None:
    async def play(world: World, point: Point) -> None:
        with external_store() as store:
            world.bots.redis_url = store.url
            world.bots.start()
            let_go = await point.arrive(world)

            store.stop(number)
            await let_go()
            await asyncio.sleep(away_s)  # not for anything to happen: this is how long it is away
            store.start()

            await expect_everything_once(world)

    await worlds.at_each(POINTS, play)


async def test_other_chats_do_not_wait_for_a_job_that_ran_when_the_store_went_away(world: World) -> None:
    world.bots.start()
    let_go = await AtNemo("message", "work").arrive(world)
    bob = await world.people.person("Bob", language_code="en")
    await bob.open()

    os.kill(world.bots.store_pid(), signal.SIGKILL)
    await bob.say("/help")
    await bob.chat.wait(timeout_s=PATIENCE_S)

    await let_go()
    await expect_everything_once(world)
    # The stream was heard to its end, whatever became of the store meanwhile.
    assert [message.delivered for message in await world.nemo.messages()] == [True]


async def test_a_process_told_to_end_does_not_wait_for_a_store_that_is_away(
    world: World, external: ExternalStore
) -> None:
    world.bots.redis_url = external.url
    first = world.bots.start()
    let_go = await AtNemo("message", "work").arrive(world)

    external.stop(signal.SIGKILL)
    await world.bots.end(first, signal.SIGTERM, within_s=PATIENCE_S)
    external.start()
    await let_go()
    world.bots.start()

    await expect_everything_once(world)
