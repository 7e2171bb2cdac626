"""Jobs that were given up: the latest of them are kept for the operator."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from bot.store import keys


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A job that ended with an apology, for whoever runs the bot.

    Args:
        id: Its id, as in the log.
        chat: Where it was asked.
        kind: What it was for.
        at: When it was given up, UTC.
        error: The name of the last error, or ``Interrupted`` when its processes died of it, or with it.
    """

    id: str
    chat: str
    kind: str
    at: datetime
    error: str

    def to_dict(self) -> dict[str, str]:
        """For whoever reads it outside of the bot."""
        return {**asdict(self), "at": self.at.isoformat()}


async def given_up(redis: Redis) -> list[GivenUp]:
    """The latest jobs that were given up, the last one first."""
    lines: Any = await redis.lrange(keys.GIVEN_UP, 0, -1)
    found = [json.loads(line) for line in lines]
    return [GivenUp(**one | {"at": datetime.fromtimestamp(one["at"], UTC)}) for one in found]


def given_up_entry(job_id: str, chat: str, kind: str, at: datetime, error: str) -> str:
    """A job that is given up, as it is kept."""
    entry = {"id": job_id, "chat": chat, "kind": kind, "at": at.timestamp(), "error": error}
    return json.dumps(entry, separators=(",", ":"))
