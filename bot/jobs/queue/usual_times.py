"""How long the parts of a request usually take, learned from this bot's own finished requests."""

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.store import keys

log = structlog.get_logger(__name__)


class TimedStage(StrEnum):
    """A stage whose time is learned; the values are names in Redis."""

    UPLOAD_ANSWER = "reading"  # from the last byte of an upload to its answer
    EDIT = "edit"  # a turn of the agent that generates nothing
    AUDIO = "sound"  # a turn in which audio is generated
    GENERATION = "generation"  # a turn in which video is generated
    RENDER = "render"  # from the call for it to its end
    RENDER_QUEUE = "render_queue"  # from that call until it is begun
    DOWNLOAD = "download"  # of its video
    REQUEST = "request"  # a whole request, from its start to its result


BEFORE_LEARNING_S: Mapping[TimedStage, tuple[float, ...]] = {
    TimedStage.UPLOAD_ANSWER: (5.0,),
    TimedStage.EDIT: (20.0,),
    TimedStage.AUDIO: (90.0,),
    TimedStage.GENERATION: (200.0,),
    TimedStage.RENDER: (60.0,),
    TimedStage.RENDER_QUEUE: (0.0,),
    TimedStage.DOWNLOAD: (5.0,),
    TimedStage.REQUEST: (90.0,),
}
"""Seconds by the service's documents, until enough was learned."""

ENOUGH = 3
"""Finished ones that are believed more than the documents."""

KEPT = 31


EXCHANGE_EVERY_S = 60.0
"""How often a process saves what it has learned and reads what others have. A crash loses no more than that."""


class UsualTimes:
    """The newest times of each stage."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._known: dict[TimedStage, list[float]] = {stage: [] for stage in TimedStage}  # the newest first
        self._unsaved: list[tuple[TimedStage, float]] = []
        self._exchanged_s = -math.inf

    async def load(self) -> Mapping[TimedStage, tuple[float, ...]]:
        """Return the newest times of each stage, in seconds; one by the documents until enough was learned."""
        await self._exchange()
        return {
            stage: tuple(times) if len(times) >= ENOUGH else BEFORE_LEARNING_S[stage]
            for stage, times in self._known.items()
        }

    async def learn(self, stage: TimedStage, took_s: float) -> None:
        """Add how many seconds a finished stage took."""
        self._unsaved.append((stage, round(took_s, 1)))
        self._known[stage] = [round(took_s, 1), *self._known[stage]][:KEPT]
        await self._exchange()

    async def _exchange(self) -> None:
        if time.monotonic() - self._exchanged_s < EXCHANGE_EVERY_S:
            return
        self._exchanged_s = time.monotonic()
        unsaved = tuple(self._unsaved)
        async with self.redis.pipeline(transaction=False) as pipe:
            for stage, took_s in unsaved:
                pipe.lpush(keys.usual_times_key(stage), took_s)
                pipe.ltrim(keys.usual_times_key(stage), 0, KEPT - 1)
                pipe.expire(keys.usual_times_key(stage), keys.USUAL_TIMES_TTL_S)
            for stage in TimedStage:
                pipe.lrange(keys.usual_times_key(stage), 0, -1)
            try:
                answers = await pipe.execute()
            except RedisError as error:
                # No reason to fail a job. The next exchange saves them.
                log.warning("usual_times.store_failed", error=type(error).__name__)
                return
        del self._unsaved[: len(unsaved)]
        for stage, times in zip(TimedStage, answers[-len(TimedStage) :], strict=True):
            self._known[stage] = [float(one) for one in times]


def left_s(times_s: Sequence[float], elapsed_s: float) -> float:
    """Return how long work usually still takes, by the median of the times that are longer than it has taken so far.

    Returns:
        Seconds; 0.0 if it has already taken longer than all of them.
    """
    longer = [time_s for time_s in times_s if time_s > elapsed_s]
    return statistics.median(longer) - elapsed_s if longer else 0.0


def rounded_s(duration_s: float) -> float:
    """Round a guess as people do: 35 s, 1 min 20 s, 4 min 30 s, 12 min."""
    step_s = next(
        step for limit, step in ((60, 5), (120, 10), (600, 30), (math.inf, 60)) if duration_s < limit
    )
    return max(5.0, round(duration_s / step_s) * step_s)
