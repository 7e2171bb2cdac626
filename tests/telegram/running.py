"""The whole bot against both stand-ins, on the tests' own store, for what shows in several places at once."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from bot.sandbox.botapi.client import People, Person, Seen
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import running_bot
from bot.sandbox.services import Services, serve_services
from bot.store import keys
from bot.store.connect import Store
from tests.clocks import FastClock

SPEED = 60.0


@dataclass
class World:
    """The bot's surroundings, which outlive it."""

    services: Services
    people: People
    nemo: NemoControl
    store: Store
    directory: Path

    @property
    def redis(self) -> Redis:
        return self.store.redis

    def bot(self, **settings: Any) -> contextlib.AbstractAsyncContextManager[None]:
        given = {"NEMO_TOKEN": "nmv_usr_operator", "REDIS_URL": self.store.url}
        return running_bot(self.services, self.directory / "bot", FastClock(SPEED), **given | settings)

    async def person(self, name: str) -> Person:
        person = await self.people.person(name)
        await person.open()
        return person

    async def kept(self, chat_id: int) -> dict[str, int]:
        """The keys that belong to a chat, and the seconds each has still to live (-1: for ever)."""
        found = [key async for key in self.redis.scan_iter(f"{keys.NAMESPACE}*{{{chat_id}*")]
        return {key: await self.redis.ttl(key) for key in found}


async def ask(person: Person, text: str, answer: str | None = None, **where: Any) -> Seen:
    """Say something, and wait for the next message of the bot, with these words if more may come between."""
    asked = await person.say(text, **where)
    return await person.chat.wait(after=asked.id, matching=answer)


@contextlib.asynccontextmanager
async def open_world(directory: Path, store: Store) -> AsyncIterator[World]:
    """Both services, an account at NemoVideo, and nobody in Telegram yet."""
    async with contextlib.AsyncExitStack() as stack:
        services = await stack.enter_async_context(
            serve_services(directory / "services", FastClock(SPEED), flood_limits=None)
        )
        people = await stack.enter_async_context(People(services.people_url, app=services.telegram_app))
        nemo = await stack.enter_async_context(NemoControl(services.nemo_control_url, services.nemo_app))
        await nemo.add_account(token="nmv_usr_operator")
        yield World(services, people, nemo, store, directory)
