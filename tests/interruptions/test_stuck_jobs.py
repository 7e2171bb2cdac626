"""A job that gets nowhere is seen from any process, even while no worker lives."""

from __future__ import annotations

import re
import signal

import pytest

from tests.interruptions.expected import expect_everything_once
from tests.interruptions.points import AtNemo
from tests.interruptions.world import Process, World, until

pytestmark = pytest.mark.heavy


FIGURES = ("nemovideo_job_oldest_seconds", "nemovideo_job_silent_seconds")


async def figures(world: World, process: Process) -> list[float]:
    """How old the oldest jobs are, as this process tells."""
    shown = await world.bots.metrics(process)
    values = [re.search(rf"^{name} (\S+)$", shown, re.MULTILINE) for name in FIGURES]
    return [float(value[1]) for value in values if value]


async def test_a_job_that_nobody_works_at_grows_older_in_the_figures_until_it_ends(world: World) -> None:
    receiver = world.bots.start("intake", HTTP_LISTEN="127.0.0.1:0")
    worker = world.bots.start("worker")
    let_go = await AtNemo("message", "work").arrive(world)
    await world.bots.end(worker, signal.SIGKILL)

    async def has_grown() -> bool:
        oldest_s, silent_s = await figures(world, receiver)
        return oldest_s >= silent_s > 2

    await until(has_grown)
    await let_go()
    world.bots.start("worker")

    await expect_everything_once(world)

    async def has_ended() -> bool:  # the video is there a moment before its job is over
        return await figures(world, receiver) == [0.0, 0.0]

    await until(has_ended)
