"""A question of the agent, and processes that end around it: it is asked once, and its answer is one message."""

from __future__ import annotations

import signal

import pytest

from bot.jobs.model import JobState
from bot.sandbox.botapi.client import Seen
from bot.sandbox.nemovideo import scripts
from bot.store import keys
from tests.interruptions.expected import EDITING_CREDITS, TITLE
from tests.interruptions.points import AtTelegram
from tests.interruptions.world import PATIENCE_S, World, until
from tests.interruptions.worlds import ENDS, Worlds

pytestmark = pytest.mark.heavy

ANSWER = "1. Which look?: Cartoon"


async def set_up(world: World) -> None:
    await world.nemo.script([{"edit": TITLE}, *scripts.ask()])
    await world.nemo.script(scripts.say("A cartoon it is."))


async def question(world: World) -> Seen:
    """Wait for the question, and until no worker has its job."""
    asked = await world.ada.chat.wait(matching="Which look", timeout_s=PATIENCE_S)
    async with world.bots.store() as redis:

        async def is_suspended() -> bool:
            jobs = [key async for key in redis.scan_iter(f"{keys.JOB}*")]
            states = [await redis.hget(job, "state") for job in jobs]
            return states == [JobState.ASKING] and not await redis.exists(keys.STARTED_JOBS)

        await until(is_suspended)
    return asked


async def expect_one_answer(world: World) -> None:
    await world.videos()
    await world.at_rest()
    assert [message.text for message in await world.nemo.messages()] == [TITLE, ANSWER]
    assert [charge.credits for charge in await world.nemo.charges()] == [EDITING_CREDITS]
    assert len(await world.nemo.renders()) == 1
    texts = [seen.text for seen in await world.said()]
    assert len([text for text in texts if "Which look?" in text]) == 1
    assert len([text for text in texts if "A cartoon it is." in text]) == 1
    assert len(await world.ada.chat.messages(kind="video", from_bots=True)) == 1


async def test_an_answer_to_a_question_whose_process_ended_goes_on(worlds: Worlds) -> None:
    async def play(world: World, number: signal.Signals) -> None:
        first = world.bots.start()
        await set_up(world)
        await world.prompt()
        asked = await question(world)

        await world.bots.end(first, number)
        world.bots.start()
        await world.ada.press(asked, "Cartoon", timeout_s=PATIENCE_S)

        await expect_one_answer(world)

    await worlds.at_each(ENDS, play)


async def test_an_answer_that_came_while_no_process_ran_counts(worlds: Worlds) -> None:
    async def play(world: World, is_typed: bool) -> None:
        first = world.bots.start()
        await set_up(world)
        await world.prompt()
        asked = await question(world)

        await world.bots.end(first, signal.SIGKILL)
        if is_typed:
            await world.ada.say("cartoon")
        else:
            await world.ada.press(asked, "Cartoon", timeout_s=0)
        world.bots.start()

        await expect_one_answer(world)

    await worlds.at_each({"typed": True, "pressed": False}, play)


async def test_a_question_is_asked_once_whenever_its_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, point: AtTelegram) -> None:
        first = world.bots.start()
        await set_up(world)
        let_go = await point.arrive(world)

        await world.bots.end(first, signal.SIGKILL)
        await let_go()
        world.bots.start()
        await world.ada.press(await question(world), "Cartoon", timeout_s=PATIENCE_S)

        await expect_one_answer(world)

    points = {
        "the question is on its way": AtTelegram("sendMessage", "before", once_working=True),
        "the question is there": AtTelegram("sendMessage", "after", once_working=True),
        "the progress message is to go": AtTelegram("deleteMessage", "before"),
        "the progress message is gone": AtTelegram("deleteMessage", "after"),
    }
    await worlds.at_each(points, play)
