"""An album, interrupted while it is being gathered: none of it is lost, none comes twice, and it is one request."""

from __future__ import annotations

import signal

import pytest

from bot.sandbox.nemovideo.faults import Point
from tests.interruptions.expected import EDITING_CREDITS, kind_of
from tests.interruptions.world import PATIENCE_S, World
from tests.interruptions.worlds import ENDS, Worlds

pytestmark = pytest.mark.heavy


CAPTION = 'add a title "One"'


async def send_part(world: World, caption: str = "") -> None:
    await world.ada.send_file(
        "video", world.clip, caption=caption, album="1", duration=1, width=64, height=48
    )


async def start_next(world: World) -> None:
    """Take the rest in before anybody works: on a busy machine it might come after the pause that ends a request."""
    world.bots.start("intake")
    assert await world.people.confirmed(PATIENCE_S)
    world.bots.start("worker")


async def expect_one_album(world: World, parts: int) -> None:
    await world.videos()
    await world.at_rest()
    assert [kind_of(seen) for seen in await world.said()] == ["video"]
    # It moves down when other messages come below it.
    assert all(seen.deleted_at is not None for seen in await world.live())
    assert [message.text for message in await world.nemo.messages()] == [CAPTION]
    assert [charge.credits for charge in await world.nemo.charges()] == [EDITING_CREDITS]
    sessions = [session for session in await world.nemo.sessions() if session.uploads]
    assert [len(session.uploads) for session in sessions] == [parts]


async def test_the_rest_of_an_album_joins_what_a_dead_process_began_to_gather(worlds: Worlds) -> None:
    async def play(world: World, number: signal.Signals) -> None:
        first = world.bots.start()
        await world.bots.ready(first)
        hold = await world.nemo.hold("upload", "before")  # however late the process ends
        await send_part(world)
        await send_part(world, CAPTION)
        assert await world.people.confirmed(PATIENCE_S)
        await world.begun()

        await world.bots.end(first, number)
        assert await world.nemo.uploads() == []
        await world.nemo.release(hold)
        await send_part(world)
        await start_next(world)

        await expect_one_album(world, 3)

    await worlds.at_each(ENDS, play)


async def test_what_joined_during_the_upload_is_brought_by_the_next_process(worlds: Worlds) -> None:
    async def play(world: World, point: Point) -> None:
        first = world.bots.start()
        hold = await world.nemo.hold("upload", point)
        await send_part(world, CAPTION)
        await send_part(world)
        await world.nemo.reached(hold, timeout_s=PATIENCE_S)
        await send_part(world)
        assert await world.people.confirmed(PATIENCE_S)

        await world.bots.end(first, signal.SIGKILL)
        await world.nemo.release(hold)
        world.bots.start()

        await expect_one_album(world, 3)

    points: dict[str, Point] = {"nothing has arrived": "before", "all has arrived": "answer"}
    await worlds.at_each(points, play)


async def test_a_paste_goes_on_where_a_process_died_between_its_pieces(world: World) -> None:
    first, second = f"{CAPTION} and {'then wait ' * 500}"[:4095] + ".", "That is all"
    process = world.bots.start()
    await world.bots.ready(process)
    opening = await world.nemo.hold(
        "session", "before"
    )  # nothing is sent before, however late the process ends
    hold = await world.people.faults.hold("getUpdates", when="before")
    await world.ada.say(first)
    await hold.reached(timeout_s=PATIENCE_S)  # the call whose offset confirms the first piece
    await world.ada.say(second)
    await send_part(world)

    await world.bots.end(process, signal.SIGKILL)
    await hold.release(drop=True)
    await world.nemo.release(opening)
    await start_next(world)

    await world.videos()
    await world.at_rest()
    assert [message.text for message in await world.nemo.messages()] == [first + second]
    assert [charge.credits for charge in await world.nemo.charges()] == [EDITING_CREDITS]
    assert len(await world.nemo.uploads()) == 1
