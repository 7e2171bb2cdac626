"""The wall clock of the bot's machine is set by an hour in the middle of a job; the store's goes on."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable

import pytest

from tests.interruptions.expected import TITLE, expect_everything_once
from tests.interruptions.points import AtNemo, AtTelegram, Point
from tests.interruptions.process import SKEW
from tests.interruptions.world import PATIENCE_S, World
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy


HOUR_S = 3600

POINTS: dict[str, Callable[[], Point]] = {
    "upload": lambda: AtNemo("upload", "body", after_bytes=1),
    "turn": lambda: AtNemo("message", "work"),
    "export": lambda: AtNemo("render-status", "before"),
    "deliver": lambda: AtTelegram("sendVideo", "after"),
}

NEXT = 'add a title "Two"'


async def set_clock(world: World, by_s: int) -> None:
    await asyncio.to_thread((world.bots.directory / SKEW).write_text, str(by_s))


async def expect_no_negative_time(world: World) -> None:
    for seen in (*await world.said(), *await world.live()):
        for version in seen.versions:
            shown = f"{version.get('text', '')} {version.get('caption', '')}"
            assert not re.search(r"[-−]\s?\d", shown), shown


async def test_nothing_is_lost_and_nothing_doubled(worlds: Worlds) -> None:
    async def play(world: World, case: tuple[Point, int]) -> None:
        point, by_s = case
        world.bots.start()
        let_go = await point.arrive(world)

        await set_clock(world, by_s)
        await let_go()

        await world.videos()
        # What is asked by the new time takes its turn like anything else.
        await world.ada.say(NEXT)
        await expect_everything_once(world, (TITLE, NEXT))
        await expect_no_negative_time(world)
        await set_clock(world, 0)
        await world.ada.say("/status")
        await world.ada.chat.wait(timeout_s=PATIENCE_S)

    jumps = {"forward": HOUR_S, "back": -HOUR_S}
    await worlds.at_each(
        {
            f"{name}, {way}": (POINTS[name](), by_s)
            for name, (way, by_s) in itertools.product(POINTS, jumps.items())
        },
        play,
    )


async def test_the_clock_really_is_set(world: World) -> None:
    await asyncio.to_thread(world.bots.directory.mkdir, exist_ok=True, parents=True)
    await set_clock(world, -HOUR_S)
    world.bots.start()
    let_go = await AtNemo("message", "work").arrive(world)
    await set_clock(world, 2 * HOUR_S)
    await let_go()
    (video,) = await world.videos()
    assert " 3 h" in str(video.json.get("caption", "")), video.json
