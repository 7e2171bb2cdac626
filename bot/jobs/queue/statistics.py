"""Figures of all chats: who is active, what waits, and what today brought."""

from dataclasses import dataclass
from typing import Any

from docket import Docket
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.model import JobState, QueueName
from bot.jobs.queue.job_reader import JobReader
from bot.jobs.queue.tickets import parse_queue_id
from bot.runtime.clock import Clock
from bot.store import keys


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
        self._jobs = JobReader(redis)

    async def active_chats(self) -> list[ActiveChat]:
        """Return every chat whose requests or exports run or wait."""
        ids = {queue_id async for queue_id, _ in self._redis.zscan_iter(keys.QUEUES)}
        active = []
        for chat, queue in map(parse_queue_id, sorted(ids)):
            job_ids = await self._jobs.current(chat, queue) if queue is QueueName.MAIN else []
            if not job_ids or (first := await self._jobs.find(chat, job_ids[0])) is None:
                continue
            is_running = first.state is JobState.RUNNING
            active.append(ActiveChat(chat, is_running, len(job_ids) - is_running, first.job.language))
        return active

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
        return {worker.name for worker in await self._docket.workers()}
