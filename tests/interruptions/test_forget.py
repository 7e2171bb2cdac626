"""Forgetting a chat, while something runs there and the process is killed."""

from __future__ import annotations

import signal
from typing import Literal

import pytest

from bot.store import keys
from tests.interruptions.points import AtNemo
from tests.interruptions.world import PATIENCE_S, World
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy


When = Literal["before", "after"]

POINTS: dict[str, When] = {"its answer is on its way": "before", "its answer is there": "after"}


async def test_what_runs_is_stopped_and_all_is_erased_and_told_once(worlds: Worlds) -> None:
    async def play(world: World, when: When) -> None:
        first = world.bots.start()
        let_go = await AtNemo("message", "work").arrive(world)
        await world.ada.say("/forget")
        sure = await world.ada.chat.wait(matching="Erase everything", timeout_s=PATIENCE_S)
        told = await world.people.faults.hold("sendMessage", when=when)
        await world.ada.press(sure, "Erase everything", timeout_s=PATIENCE_S)
        await told.reached(timeout_s=PATIENCE_S)

        await world.bots.end(first, signal.SIGKILL)
        await let_go()
        await told.release(drop=True)
        world.bots.start()

        await world.ada.chat.wait(matching="has been erased", timeout_s=PATIENCE_S)
        await world.at_rest()
        said = [seen.text.split(":")[0] for seen in await world.said() if seen.deleted_at is None]
        assert len([text for text in said if "has been erased" in text]) == 1, said
        assert len(await world.nemo.messages()) == 1
        async with world.bots.store() as redis:
            assert not await redis.exists(keys.chat_key(str(world.ada.id)))

    await worlds.at_each(POINTS, play)
