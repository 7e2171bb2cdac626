"""Processes that end while a chat goes back to another project, or to an earlier version of one."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from bot.sandbox.botapi.faults import When
from bot.sandbox.nemovideo.faults import Point as NemoPoint
from tests.interruptions.expected import EDITING_CREDITS, TITLE
from tests.interruptions.world import PATIENCE_S, Process, World, until
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy

SECOND = 'add a title "Two"'


@dataclass(frozen=True, slots=True)
class Held:
    """The call to NemoVideo, or else to Telegram, at which the process is killed."""

    endpoint: str = ""
    point: NemoPoint = "before"
    method: str = ""
    when: When = "before"


async def kill_at(
    world: World, process: Process, at: Held, act: Callable[[], Awaitable[object]], **settings: str
) -> None:
    """Let somebody act, kill the process at a call that follows, and start another one, with its settings."""
    faults, nemo = world.people.faults, world.nemo
    telegram_hold = await faults.hold(at.method, when=at.when) if at.method else None
    nemo_hold = await nemo.hold(at.endpoint, at.point) if at.endpoint else None
    await act()
    if telegram_hold is not None:
        await telegram_hold.reached(timeout_s=PATIENCE_S)
    if nemo_hold is not None:
        await nemo.reached(nemo_hold, timeout_s=PATIENCE_S)
    await world.bots.end(process, signal.SIGKILL)
    if telegram_hold is not None:
        await telegram_hold.release(drop=True)
    if nemo_hold is not None:
        await nemo.release(nemo_hold)
    world.bots.start(**settings)


OPENING = {
    "its state is asked for": Held("state"),
    "its state is known": Held("state", "answer"),
    "the answer is on its way": Held(method="sendMessage"),
}
UNDOING = {
    "the agent is at work": Held("message", "work"),
    "the agent is done": Held("message", "answer"),
    "the earlier video is on its way": Held(method="sendVideo"),
}
VARYING = {
    "the first version is being made": Held("message", "work"),
    "the first version is done": Held("message", "answer"),
    "the first version is rendered": Held("render", "before"),
    "the album is on its way": Held(method="sendMediaGroup"),
    "the progress message is on its way": Held(method="sendMessage"),
}


async def test_a_project_is_opened_once_whenever_the_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, at: Held) -> None:
        first = world.bots.start()
        await world.prompt()
        await world.videos()
        await world.at_rest()
        await world.ada.say("/new")
        sure = await world.ada.chat.wait(matching="Start a new project", timeout_s=PATIENCE_S)
        await world.ada.press(sure, "New project", timeout_s=PATIENCE_S)
        await world.ada.chat.wait(matching="empty project", timeout_s=PATIENCE_S)
        await world.at_rest()
        await world.ada.say("/projects")
        listed = await world.ada.chat.wait(matching="Your projects", timeout_s=PATIENCE_S)
        await world.ada.press(listed, "1.", timeout_s=PATIENCE_S)
        card = await world.ada.chat.wait(matching="ago", message=listed.id, versions=2, timeout_s=PATIENCE_S)

        await kill_at(world, first, at, lambda: world.ada.press(card, "Open", timeout_s=PATIENCE_S))
        await world.ada.chat.wait(matching="Opened", timeout_s=PATIENCE_S)
        await world.at_rest()
        assert len([seen for seen in await world.said() if "Opened" in seen.text]) == 1
        await world.ada.say(SECOND)
        await world.videos(3)  # With the one that the project was shown by.
        await world.at_rest()
        assert [message.text for message in await world.nemo.messages()] == [TITLE, SECOND]
        assert len(await world.nemo.sessions()) == 1

    await worlds.at_each(OPENING, play)


TOPICS = {
    "the topic is being opened": Held(method="createForumTopic"),
    "the topic is open": Held(method="createForumTopic", when="after"),
    "its first message is on its way": Held(method="sendMessage"),
}


async def test_a_new_projects_topic_is_used_once_whenever_the_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, at: Held) -> None:
        await world.people.ask("set_bot", bot=world.people.bot, topics=True)
        first = world.bots.start()
        await world.prompt()
        await world.videos()
        await world.at_rest()

        await kill_at(world, first, at, lambda: world.ada.say("/new"))
        begun = await world.ada.chat.wait(matching="empty project", timeout_s=PATIENCE_S)
        await world.at_rest()
        texts = [seen.text for seen in await world.said()]
        assert [sum(words in text for text in texts) for words in ("empty project", "opened a topic")] == [
            1,
            1,
        ]
        # One that was opened before the process could note it stays empty.
        assert len(await world.ada.chat.topics()) == (2 if at.when == "after" else 1)
        await world.ada.say(SECOND, thread=begun.json["message_thread_id"])
        await until(lambda: _has_asked(world, 2))
        await world.at_rest()
        assert len(await world.nemo.sessions()) == 2

    await worlds.at_each(TOPICS, play)


async def _has_asked(world: World, count: int) -> bool:
    return len(await world.nemo.messages()) == count


async def test_an_edit_is_undone_once_whenever_the_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, at: Held) -> None:
        first = world.bots.start()
        await world.prompt()
        await world.videos()
        await world.at_rest()
        await world.ada.say(SECOND)
        video = (await world.videos(2))[-1]
        await world.at_rest()

        await kill_at(world, first, at, lambda: world.ada.press(video, "Undo", timeout_s=PATIENCE_S))
        await world.videos(3)
        await world.at_rest()
        assert len(await world.videos(3)) == 3
        asked = [message.text for message in await world.nemo.messages()]
        assert asked[:2] == [TITLE, SECOND]
        assert [text.startswith("Undo the last change") for text in asked[2:]] == [True]
        assert [charge.credits for charge in await world.nemo.charges()] == [EDITING_CREDITS]
        assert len(await world.nemo.renders()) == 2  # The video of before is there already.

    await worlds.at_each(UNDOING, play)


async def test_versions_are_made_and_sent_once_whenever_the_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, at: Held) -> None:
        first = world.bots.start()
        await world.prompt()
        await world.videos()
        await world.at_rest()
        await world.ada.say("make 3 versions with different music")
        offer = await world.ada.chat.wait(matching="different in the 3 versions", timeout_s=PATIENCE_S)
        await world.at_rest()

        await kill_at(
            world, first, at, lambda: world.ada.press(offer, "Different music", timeout_s=PATIENCE_S)
        )
        await world.ada.chat.wait(matching="the last of the 3", timeout_s=PATIENCE_S)
        await world.at_rest()
        assert len(await world.videos(4)) == 4
        assert len([seen for seen in await world.said() if "the last of the 3" in seen.text]) == 1
        assert [message.text.partition(",")[0] for message in await world.nemo.messages()] == [
            TITLE,
            "Use calm music",
            "Use upbeat music",
            "Use cinematic music",
        ]
        assert [charge.credits for charge in await world.nemo.charges()] == [EDITING_CREDITS]
        assert len(await world.nemo.renders()) == 4

    await worlds.at_each(VARYING, play)
