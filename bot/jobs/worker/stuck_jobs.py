"""Which jobs run for how long, so that one that hangs is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.jobs.model import JobState
from bot.runtime.clock import Clock
from bot.store import keys

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 60.0

LOOK_AT = 20
"""How many of those that have saved nothing for longest are looked at; one that hangs is among them."""


@dataclass(frozen=True, slots=True)
class Ages:
    """Of the jobs that run in any process, or that wait to be taken up again.

    Args:
        running_s: How long ago the oldest began.
        silent_s: How long the one has saved nothing that did so longest ago.
    """

    running_s: float
    silent_s: float


class StuckJobMonitor:
    """Reads what the lanes write down of running jobs.

    Args:
        redis: Where it is.
        clock: Time.
        bound_s: A running job that has saved nothing for longer is warned of.
    """

    def __init__(self, redis: Redis, clock: Clock, bound_s: float) -> None:
        self._redis = redis
        self._clock = clock
        self._bound_s = bound_s

    async def ages(self) -> Ages:
        """How old the oldest are; never negative, whatever became of the wall clock."""
        async with self._redis.pipeline() as pipe:
            pipe.zrange(keys.STARTED_JOBS, 0, 0, withscores=True)
            pipe.zrange(keys.SAVED_JOBS, 0, 0, withscores=True)
            began, saved = await pipe.execute()
        now_s = self._clock.now().timestamp()
        return Ages(_since_s(began, now_s), _since_s(saved, now_s))

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            try:
                await self.look()
            except RedisError:
                log.warning("watch.store_away", exc_info=True)
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Warn of each job that may hang, and forget those whose data is gone."""
        oldest: list[Any] = await self._redis.zrange(keys.SAVED_JOBS, 0, LOOK_AT - 1, withscores=True)
        now_s = self._clock.now().timestamp()
        for job, at in oldest:
            silent_s = now_s - at
            if silent_s <= self._bound_s:
                return
            if await self._redis.hget(job, "state") != JobState.RUNNING:
                await self._redis.zrem(keys.SAVED_JOBS, job)
                await self._redis.zrem(keys.STARTED_JOBS, job)
                continue
            log.warning("job.silent", job=job.rpartition(":")[2], silent_s=round(silent_s))


def _since_s(found: list[Any], now_s: float) -> float:
    return max(0.0, now_s - float(found[0][1])) if found else 0.0
