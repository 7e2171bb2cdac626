"""For those who run the bot: how it stands, and a word to everyone who waits."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.messages import Bytes, ListMessage, LocalizedMessage, Seconds
from bot.jobs.model import JobKind, QueueName, new_job_id
from bot.jobs.payloads import AnnouncePayload, SayPayload
from bot.jobs.queue.given_up import given_up
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.jobs.worker.runner import Attempt, Step
from bot.jobs.worker.supervisor import up_since
from bot.projects.guest_accounts import GUEST_ACCOUNTS_PER_WEEK, GuestAccountCounter

log = structlog.get_logger(__name__)

MOST_WORKERS = 20
"""Listed in one message."""


def show_stats(job_queue: JobQueue, guest_accounts: GuestAccountCounter, redis: Redis) -> Step:
    """Answers what was asked for today, what runs and waits, what was given up, and which workers are there."""

    async def step(attempt: Attempt) -> None:
        today, at_work = await job_queue.today(), await job_queue.at_work()
        left = max(GUEST_ACCOUNTS_PER_WEEK - await guest_accounts.used_this_week(), 0)
        lines = [
            LocalizedMessage(
                "stats.ended", {"done": today.done, "failed": today.failed, "cancelled": today.cancelled}
            ),
            LocalizedMessage("stats.people", {"people": today.people, "size": Bytes(today.bytes)}),
            LocalizedMessage(
                "stats.now",
                {
                    "running": sum(1 for one in at_work if one.runs),
                    "waiting": sum(one.waiting for one in at_work),
                },
            ),
            LocalizedMessage("stats.tokens", {"left": left, "most": GUEST_ACCOUNTS_PER_WEEK}),
        ]
        if ended := await given_up(redis):
            last = ended[0]
            lines.append(
                LocalizedMessage(
                    "stats.given_up",
                    {"n": len(ended), "kind": last.kind, "error": last.error, "id": last.id},
                )
            )
        # Docket's signs of life come in real time, whatever the clock is.
        now = datetime.now(UTC)
        for name in sorted(await job_queue.workers())[:MOST_WORKERS]:
            since = up_since(name)
            up = Seconds(0.0 if since is None else (now - since).total_seconds())
            lines.append(LocalizedMessage("stats.worker", {"name": name.partition("#")[0], "up": up}))
        if await job_queue.is_paused():
            lines.append(LocalizedMessage("stats.paused"))
        await attempt.responder.send(
            "stats", ListMessage(LocalizedMessage("stats.heading", {"jobs": today.jobs}), tuple(lines))
        )

    return step


def announce(job_queue: JobQueue) -> Step:
    """Gives every chat with running or waiting jobs the prepared text, each once however often this starts."""

    async def step(attempt: Attempt) -> None:
        chats = attempt.get_value("chats")
        if chats is None:
            chats = [[str(one.chat), one.language] for one in await job_queue.at_work()]
            await attempt.save_value("chats", chats)
        for chat, language in chats:
            word = replace(
                attempt.job,
                id=new_job_id(),
                chat=ChatKey.parse(chat),
                queue=QueueName.QUICK,
                kind=JobKind.SAY,
                payload=SayPayload(message=attempt.job.payload_as(AnnouncePayload).message),
                message_id=None,
                language=language,
            )
            with contextlib.suppress(QueueFull):  # Somebody asks faster than can be answered.
                await job_queue.enqueue([word], f"{attempt.job.id}:word")
        log.info("admin.announced", chats=len(chats))
        await attempt.responder.send("announced", LocalizedMessage("admin.announced", {"n": len(chats)}))

    return step
