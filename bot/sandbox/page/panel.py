"""The content of the page's side panel: the services and the bot's jobs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter
from redis.asyncio import Redis

from bot.jobs.model import JobKind
from bot.jobs.queue.album import read_gathered_job
from bot.sandbox.botapi.state import Json
from bot.sandbox.nemovideo.settings import Settings
from bot.sandbox.services import Services
from bot.store import keys

SHOWN = 30
"""Maximum number of entries of a growing list, the newest."""

_OF_THE_BOT = frozenset({JobKind.MESSAGE, JobKind.DELETE_TOKEN, JobKind.ANNOUNCE, JobKind.PRIVATE_ANSWER})
"""Jobs of the bot's own, which nobody asked for by name."""

SETTINGS_SCHEMA: Json = TypeAdapter(Settings).json_schema()
"""JSON schema of the switches, from which the page builds its form."""


async def panel(services: Services, redis: Redis) -> Json:
    """Return the panel's content as JSON.

    Args:
        services: The stand-ins.
        redis: The bot's store.
    """
    telegram, nemo = services.telegram, services.nemo
    return {
        "settings": asdict(nemo.settings),
        "accounts": [
            {
                "id": one.user_id,
                "plan": one.plan,
                "token": "" if one.plan == "anonymous" else one.token,
                "credits": one.available,
                "may_render": one.may_render,
                "expired": one.expires_at <= nemo.now(),
            }
            for one in nemo.accounts.by_user.values()
        ],
        "charged": sum(charge.credits for charge in nemo.accounts.charges),
        "charges": [
            {"credits": one.credits, "reason": one.reason, "at": one.at.isoformat()}
            for one in nemo.accounts.charges[-SHOWN:]
        ],
        "messages": [
            {
                "text": one.text,
                "at": one.at.isoformat(),
                "ended": one.ended_at is not None,
                "delivered": one.delivered,
            }
            for one in nemo.messages[-SHOWN:]
        ],
        "sessions": list(nemo.sessions),
        "uploads": sum(len(session.uploads) for session in nemo.sessions.values()),
        "renders": [
            {"id": one.id, "status": one.status, "progress": one.progress, "error": one.error}
            for one in list(nemo.renders.by_id.values())[-SHOWN:]
        ],
        "scripts": sum(1 for one in nemo.scripts if one.times),
        "nemo_faults": [
            {"endpoint": one.endpoint, "times": one.times} for one in nemo.faults.rules if one.times
        ],
        "telegram_faults": [one.json() for one in telegram.journal.faults if one.times != 0 or one.waiting],
        "flood_limits": telegram.flood.limits is not None,
        "calls": [
            {"seq": one.seq, "method": one.method, "state": one.state, "error": one.error}
            for one in telegram.journal.calls[-SHOWN:]
        ],
        "jobs": await _jobs(redis),
    }


async def _jobs(redis: Redis) -> list[dict[str, Any]]:
    """Return the bot's jobs from its store, newest first."""
    found = []
    async for key in redis.scan_iter(match=f"{keys.JOB}*", count=500):
        fields: Any = await redis.hgetall(key)
        if "request" not in fields:
            continue
        job = read_gathered_job(fields).job
        if job.kind in _OF_THE_BOT:
            continue
        found.append(
            {
                "id": job.id,
                "chat": job.chat.chat_id,
                "kind": job.kind,
                "queue": job.queue,
                "state": fields["state"],
                "attempt": int(fields.get("attempt", 0)),
                "asked_at": job.asked_at.isoformat(),
                "text": job.prompt[:80],
                "files": len(job.files),
            }
        )
    found.sort(key=lambda job: str(job["asked_at"]), reverse=True)
    return found[:SHOWN]
