"""For those who run the bot: how it stands, and a word to everyone who waits."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.crew import up_since
from bot.jobs.guest_tokens import GIVEN_A_WEEK, GuestTokens
from bot.jobs.job import Kind, Lane, new_job_id
from bot.jobs.lanes import LaneFull, Lanes
from bot.jobs.ports import Bytes, Notice, Report, Seconds
from bot.jobs.runner import Run, Step
from bot.jobs.watch import given_up

log = structlog.get_logger(__name__)

MOST_WORKERS = 20
"""Listed in one message."""


def tell_stats(lanes: Lanes, guest_tokens: GuestTokens, redis: Redis) -> Step:
    """Answers what was asked for today, what runs and waits, what was given up, and which workers are there."""

    async def step(run: Run) -> None:
        today, at_work = await lanes.today(), await lanes.at_work()
        left = max(GIVEN_A_WEEK - await guest_tokens.used_this_week(), 0)
        lines = [
            Notice("stats.ended", {"done": today.done, "failed": today.failed, "cancelled": today.cancelled}),
            Notice("stats.people", {"people": today.people, "size": Bytes(today.bytes)}),
            Notice(
                "stats.now",
                {
                    "running": sum(1 for one in at_work if one.runs),
                    "waiting": sum(one.waiting for one in at_work),
                },
            ),
            Notice("stats.tokens", {"left": left, "most": GIVEN_A_WEEK}),
        ]
        if ended := await given_up(redis):
            last = ended[0]
            lines.append(
                Notice(
                    "stats.given_up",
                    {"n": len(ended), "kind": last.kind, "error": last.error, "id": last.id},
                )
            )
        # Docket's signs of life come in real time, whatever the clock is.
        now = datetime.now(UTC)
        for name in sorted(await lanes.workers())[:MOST_WORKERS]:
            since = up_since(name)
            up = Seconds(0.0 if since is None else (now - since).total_seconds())
            lines.append(Notice("stats.worker", {"name": name.partition("#")[0], "up": up}))
        if await lanes.is_paused():
            lines.append(Notice("stats.paused"))
        await run.front.say("stats", Report(Notice("stats.heading", {"jobs": today.jobs}), tuple(lines)))

    return step


def announce(lanes: Lanes) -> Step:
    """Gives every chat with running or waiting jobs the prepared text, each once however often this starts."""

    async def step(run: Run) -> None:
        chats = run.get("chats")
        if chats is None:
            chats = [[str(one.chat), one.language] for one in await lanes.at_work()]
            await run.save("chats", chats)
        for chat, language in chats:
            word = replace(
                run.job,
                id=new_job_id(),
                chat=ChatKey.parse(chat),
                lane=Lane.ASK,
                kind=Kind.SAY,
                message_id=None,
                language=language,
            )
            with contextlib.suppress(LaneFull):  # Somebody asks faster than can be answered.
                await lanes.accept([word], f"{run.job.id}:word")
        log.info("admin.announced", chats=len(chats))
        await run.front.say("announced", Notice("admin.announced", {"n": len(chats)}))

    return step
