"""A new video takes the place of the earlier one, and the process ends right there."""

from __future__ import annotations

import signal
from typing import Literal

import pytest

from bot.sandbox.botapi.client import Seen
from tests.interruptions.world import PATIENCE_S, World
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy


Place = tuple[str, Literal["before", "after"]]
"""A call of the Bot API, before it takes effect or after."""

POINTS: dict[str, Place] = {
    "the new video is on its way": ("sendVideo", "before"),
    "the new video is there": ("sendVideo", "after"),
    "the old one is to go": ("deleteMessage", "before"),
    "the old one is gone": ("deleteMessage", "after"),
}

POINTS_WHEN_ANSWERED: dict[str, Place] = {
    "its buttons are to go": ("editMessageReplyMarkup", "before"),
    "its buttons are gone": ("editMessageReplyMarkup", "after"),
    "the progress message is to go": ("deleteMessage", "before"),
    "the progress message is gone": ("deleteMessage", "after"),
}


async def ask(world: World, text: str, place: Place, reply_to: int | None = None) -> None:
    """Ask for another video, and kill the process at a call of its delivery."""
    method, when = place
    rendering = await world.nemo.hold("media", "before")
    await world.ada.say(text, reply_to=reply_to)
    await world.nemo.reached(rendering, timeout_s=PATIENCE_S)
    hold = await world.people.faults.hold(method, when=when)
    await world.nemo.release(rendering)
    await hold.reached(timeout_s=PATIENCE_S)
    (process,) = world.bots.running
    await world.bots.end(process, signal.SIGKILL)
    await hold.release(drop=True)


async def first_video(world: World) -> Seen:
    """A video in a chat that wants them replaced."""
    world.bots.start()
    await world.ada.say("/settings")
    settings = await world.ada.chat.wait(matching="Chat settings", timeout_s=PATIENCE_S)
    await world.ada.press(settings, "Replace old", timeout_s=PATIENCE_S)
    await world.prompt()
    (video,) = await world.videos()
    await world.at_rest()
    return video


async def all_videos(world: World) -> list[Seen]:
    return [seen for seen in await world.said() if "video" in seen.json]


@pytest.mark.parametrize("answered", [False, True])
async def test_whenever_the_process_ends_the_new_one_is_there_once_and_the_old_one_as_it_should_be(
    worlds: Worlds, answered: bool
) -> None:
    async def play(world: World, place: Place) -> None:
        old = await first_video(world)
        await ask(world, 'add a title "Two"', place, reply_to=old.id if answered else None)
        world.bots.start()

        await world.at_rest()
        videos = await all_videos(world)
        assert [seen.deleted_at is None for seen in videos] == [answered, True]
        assert videos[0].id == old.id
        assert bool(videos[0].buttons) is not answered
        assert videos[1].buttons

        # The one that took its place is the one that goes next.
        await world.ada.say('add a title "Three"')
        await world.ada.chat.wait_all(3 if answered else 2, kind="video", timeout_s=PATIENCE_S)
        await world.at_rest()
        videos = await all_videos(world)
        assert [seen.deleted_at is None for seen in videos] == [answered, False, True]
        assert len(await world.nemo.renders()) == 3

    await worlds.at_each(POINTS_WHEN_ANSWERED if answered else POINTS, play)
