"""One job whose process is killed, or told to end, in the middle of it. Other points: ``test_steps.py``."""

from __future__ import annotations

import signal

import pytest

from tests.interruptions.expected import expect_everything_once
from tests.interruptions.points import AtNemo
from tests.interruptions.world import World

POINT = AtNemo("message", "work")


async def test_a_new_start_goes_on_where_the_process_was_killed(world: World) -> None:
    first = world.bots.start()
    let_go = await POINT.arrive(world)

    await world.bots.end(first, signal.SIGKILL)
    await let_go()
    world.bots.start()

    await expect_everything_once(world)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.heavy)])
async def test_a_process_told_to_end_hands_its_job_over_at_once(world: World, number: signal.Signals) -> None:
    first = world.bots.start(DEAD_WORKER_S="600")
    let_go = await POINT.arrive(world)
    await world.bots.ready(world.bots.start("worker", DEAD_WORKER_S="600"))

    await world.bots.end(first, number)
    await let_go()

    await expect_everything_once(world)
