"""Jobs that begin at a later time. They wait in the store, not with a worker; the sweep enqueues those that are due."""

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
        """Return the jobs that are due, the longest due first; the keys are their stored JSON, for :meth:`remove`."""
        stored: list[Any] = await self._redis.zrangebyscore(
            keys.SCHEDULED_JOBS, "-inf", now.timestamp(), start=0, num=BATCH
        )
        return await self._readable(stored)

    async def remove(self, *stored: str) -> None:
        """Remove jobs by their stored JSON: to serialize them again could give another text."""
        if stored:
            await self._redis.zrem(keys.SCHEDULED_JOBS, *stored)

    async def erase(self, chat: ChatKey) -> None:
        """Remove all jobs of a chat."""
        waiting: list[Any] = await self._redis.zrange(keys.SCHEDULED_JOBS, 0, -1)
        jobs = await self._readable(waiting)
        await self.remove(*(stored for stored, job in jobs.items() if job.chat == chat))

    async def _readable(self, waiting: list[Any]) -> dict[str, Job]:
        """Parse stored jobs, and remove those that can't be read: another release, or no bot, wrote them."""
        jobs = {}
        for stored in waiting:
            try:
                jobs[stored] = STORED_JOB.validate_json(stored)
            except ValueError:
                log.warning("scheduled_job.unreadable")
                await self.remove(stored)
        return jobs
