"""Processes that end while a result takes another form, or while the files of a lost project are put back."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Literal

import pytest

from bot.sandbox.botapi.client import Seen
from bot.sandbox.nemovideo.faults import Point as NemoPoint
from tests.interruptions.expected import EDITING_CREDITS, TITLE
from tests.interruptions.world import PATIENCE_S, World, until
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy

SECOND = 'add a title "Two"'
RESTORE = "Restore first"
RESULT_BYTES = 4_000_000
"""Large enough for a smaller version."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """Where a job stands when its process is killed.

    Args:
        refused: How many uploads find the server too small for them.
        method: The call that is held; empty for none: the process is killed as soon as the upload was refused.
        when: Whether the call has taken effect by then.
    """

    refused: int
    method: str = ""
    when: Literal["before", "after"] = "before"


FALLBACKS = {
    "a smaller version is being made": Fallback(1),
    "a smaller version is on its way": Fallback(1, "sendVideo"),
    "a smaller version is there": Fallback(1, "sendVideo", "after"),
    "the link is on its way": Fallback(9, "sendMessage"),
    "the link is there": Fallback(9, "sendMessage", "after"),
}


def is_result(seen: Seen) -> bool:
    return "video" in seen.json or "Download" in str(seen.json)


async def test_a_fallback_is_taken_once_whenever_the_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, point: Fallback) -> None:
        await world.nemo.set(render_bytes=RESULT_BYTES)
        first = world.bots.start()
        fetching = await world.nemo.hold("media", "before")
        await world.prompt()
        await world.nemo.reached(fetching, timeout_s=PATIENCE_S)
        faults = world.people.faults
        await faults.error(
            *("sendVideo", "sendDocument"),
            code=413,
            description="Request Entity Too Large",
            times=point.refused,
        )
        hold = await faults.hold(point.method, when=point.when) if point.method else None
        await world.nemo.release(fetching)
        if hold is not None:
            await hold.reached(timeout_s=PATIENCE_S)
        else:

            async def is_refused() -> bool:
                return bool(await world.people.calls("sendVideo"))

            await until(is_refused)

        await world.bots.end(first, signal.SIGKILL)
        if hold is not None:
            await hold.release(drop=True)
        world.bots.start()

        async def is_there() -> bool:
            return any(is_result(seen) for seen in await world.said())

        await until(is_there)
        await world.at_rest()
        said = await world.said()
        assert [is_result(seen) for seen in said] == [True], said
        assert all(seen.deleted_at is not None for seen in await world.live())
        assert [message.text for message in await world.nemo.messages()] == [TITLE]
        assert [charge.credits for charge in await world.nemo.charges()] == [EDITING_CREDITS]
        assert len(await world.nemo.renders()) == 1

    await worlds.at_each(FALLBACKS, play)


@dataclass(frozen=True, slots=True)
class Restoring:
    """Where the job stands: at a call to NemoVideo; with no endpoint it is still being offered."""

    endpoint: str = ""
    point: NemoPoint = "before"
    after_bytes: int = 0


RESTORING = {
    "it is offered": Restoring(),
    "a project was made": Restoring("session", "answer"),
    "nothing is put back": Restoring("upload"),
    "all is put back": Restoring("upload", "answer"),
    "the agent is at work": Restoring("message", "work"),
    "the video is rendered": Restoring("render", "answer"),
}


async def test_files_are_put_back_once_whenever_the_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, at: Restoring) -> None:
        first = world.bots.start()
        await world.prompt()
        await world.videos()
        await world.at_rest()
        for session in await world.nemo.sessions():
            await world.nemo.drop_session(session.id)
        await world.ada.say(SECOND)
        offer = await world.ada.chat.wait(matching="no longer has", timeout_s=PATIENCE_S)
        await world.at_rest()
        hold = None
        if at.endpoint:
            hold = await world.nemo.hold(at.endpoint, at.point, after_bytes=at.after_bytes)
            await world.ada.press(offer, RESTORE, timeout_s=PATIENCE_S)
            await world.nemo.reached(hold, timeout_s=PATIENCE_S)

        await world.bots.end(first, signal.SIGKILL)
        if hold is not None:
            await world.nemo.release(hold)
        world.bots.start()
        if hold is None:
            await world.ada.press(offer, RESTORE, timeout_s=PATIENCE_S)

        await world.videos(2)
        await world.at_rest()
        texts = [seen.text for seen in await world.said() if "video" not in seen.json]
        assert len([text for text in texts if "no longer has" in text]) == 1
        assert len(await world.videos(2)) == 2
        assert [message.text for message in await world.nemo.messages()] == [TITLE, SECOND]
        assert [charge.credits for charge in await world.nemo.charges()] == [EDITING_CREDITS] * 2
        assert len(await world.nemo.renders()) == 2
        left = [session for session in await world.nemo.sessions() if session.uploads]
        assert len(left[-1].uploads) == 1
        assert [len(track["sg"]) for track in left[-1].draft["t"] if track["tt"] == 0] == [1]

    await worlds.at_each(RESTORING, play)
