"""Several processes on one store: they share the work, and take over from each other."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta

import pytest

from bot.sandbox.botapi.faults import When
from tests.interruptions.expected import TITLE, expect_everything_once, kind_of
from tests.interruptions.points import AtNemo, AtTelegram, Point
from tests.interruptions.world import PATIENCE_S, ExternalStore, World, until
from tests.interruptions.worlds import ENDS, Worlds

pytestmark = pytest.mark.heavy


PROMPTS = (TITLE, 'add a title "Two"', 'add a title "Three"')


@pytest.mark.parametrize("shared", ["data directory", "REDIS_URL"])
async def test_intake_and_workers_are_processes_of_their_own(
    world: World, external: ExternalStore, shared: str
) -> None:
    if shared == "REDIS_URL":
        world.bots.redis_url = external.url
    processes = [world.bots.start(role) for role in ("intake", "worker", "worker")]
    await world.prompt()

    await expect_everything_once(world)
    for process in processes:
        await world.bots.end(process, signal.SIGTERM)


async def test_prompts_keep_their_order_when_the_second_is_interrupted(worlds: Worlds) -> None:
    async def play(world: World, number: signal.Signals) -> None:
        world.bots.start("intake")
        first = world.bots.start("worker")
        await world.prompt(PROMPTS[0])
        await world.videos()
        hold = await world.nemo.hold("message", "work")
        await world.ada.say(PROMPTS[1])
        await world.nemo.reached(hold, timeout_s=PATIENCE_S)
        await world.ada.say(PROMPTS[2])
        await world.ada.chat.wait(matching="Position 1", timeout_s=PATIENCE_S)
        await world.bots.ready(world.bots.start("worker"))

        await world.bots.end(first, number)
        await world.nemo.release()

        await expect_everything_once(world, PROMPTS)

    await worlds.at_each(ENDS, play)


async def test_the_place_in_line_is_told_once_when_its_teller_is_killed(worlds: Worlds) -> None:
    async def play(world: World, when: When) -> None:
        first = world.bots.start()
        let_go = await AtNemo("message", "work").arrive(world)
        hold = await world.people.faults.hold("sendMessage", when=when)
        await world.ada.say(PROMPTS[1])
        await hold.reached(timeout_s=PATIENCE_S)

        await world.bots.end(first, signal.SIGKILL)
        await hold.release(drop=True)
        await let_go()
        world.bots.start()

        await expect_everything_once(world, PROMPTS[:2])

    cases: dict[str, When] = {"it is on its way": "before", "it is there": "after"}
    await worlds.at_each(cases, play)


async def test_a_process_that_tells_a_place_in_line_ends_when_told_to(world: World) -> None:
    first = world.bots.start()
    let_go = await AtNemo("message", "work").arrive(world)
    hold = await world.people.faults.hold("sendMessage", when="after")
    await world.ada.say(PROMPTS[1])
    await hold.reached(timeout_s=PATIENCE_S)

    await world.bots.end(first, signal.SIGTERM)
    await hold.release(drop=True)
    await let_go()
    world.bots.start()

    await expect_everything_once(world, PROMPTS[:2])


async def test_a_worker_that_was_thought_dead_changes_nothing_when_it_goes_on(worlds: Worlds) -> None:
    async def play(world: World, point: Point) -> None:
        world.bots.start("intake")
        sleeper = world.bots.start("worker")
        let_go = await point.arrive(world)
        await world.bots.ready(world.bots.start("worker"))
        assert sleeper.pid is not None

        os.kill(sleeper.pid, signal.SIGSTOP)
        await let_go()
        await world.videos()
        os.kill(sleeper.pid, signal.SIGCONT)

        await expect_everything_once(world)
        await world.bots.end(sleeper, signal.SIGTERM)
        await expect_everything_once(world)

    points: dict[str, Point] = {
        "turn": AtNemo("message", "work"),
        "export": AtNemo("render-status", "before"),
        "fetch": AtNemo("media", "answer"),
        "deliver": AtTelegram("sendVideo", "after"),
    }
    await worlds.at_each(points, play)


async def test_a_cancellation_that_comes_while_no_worker_lives_holds_when_one_does(world: World) -> None:
    world.bots.start("intake")
    worker = world.bots.start("worker")
    let_go = await AtNemo("message", "work").arrive(world)
    live = (await world.live())[-1]
    await world.bots.end(worker, signal.SIGKILL)

    await world.ada.press(live, "Cancel", timeout_s=0)
    assert await world.people.confirmed(PATIENCE_S)
    world.bots.start("worker")

    await world.at_rest()
    await expect_cancelled(world)
    await let_go()


async def test_a_cancellation_that_comes_while_no_process_lives_holds_when_one_does(world: World) -> None:
    first = world.bots.start()
    let_go = await AtNemo("message", "work").arrive(world)
    live = (await world.live())[-1]
    await world.bots.end(first, signal.SIGKILL)

    await world.ada.press(live, "Cancel", timeout_s=0)
    world.bots.start()

    await world.at_rest()
    await expect_cancelled(world)
    await let_go()


async def test_a_cancellation_survives_the_process_that_carries_it_out(world: World) -> None:
    first = world.bots.start()
    await AtNemo("message", "work").arrive(world)
    live = (await world.live())[-1]
    hold = await world.people.faults.hold("editMessageText", when="before", times=None)
    await world.ada.press(live, "Cancel", timeout_s=PATIENCE_S)
    await hold.reached(timeout_s=PATIENCE_S)

    await world.bots.end(first, signal.SIGTERM)
    await world.people.faults.clear()
    world.bots.start()

    await world.at_rest()
    await expect_cancelled(world)


async def expect_cancelled(world: World) -> None:
    """Nothing was said but, in the progress message's place, that it was cancelled."""
    live = await world.live()
    assert len(live) == 1
    assert live[0].deleted_at is None
    assert "Cancelled" in live[0].text
    assert [kind_of(seen) for seen in await world.said()] == []
    assert len(await world.nemo.messages()) == 1
    assert await world.nemo.renders() == []


PAUSE_S = 6


async def test_a_worker_ends_without_waiting_while_telegram_asks_to_wait(world: World) -> None:
    process = world.bots.start()
    await world.bots.ready(process)
    await world.people.faults.error(
        "sendMessage", code=429, description=f"Too Many Requests: retry after {PAUSE_S}", retry_after=PAUSE_S
    )
    await world.ada.say("/help")

    async def was_told() -> bool:
        return bool(await world.people.calls("sendMessage", state="error"))

    await until(was_told)
    await world.bots.end(process, signal.SIGTERM)
    assert await world.said() == []  # it did not wait for the end of the pause, to answer then
    world.bots.start()

    await world.ada.chat.wait(timeout_s=PATIENCE_S)
    await world.at_rest()
    (answer,) = await world.said()
    # All workers leave the chat alone for as long as one was told to.
    (refused,) = await world.people.calls("sendMessage", state="error")
    waited = datetime.fromisoformat(answer.stamps[0]) - datetime.fromisoformat(refused["ended"])
    assert waited >= timedelta(seconds=PAUSE_S)
