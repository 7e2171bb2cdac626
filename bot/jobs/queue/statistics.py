"""Figures of all chats: who is active, what waits, and what today brought."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from docket import Docket
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.model import STORED_JOB, JobState, QueueName
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.tickets import parse_queue_id
from bot.runtime.clock import Clock
from bot.store import keys

BATCH = 500  # how many chats are read in one round trip


@dataclass(frozen=True, slots=True)
class ActiveChat:
    """A chat with running or waiting requests or exports."""

    chat: ChatKey  # the chat
    is_running: bool  # whether one of its jobs runs
    waiting: int  # how many of its jobs wait
    language: str  # language of the first of them


@dataclass(frozen=True, slots=True)
class DayTotals:
    """What all chats asked for on one day, and how it ended."""

    requests: int  # requests and exports
    bytes: int  # size of their files
    people: int  # about how many people asked
    done: int  # jobs that were answered
    failed: int  # jobs that were answered with an error
    cancelled: int  # jobs that their chats stopped


class QueueStatistics:
    """Reads the figures."""

    def __init__(self, redis: Redis, docket: Docket, clock: Clock) -> None:
        self._redis = redis
        self._docket = docket
        self._clock = clock

    async def active_chats(self) -> list[ActiveChat]:
        """Return every chat whose requests or exports run or wait."""
        ids = {queue_id async for queue_id, _ in self._redis.zscan_iter(keys.QUEUES)}
        chats = [chat for chat, queue in map(parse_queue_id, sorted(ids)) if queue is QueueName.MAIN]
        active: list[ActiveChat] = []
        for start in range(0, len(chats), BATCH):
            active += await self._read(chats[start : start + BATCH])
        return active

    async def _read(self, chats: Sequence[ChatKey]) -> list[ActiveChat]:
        """Read what many chats have in their main queues, in two round trips."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in map(str, chats):
                pipe.hget(keys.running_key(name, QueueName.MAIN), "job")
                pipe.get(keys.open_question_key(name))
                pipe.lindex(keys.queue_key(name, QueueName.MAIN), 0)
                pipe.llen(keys.queue_key(name, QueueName.MAIN))
            answers = await pipe.execute()
        queues = [
            (chat, next(filter(None, answers[at : at + 3])), answers[at + 3])
            for chat, at in zip(chats, range(0, len(answers), 4), strict=True)
            if any(answers[at : at + 3])
        ]
        async with self._redis.pipeline(transaction=False) as pipe:
            for chat, job_id, _ in queues:
                pipe.hmget(keys.job_key(str(chat), job_id), [JobField.STATE, JobField.REQUEST])
            jobs = await pipe.execute()
        return [
            ActiveChat(chat, state == JobState.RUNNING, waiting, STORED_JOB.validate_json(request).language)
            for (chat, _, waiting), (state, request) in zip(queues, jobs, strict=True)
            if request is not None
        ]

    async def today(self) -> DayTotals:
        """Return what was asked for since midnight UTC."""
        day = self._clock.now().date().isoformat()
        totals: Any = await self._redis.hgetall(keys.totals_key(day))
        counts = {
            name: int(totals.get(name, 0)) for name in ("requests", "bytes", "done", "failed", "cancelled")
        }
        return DayTotals(**counts, people=await self._redis.pfcount(keys.people_key(day)))

    async def waiting(self) -> tuple[int, float]:
        """Return how many jobs wait in all main queues, and how many seconds the oldest has waited."""
        count = await self._redis.zcard(keys.WAITING_JOBS)
        oldest: list[Any] = await self._redis.zrange(keys.WAITING_JOBS, 0, 0, withscores=True)
        age_s = self._clock.now().timestamp() - float(oldest[0][1]) if oldest else 0.0
        return int(count), max(0.0, age_s)

    async def workers(self) -> set[str]:
        """Return the names of the workers that are alive, see ``jobs/worker/supervisor.py``."""
        docket = self._docket
        oldest_s = (datetime.now(UTC) - docket.heartbeat_interval * docket.missed_heartbeats).timestamp()
        names: list[Any] = await self._redis.zrangebyscore(docket.workers_set, oldest_s, "+inf")
        return set(names)
