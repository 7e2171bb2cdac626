"""Jobs that begin at a later time. They wait in the store, not with a worker; the sweep enqueues those that are due."""

import json
from datetime import datetime
from typing import Any

import structlog
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.model import STORED_JOB, Job
from bot.store import keys

log = structlog.get_logger(__name__)

BATCH = 100  # how many due jobs one sweep takes


class ScheduledJobs:
    """Keeps the jobs that begin at a later time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, job: Job, at: datetime) -> None:
        """Store a job; of several with the same id one is enqueued."""
        await self._redis.zadd(keys.SCHEDULED_JOBS, {STORED_JOB.dump_json(job).decode(): at.timestamp()})

    async def due(self, now: datetime) -> dict[str, Job]:
        """Return the jobs that are due, the longest due first; the keys are their stored JSON, for :meth:`remove`.

        Those that can't be read are removed.
        """
        due: list[Any] = await self._redis.zrangebyscore(
            keys.SCHEDULED_JOBS, "-inf", now.timestamp(), start=0, num=BATCH
        )
        jobs = {}
        for stored in due:
            try:
                jobs[stored] = STORED_JOB.validate_json(stored)
            except ValueError:  # An earlier release, or no bot, wrote it.
                log.warning("scheduled_job.unreadable")
                await self.remove(stored)
        return jobs

    async def remove(self, *stored: str) -> None:
        """Remove jobs by their stored JSON: to serialize them again could give another text."""
        if stored:
            await self._redis.zrem(keys.SCHEDULED_JOBS, *stored)

    async def erase(self, chat: ChatKey) -> None:
        """Remove all jobs of a chat."""
        waiting: list[Any] = await self._redis.zrange(keys.SCHEDULED_JOBS, 0, -1)
        await self.remove(*(stored for stored in waiting if _chat_of(stored) == str(chat)))


def _chat_of(stored: str) -> object:
    """Return the chat of a stored job, also of one that another release wrote."""
    try:
        fields = json.loads(stored)
    except ValueError:  # No bot wrote it.
        return None
    return fields.get("chat") if isinstance(fields, dict) else None
