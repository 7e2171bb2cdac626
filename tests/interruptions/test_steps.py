"""One job, interrupted in the middle of each of its steps.

The list is what may happen: where the job stands when its process ends. Wherever that is, the chat gets its answer
once and its video once, and NemoVideo is asked once, charges once, renders once and has the clip once.
"""

from __future__ import annotations

import signal

import pytest

from bot.jobs.queue.job_reader import JobReader
from bot.jobs.worker.stuck_job_monitor import Ages, StuckJobMonitor
from bot.runtime.clock import SystemClock
from bot.sandbox.nemovideo import scripts
from bot.sandbox.nemovideo.scripts import Script
from tests.interruptions.expected import TITLE, expect_everything_once, kind_of
from tests.interruptions.points import AtNemo, AtTelegram, Point
from tests.interruptions.world import PATIENCE_S, World
from tests.interruptions.worlds import ENDS, Worlds

pytestmark = pytest.mark.heavy


POINTS: dict[str, dict[str, Point]] = {
    "connect": {
        "a token was asked for": AtNemo("anonymous-token", "before"),
        "a token was given": AtNemo("anonymous-token", "answer"),
        "the progress message is on its way": AtTelegram("sendMessage", "before"),
        "the progress message is there": AtTelegram("sendMessage", "after"),
        "a project was asked for": AtNemo("session", "before"),
        "a project was made": AtNemo("session", "answer"),
    },
    "upload": {
        "the file was asked for": AtTelegram("getFile", "before"),
        "nothing has arrived": AtNemo("upload", "before"),
        "a part has arrived": AtNemo("upload", "body", after_bytes=1),
        "all has arrived": AtNemo("upload", "answer"),
    },
    "turn": {
        "the message was taken": AtNemo("message", "answer"),
        "the agent is at work": AtNemo("message", "work"),
        "the work is done, words were said": AtNemo("words", script=scripts.hold_after_work(TITLE, "words")),
    },
    "export": {
        "a render was asked for": AtNemo("render", "before"),
        "a render has begun": AtNemo("render", "answer"),
        "a look at the render": AtNemo("render-status", "before"),
        "nothing is fetched": AtNemo("media", "answer"),
        "a part is fetched": AtNemo("media", "answer_body", after_bytes=1000),
    },
    "deliver": {
        "the video is on its way": AtTelegram("sendVideo", "before"),
        "the video is there": AtTelegram("sendVideo", "after"),
        "the progress message is to go": AtTelegram("deleteMessage", "before"),
        "the progress message is gone": AtTelegram("deleteMessage", "after"),
    },
}

HOURS = "600"
"""A lease that no test waits for."""


@pytest.mark.parametrize("step", POINTS)
async def test_a_new_start_goes_on_where_the_process_was_killed(worlds: Worlds, step: str) -> None:
    async def play(world: World, point: Point) -> None:
        first = world.bots.start()
        let_go = await point.arrive(world)

        await world.bots.end(first, signal.SIGKILL)
        await let_go()
        world.bots.start()

        await expect_everything_once(world)

    await worlds.at_each(POINTS[step], play)


@pytest.mark.parametrize("step", POINTS)
async def test_a_process_told_to_end_hands_its_job_over_at_once(worlds: Worlds, step: str) -> None:
    async def play(world: World, point: Point) -> None:
        first = world.bots.start(DEAD_WORKER_S=HOURS)
        let_go = await point.arrive(world)
        second = world.bots.start("worker", DEAD_WORKER_S=HOURS)
        await world.bots.ready(second)

        await world.bots.end(first, signal.SIGTERM)
        await let_go()

        await expect_everything_once(world)

    await worlds.at_each(POINTS[step], play)


LONG: Script = [{"edit": TITLE}, {"text": "word " * 300}]
"""What does not fit into a caption."""

ANSWER_POINTS: dict[str, Point] = {
    "the answer is on its way": AtTelegram("sendMessage", "before", once_working=True, script=LONG),
    "the answer is there": AtTelegram("sendMessage", "after", once_working=True, script=LONG),
    "the video is there": AtTelegram("sendVideo", "after", script=LONG),
}


async def test_a_long_answer_is_sent_once_before_the_video_that_begins_with_it(worlds: Worlds) -> None:
    async def play(world: World, point: Point) -> None:
        first = world.bots.start()
        let_go = await point.arrive(world)

        await world.bots.end(first, signal.SIGKILL)
        await let_go()
        world.bots.start()

        await expect_everything_once(world, kinds=("text", "video"))

    await worlds.at_each(ANSWER_POINTS, play)


SOME_POINTS: dict[str, Point] = {
    "turn": AtNemo("message", "work"),
    "export": AtNemo("render-status", "before"),
    "deliver": AtTelegram("sendVideo", "after"),
}


async def test_another_worker_takes_over_from_one_that_was_killed(worlds: Worlds) -> None:
    async def play(world: World, point: Point) -> None:
        first = world.bots.start("worker")
        world.bots.start("intake")
        let_go = await point.arrive(world)
        await world.bots.ready(world.bots.start("worker"))

        await world.bots.end(first, signal.SIGKILL)
        await let_go()

        await expect_everything_once(world)

    await worlds.at_each(SOME_POINTS, play)


async def test_a_process_told_to_end_leaves_its_job_to_the_next_start(worlds: Worlds) -> None:
    async def play(world: World, point: Point) -> None:
        first = world.bots.start(DEAD_WORKER_S=HOURS)
        let_go = await point.arrive(world)

        await world.bots.end(first, signal.SIGTERM)
        await let_go()
        world.bots.start(DEAD_WORKER_S=HOURS)

        await expect_everything_once(world)

    await worlds.at_each(SOME_POINTS, play)


async def test_a_message_that_may_not_have_arrived_is_told_and_not_sent_again(worlds: Worlds) -> None:
    async def play(world: World, number: signal.Signals) -> None:
        first = world.bots.start()
        let_go = await AtNemo("message", "before").arrive(world)

        await world.bots.end(first, number)
        await let_go()
        world.bots.start()

        told = await world.ada.chat.wait(matching="before anything changed", timeout_s=PATIENCE_S)
        await world.at_rest()
        assert await world.nemo.messages() == []
        assert [seen.id for seen in await world.said()] == [told.id]
        assert [seen.deleted_at is None for seen in await world.live()] == [False]

        await world.ada.press(told, "again", timeout_s=PATIENCE_S)
        await world.videos()
        await world.at_rest()
        assert [message.text for message in await world.nemo.messages()] == [TITLE]
        assert len(await world.nemo.charges()) == 1
        assert [kind_of(seen) for seen in await world.said()] == ["text", "video"]
        assert [len(session.uploads) for session in await world.nemo.sessions()] == [1]

    await worlds.at_each(ENDS, play)


async def test_a_video_that_arrives_late_is_not_sent_again(world: World) -> None:
    first = world.bots.start()
    faults = world.people.faults
    hold = await faults.hold("sendVideo")
    await world.prompt()
    await hold.reached(timeout_s=PATIENCE_S)
    await world.bots.end(first, signal.SIGKILL)

    look, next_look = await faults.hold("editMessageCaption"), await faults.hold("editMessageCaption")
    world.bots.start()
    await look.reached(timeout_s=PATIENCE_S)
    await look.release()  # it is not there yet
    await next_look.reached(timeout_s=PATIENCE_S)
    await hold.release()
    await world.videos()
    await next_look.release()

    await expect_everything_once(world)


async def test_a_job_that_ends_each_of_its_processes_is_given_up_and_told_so_once(world: World) -> None:
    for _ in range(2):
        hold = await world.nemo.hold("session", "before")
        process = world.bots.start(JOB_ATTEMPTS="2")
        if not await world.said() and not await world.live():
            await world.prompt()
        await world.nemo.reached(hold, timeout_s=PATIENCE_S)
        await world.bots.end(process, signal.SIGKILL)

    hold_told = await world.people.faults.hold("sendMessage", when="after")
    process = world.bots.start(JOB_ATTEMPTS="2")
    await hold_told.reached(timeout_s=PATIENCE_S)
    await world.bots.end(process, signal.SIGKILL)
    world.bots.start(JOB_ATTEMPTS="2", ADMINS=str(world.ada.id))

    # Ada is the admin, too, who hears of it.
    await world.ada.chat.wait(matching="jobs list --given-up", timeout_s=PATIENCE_S)
    await world.at_rest()
    told, alert = await world.said()
    assert "interrupted" in told.text
    assert "unexpected error" in alert.text
    assert told.buttons == ["🔁 Try again"]
    assert [seen.deleted_at is None for seen in await world.live()] == [False]
    assert await world.nemo.messages() == []
    async with world.bots.store() as redis:
        watch = StuckJobMonitor(redis, SystemClock(), bound_s=60)
        kept = [(one.chat, one.kind, one.error) for one in await JobReader(redis).given_up()]
        assert kept == [(str(world.ada.chat.id), "edit", "Interrupted")]
        assert await watch.ages() == Ages(0.0, 0.0)
    await world.ada.say("/stats")
    stats = await world.ada.chat.wait(matching="Unexpected errors lately: 1", timeout_s=PATIENCE_S)
    assert "(edit, Interrupted)" in stats.text
