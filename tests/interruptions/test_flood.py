"""Telegram's flood limits against real workers that share one count."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.sandbox.botapi import FloodLimits
from tests.interruptions.world import PATIENCE_S, open_world

pytestmark = pytest.mark.heavy


async def test_two_workers_and_many_chats_are_hardly_ever_told_to_wait(tmp_path: Path, clip: Path) -> None:
    async with open_world(tmp_path, clip, flood_limits=FloodLimits()) as world:
        world.bots.start("intake")
        workers = [world.bots.start("worker") for _ in range(2)]
        for worker in workers:
            await world.bots.ready(worker)
        people = [await world.people.person(f"P{number}", language_code="en") for number in range(4)]
        for person in people:
            await person.open()
        group = await world.people.new_chat("supergroup", "Group", *people)

        async def ask(number: int) -> None:
            person = people[number]
            await person.send_file(
                "video", clip, caption=f'add a title "{number}"', duration=1, width=64, height=48
            )
            await person.say("/help", group)
            await person.chat.wait_all(1, kind="video", timeout_s=PATIENCE_S)

        await asyncio.gather(*(ask(number) for number in range(len(people))))
        answers = await group.wait_all(len(people), timeout_s=PATIENCE_S)

        assert len(answers) == len(people)
        refused = await world.people.calls(state="error")
        told = [call for call in refused if call["error"]["error_code"] == 429]
        assert told == []
