"""Beside an own Bot API server: what it fetched for the bot is gone in the end, wherever a process ended."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bot.sandbox.samples import make_video
from tests.interruptions.expected import expect_everything_once
from tests.interruptions.points import AtNemo, AtTelegram, Point
from tests.interruptions.world import PATIENCE_S, World
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy


POINTS: dict[str, Point] = {
    "the server has fetched it": AtTelegram("getFile", "after"),
    "nothing has arrived": AtNemo("upload", "before"),
    "all has arrived": AtNemo("upload", "answer"),
    "the agent is at work": AtNemo("message", "work"),
    "the video is there": AtTelegram("sendVideo", "after"),
}


def server_dir(world: World) -> Path:
    return world.bots.directory / "services" / "telegram"


def start(world: World, **settings: str) -> None:
    world.bots.start(
        TELEGRAM_LOCAL_MODE="true",
        TELEGRAM_FILES_DIR=str(server_dir(world)),
        SHARED_DIR=str(server_dir(world) / "results"),
        **settings,
    )


def copies(world: World) -> list[Path]:
    return [path for path in (server_dir(world) / world.bots.services.token).rglob("*") if path.is_file()]


async def test_a_copy_is_kept_until_it_was_used_and_gone_then(worlds: Worlds) -> None:
    async def play(world: World, point: Point) -> None:
        # Not the bot's business, in a directory that it writes to.
        other = make_video(server_dir(world) / "results" / "other.mp4", 0.5, 64, 48, 12)
        start(world)
        let_go = await point.arrive(world)
        if point in (POINTS["nothing has arrived"], POINTS["all has arrived"]):
            assert len(copies(world)) == 1

        await world.bots.end(world.bots.running[0], signal.SIGKILL)
        await let_go()
        start(world)

        await expect_everything_once(world)
        assert copies(world) == []
        assert other.is_file()

    await worlds.at_each(POINTS, play, local=True)


async def test_the_copy_of_a_job_that_is_given_up_goes_too(worlds: Worlds) -> None:
    async def play(world: World, _: None) -> None:
        for number in range(2):
            hold = await world.nemo.hold("upload", "before")
            start(world, JOB_ATTEMPTS="2")
            if number == 0:
                await world.prompt()
            await world.nemo.reached(hold, timeout_s=PATIENCE_S)
            assert len(copies(world)) == 1
            await world.bots.end(world.bots.running[0], signal.SIGKILL)
        start(world, JOB_ATTEMPTS="2")

        await world.ada.chat.wait(matching="kept getting interrupted", timeout_s=PATIENCE_S)
        await world.at_rest()
        assert copies(world) == []

    await worlds.at_each({"given up": None}, play, local=True)
