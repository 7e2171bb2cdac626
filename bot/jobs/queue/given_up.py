"""Jobs that were given up: the latest of them are kept for the operator."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from redis.asyncio import Redis

from bot.store import keys


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A job that ended with an apology.

    Args:
        id: The job's id, as in the log.
        chat: Where it was asked, as ``str(ChatKey)``; the script that erases a chat reads it.
        kind: What it was for.
        at: When it was given up, UTC.
        error: Class name of the last error, or ``Interrupted`` if its processes kept dying.
    """

    id: str
    chat: str
    kind: str
    at: datetime
    error: str


STORED_GIVEN_UP = TypeAdapter(GivenUp)  # reads and writes the stored form


async def given_up(redis: Redis) -> list[GivenUp]:
    """Return the latest jobs that were given up, newest first."""
    entries: Any = await redis.lrange(keys.GIVEN_UP, 0, -1)
    return [STORED_GIVEN_UP.validate_json(entry) for entry in entries]
