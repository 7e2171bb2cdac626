"""Pressed buttons, with the whole bot against both stand-ins: nothing else that goes on holds an answer back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.runtime.clock import SystemClock
from bot.sandbox.botapi.client import People, Person
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import running_bot
from bot.sandbox.services import Services, serve_services
from bot.store.connect import Store
from tests.clocks import PATIENCE_S

PEOPLE = 8
PRESSES = 6

SENDING = (
    "sendMessage",
    "sendPhoto",
    "sendVideo",
    "editMessageText",
    "editMessageReplyMarkup",
    "deleteMessage",
)


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with serve_services(tmp_path / "services", SystemClock(), flood_limits=None) as served:
        yield served


@pytest.fixture
async def bot(services: Services, store: Store, store_url: str, tmp_path: Path) -> AsyncIterator[None]:
    url = SecretStr(store_url)
    async with running_bot(services, tmp_path / "bot", SystemClock(), redis_url=url, progress_edit_s=0.1):
        yield


async def test_every_press_is_answered_while_all_else_stands_still(services: Services, bot: None) -> None:
    """Each chat waits for NemoVideo, for a send and for an edit; a press behind any of them would never be answered."""
    async with (
        People(services.people_url, app=services.telegram_app) as people,
        NemoControl(services.nemo_control_url, services.nemo_app) as nemo,
    ):
        crowd = [await people.person(f"P{n}") for n in range(PEOPLE)]
        await asyncio.gather(*(one.say("/settings") for one in crowd))
        menus = [await one.chat.wait(timeout_s=PATIENCE_S, contains="") for one in crowd]
        await nemo.hold("credits")
        await asyncio.gather(*(one.say("/credits") for one in crowd))
        standing = await people.faults.hold(*SENDING, times=None)
        await asyncio.gather(*(one.say("make a 1 second video of a cat") for one in crowd))
        await standing.reached(1, timeout_s=PATIENCE_S)

        async def press_all(one: Person, number: int) -> list[str | None]:
            found = []
            for turn in range(PRESSES):
                data = f"1:set:{turn % 2}:auto_export"
                answer = await one.press(menus[number], data=data, timeout_s=PATIENCE_S)
                found.append(None if answer is None else str(answer["text"]))
            return found

        answers = await asyncio.gather(*(press_all(one, number) for number, one in enumerate(crowd)))
        assert answers == [["Saved"] * PRESSES] * PEOPLE
        await people.faults.clear()
        await standing.release()
        await nemo.release()


async def test_an_admins_press_is_answered_while_sends_are_held_back(services: Services, bot: None) -> None:
    async with (
        People(services.people_url, app=services.telegram_app) as people,
        NemoControl(services.nemo_control_url, services.nemo_app) as nemo,
    ):
        ann, bo, cleo = [await people.person(name) for name in ("Ann", "Bo", "Cleo")]
        club = await people.new_chat("supergroup", "Club", ann, bo, cleo)
        await nemo.hold("message")
        await bo.say("/edit make a 1 second video of a cat", club)
        progress_message = await club.wait(timeout_s=PATIENCE_S)
        await people.faults.error(
            *SENDING, code=429, description="Too Many Requests", retry_after=600, times=None
        )
        asked = await cleo.press(progress_message, "Cancel", timeout_s=PATIENCE_S)
        assert asked is not None
        assert "Only the person who started this" in asked["text"]
        stopped = await ann.press(progress_message, "Cancel", timeout_s=PATIENCE_S)
        assert stopped is not None
        assert stopped["text"] == "Cancelling…"
        await people.faults.clear()
        await nemo.release()
