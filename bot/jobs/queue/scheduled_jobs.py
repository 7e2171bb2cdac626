"""Jobs that begin at a later time. They wait in the store, not with a worker; the sweep enqueues those that are due."""

from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.model import STORED_JOB, Job
from bot.store import keys

BATCH = 100  # how many due jobs one sweep takes


class ScheduledJobs:
    """Keeps the jobs that begin at a later time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, job: Job, at: datetime) -> None:
        """Store a job; of several with the same id one is enqueued."""
        await self._redis.zadd(keys.SCHEDULED_JOBS, {_stored(job): at.timestamp()})

    async def due(self, now: datetime) -> list[Job]:
        """Return the jobs whose time has come, the longest due first."""
        stored: list[Any] = await self._redis.zrangebyscore(
            keys.SCHEDULED_JOBS, "-inf", now.timestamp(), start=0, num=BATCH
        )
        jobs = []
        for one in stored:
            try:
                jobs.append(STORED_JOB.validate_json(one))
            except ValueError:  # No bot wrote it.
                await self._redis.zrem(keys.SCHEDULED_JOBS, one)
        return jobs

    async def remove(self, job: Job) -> None:
        """Forget a job, when it is enqueued."""
        await self._redis.zrem(keys.SCHEDULED_JOBS, _stored(job))

    async def erase(self, chat: ChatKey) -> None:
        """Forget all jobs of a chat."""
        waiting: list[Any] = await self._redis.zrange(keys.SCHEDULED_JOBS, 0, -1)
        for job in map(STORED_JOB.validate_json, waiting):
            if job.chat == chat:
                await self.remove(job)


def _stored(job: Job) -> str:
    return STORED_JOB.dump_json(job).decode()
