"""Jobs that were given up: the latest of them are kept for the operator."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from redis.asyncio import Redis

from bot.store import keys


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A job that ended with an apology."""

    id: str  # the job's id, as in the log
    chat: str  # where it was asked, as ``str(ChatKey)``; the script that erases a chat reads it
    kind: str  # what it was for
    at: datetime  # when it was given up, UTC
    error: str  # class name of the last error, or ``Interrupted`` if its processes kept dying


STORED_GIVEN_UP = TypeAdapter(GivenUp)  # reads and writes the stored form


async def given_up(redis: Redis) -> list[GivenUp]:
    """Return the latest jobs that were given up, newest first."""
    entries: Any = await redis.lrange(keys.GIVEN_UP, 0, -1)
    return [STORED_GIVEN_UP.validate_json(entry) for entry in entries]
