"""Finds jobs that make no progress."""

from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.jobs.model import JobState
from bot.jobs.queue.fields import JobField
from bot.runtime.clock import Clock
from bot.store import keys

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 60.0

CHECKED_JOBS = 20  # how many of the jobs that have saved nothing for longest are checked each time


@dataclass(frozen=True, slots=True)
class Ages:
    """Ages of the jobs that run in any process, or wait to be taken up again; 0 if there are none."""

    running_s: float  # seconds since the first of them began
    silent_s: float  # seconds since the longest silent one saved something


class StuckJobMonitor:
    """Warns of running jobs that have saved nothing for long.

    Args:
        redis: With ``decode_responses``.
        clock: Source of time; tests pass a manual one.
        bound_s: Seconds without a checkpoint after which a running job is warned of.
    """

    def __init__(self, redis: Redis, clock: Clock, bound_s: float) -> None:
        self._redis = redis
        self._clock = clock
        self._bound_s = bound_s

    async def ages(self) -> Ages:
        """Return the ages of the oldest jobs; never negative, even if the wall clock was set back."""
        async with self._redis.pipeline() as pipe:
            pipe.zrange(keys.STARTED_JOBS, 0, 0, withscores=True)
            pipe.zrange(keys.SAVED_JOBS, 0, 0, withscores=True)
            started, saved = await pipe.execute()
        now_s = self._clock.now().timestamp()
        return Ages(_age_s(started, now_s), _age_s(saved, now_s))

    async def run(self) -> None:
        """Check again and again, forever."""
        while True:
            try:
                await self.check()
            except RedisError:
                log.warning("stuck_jobs.store_unreachable", exc_info=True)
            await self._clock.sleep(CHECK_EVERY_S)

    async def check(self) -> None:
        """Warn of each job that may be stuck, and drop those that no longer run."""
        oldest: list[Any] = await self._redis.zrange(keys.SAVED_JOBS, 0, CHECKED_JOBS - 1, withscores=True)
        now_s = self._clock.now().timestamp()
        for job, saved_at in oldest:
            silent_s = now_s - saved_at
            if silent_s <= self._bound_s:
                return
            if await self._redis.hget(job, JobField.STATE) != JobState.RUNNING:
                await self._redis.zrem(keys.SAVED_JOBS, job)
                await self._redis.zrem(keys.STARTED_JOBS, job)
                continue
            log.warning("job.stuck", job=job.rpartition(":")[2], silent_s=round(silent_s))


def _age_s(first: list[Any], now_s: float) -> float:
    return max(0.0, now_s - float(first[0][1])) if first else 0.0
