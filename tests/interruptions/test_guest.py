"""Processes that end while the bot answers as a guest, in a chat where it is no member."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Literal

import pytest

from bot.sandbox.nemovideo.faults import Point as NemoPoint
from tests.interruptions.expected import EDITING_CREDITS
from tests.interruptions.world import PATIENCE_S, World
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy

PROMPT = 'add a title "One"'


@dataclass(frozen=True, slots=True)
class Held:
    """The call to Telegram, or else to NemoVideo, at which the process is killed."""

    method: str = ""
    when: Literal["before", "after"] = "before"
    endpoint: str = ""
    point: NemoPoint = "before"


CASES = {
    "the answer is not on its way": Held("answerGuestQuery"),
    "the answer's id is lost": Held("answerGuestQuery", "after"),
    "the agent is done": Held(endpoint="message", point="answer"),
    "the video is sent in private": Held("sendVideo", "after"),
    "the answer is about to become the video": Held("editMessageMedia"),
    "the answer has become the video": Held("editMessageMedia", "after"),
}


async def test_a_guests_request_runs_once_whenever_the_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, at: Held) -> None:
        await world.people.ask("set_bot", guest=True)
        friends = await world.people.new_chat("supergroup", "Friends", world.ada, bot="")
        clip = await world.ada.send_file("video", world.clip, friends, duration=1, width=64, height=48)
        faults, nemo = world.people.faults, world.nemo
        hold = await faults.hold(at.method, when=at.when) if at.method else None
        nemo_hold = await nemo.hold(at.endpoint, at.point) if at.endpoint else None
        first = world.bots.start()
        await world.ada.say(f"@sandbox_bot {PROMPT}", friends, reply_to=clip.id)
        if hold is not None:
            await hold.reached(timeout_s=PATIENCE_S)
        if nemo_hold is not None:
            await nemo.reached(nemo_hold, timeout_s=PATIENCE_S)
        await world.bots.end(first, signal.SIGKILL)
        if hold is not None:
            await hold.release(drop=True)
        if nemo_hold is not None:
            await nemo.release(nemo_hold)
        world.bots.start()

        assert len(await world.videos()) == 1
        await world.at_rest()
        (answer,) = await friends.messages(from_bots=True)
        if at == CASES["the answer's id is lost"]:
            assert "On it" in answer.text  # Telegram tells it once: the video is in the private chat alone.
        elif at == CASES["the video is sent in private"]:
            assert "private chat" in answer.text  # That it was sent is found out, and not its file ID.
        else:
            assert "video" in answer.json
        assert [message.text for message in await nemo.messages()] == [PROMPT]
        assert [charge.credits for charge in await nemo.charges()] == [EDITING_CREDITS]
        assert len(await nemo.renders()) == 1
        assert len(await world.videos()) == 1
        assert await world.people.confirmed()

    await worlds.at_each(CASES, play)
