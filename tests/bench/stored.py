"""What a chat and a job take in the store, and how often a plain job goes there.

A chat is one with a guest account, a project and chosen settings; a job is one that waits. A plain job is a request in
words whose video is delivered, by the whole bot in this process: each write to a connection of the store is a round
trip, whatever it carries. What an idle bot writes in the same time is subtracted.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.fernet import Fernet
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

from bot.chats.chats import AccountKind, ChatFields, Chats
from bot.chats.key import ChatKey
from bot.chats.token_cipher import TokenCipher
from bot.jobs.model import Job, JobKind, QueueName, new_job_id
from bot.jobs.queue.job_queue import JobQueue
from bot.runtime.clock import SystemClock
from bot.sandbox.botapi.client import People
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import running_bot
from bot.sandbox.services import serve_services
from bot.store import keys
from bot.store.connect import open_store
from bot.store.docket_json import open_docket
from tests.bench.overhead import NO_TIME
from tests.bench.table import Figure

CHATS, JOBS, ROUNDS = 3000, 3000, 10
IDLE_S = 5.0
PATIENCE_S = 30.0


async def measure() -> list[Figure]:
    """Bytes, then round trips."""
    chat_bytes, job_bytes = await _bytes()
    trips = await _round_trips()
    return [
        Figure("store: a chat with a project", "bytes", "", chat_bytes, chat_bytes, chat_bytes, " B", 400),
        Figure("store: a waiting request", "bytes", "", job_bytes, job_bytes, job_bytes, " B", 1500),
        Figure(
            "store: a plain job", "round trips", "", sum(trips) / ROUNDS, min(trips), max(trips), "", 38.5
        ),
    ]


async def used_bytes(redis: Redis) -> int:
    """Return the memory that the store's data takes."""
    info: Any = await redis.info("memory")
    return int(info["used_memory"])


async def _bytes() -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with (
            open_store(None, Path(folder)) as store,
            open_docket(keys.DOCKET, store.url, timedelta(minutes=1)) as docket,
        ):
            chats = Chats(store.redis, TokenCipher([Fernet.generate_key().decode()]))
            job_queue = JobQueue(store.redis, docket, SystemClock())
            empty = await used_bytes(store.redis)
            for number in range(CHATS):
                await save_chat(chats, ChatKey(5_000_000_000 + number))
            with_chats = await used_bytes(store.redis)
            for number in range(JOBS):
                await job_queue.enqueue([waiting_job(ChatKey(6_000_000_000 + number))], number)
            return (with_chats - empty) / CHATS, (await used_bytes(store.redis) - with_chats) / JOBS


async def save_chat(chats: Chats, key: ChatKey) -> None:
    """Save a chat with a guest account, a project and chosen settings."""
    epoch = secrets.token_urlsafe(6)
    await chats.update(
        key,
        ChatFields(
            client_id=uuid4(),
            account=AccountKind.GUEST,
            token=f"nmv_anon_{uuid4().hex}",
            token_expires_at=datetime.now(UTC),
            user_id=f"anon_{uuid4().hex[:16]}",
            session_id=str(uuid4()),
            task_id=str(uuid4()),
            account_epoch=epoch,
            project_epoch=epoch,
            language="en",
            greeted=True,
        ),
    )


def waiting_job(chat: ChatKey) -> Job:
    """Make a short request in words."""
    return Job(
        id=new_job_id(),
        chat=chat,
        queue=QueueName.MAIN,
        kind=JobKind.EDIT,
        requester_id=chat.chat_id,
        message_id=1,
        language="en",
        asked_at=datetime.now(UTC),
        prompt="make it vertical and add a title",
    )


async def _round_trips() -> list[float]:
    written = 0
    send = AbstractConnection.send_packed_command

    async def count(self: AbstractConnection, command: Any, check_health: bool = True) -> None:
        nonlocal written
        written += 1
        await send(self, command, check_health)

    AbstractConnection.send_packed_command = count  # type: ignore[method-assign]
    try:
        return await _jobs(lambda: written)
    finally:
        AbstractConnection.send_packed_command = send  # type: ignore[method-assign]


async def _jobs(written: Callable[[], int]) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        directory = Path(folder)
        async with (
            open_store(None, directory) as store,
            serve_services(directory / "services", flood_limits=None) as services,
            People(services.people_url) as people,
            NemoControl(services.nemo_control_url) as nemo,
            running_bot(
                services, directory / "bot", SystemClock(), redis_url=SecretStr(store.url), render_poll_s=0.1
            ),
        ):
            await nemo.set(pace=NO_TIME, anonymous_credits=100_000)
            ann = await people.person()
            await ann.open()
            await ann.say("make a 1 second video of a cat")
            await _videos(ann, 1)
            loop = asyncio.get_running_loop()
            before = written()
            await asyncio.sleep(IDLE_S)
            idle_per_s = (written() - before) / IDLE_S
            trips = []
            for number in range(ROUNDS):
                before, began_s = written(), loop.time()
                await ann.say(f'add a title "Number {number}"')
                await _videos(ann, number + 2)
                await asyncio.sleep(1.0)  # The job ends a moment after its video.
                trips.append(written() - before - idle_per_s * (loop.time() - began_s))
            return trips


async def _videos(ann: Any, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while sum("video" in one.json for one in await ann.chat.messages(from_bots=True)) < count:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)
