"""Figures of all chats: who is active, what waits, and what today brought."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from docket import Docket
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.model import QueueName
from bot.jobs.queue.account_credits import AccountCredits
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.packed_request import unpack
from bot.jobs.queue.tickets import parse_queue_id
from bot.runtime.clock import Clock
from bot.store import keys

BATCH = 500  # how many chats are read in one round trip
TOP_PEOPLE = 5  # how many of those who ask most are named


@dataclass(frozen=True, slots=True)
class ActiveChat:
    """A chat with running or waiting requests or exports."""

    chat: ChatKey  # the chat
    waiting: int  # how many of its jobs wait
    language: str  # language of the first of them


class PersonCount(NamedTuple):
    """How much a person asked for on one day."""

    person_id: int
    requests: int


@dataclass(frozen=True, slots=True)
class DayTotals:
    """What all chats asked for on one day, and how it ended."""

    requests: int  # requests and exports
    bytes: int  # size of their files
    people: int  # how many people asked
    done: int  # jobs that were answered
    failed: int  # jobs that were answered with an error
    cancelled: int  # jobs that their chats stopped
    credits: int  # what the operator's account spent, as far as it is known
    top_people: tuple[PersonCount, ...]  # those who asked most


class QueueStatistics:
    """Reads the figures of all queues."""

    def __init__(self, redis: Redis, dockets: Mapping[QueueName, Docket], clock: Clock) -> None:
        self.accounts = AccountCredits(redis, clock)
        self._redis = redis
        self._dockets = dockets
        self._clock = clock

    async def active_chats(self) -> list[ActiveChat]:
        """Return every chat whose requests or exports run or wait."""
        ids = {queue_id async for queue_id, _ in self._redis.zscan_iter(keys.QUEUES, count=1000)}
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
                pipe.hget(keys.job_key(str(chat), job_id), JobField.REQUEST)
            requests = await pipe.execute()
        return [
            ActiveChat(chat, waiting, unpack(request).language)
            for (chat, _, waiting), request in zip(queues, requests, strict=True)
            if request is not None
        ]

    async def day_totals(self, days_ago: int = 0) -> DayTotals:
        """Return what was asked for on a day; without an argument, since midnight UTC."""
        day = (self._clock.now() - timedelta(days=days_ago)).date().isoformat()
        totals: Any = await self._redis.hgetall(keys.totals_key(day))
        top: Any = await self._redis.zrange(
            keys.people_key(day), 0, TOP_PEOPLE - 1, desc=True, withscores=True
        )

        def total(name: str) -> int:
            return int(totals.get(name, 0))

        return DayTotals(
            requests=total("requests"),
            bytes=total("bytes"),
            done=total("done"),
            failed=total("failed"),
            cancelled=total("cancelled"),
            people=await self._redis.zcard(keys.people_key(day)),
            credits=total("credits") + total("credits_unseen"),
            top_people=tuple(PersonCount(int(person), int(requests)) for person, requests in top if requests),
        )

    async def running(self) -> int:
        """Return how many jobs of main queues run."""
        started: Any = await self._redis.zrange(keys.STARTED_JOBS, 0, -1)
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in started:
                pipe.hget(keys.running_key(_chat_of(name), QueueName.MAIN), "job")
            running = await pipe.execute()
        return sum(name.endswith(f":{job_id}") for name, job_id in zip(started, running, strict=True))

    async def credits_left(self) -> int | None:
        """Return what the operator's account had when it was last read; ``None`` if that is long ago."""
        total: Any = await self._redis.hget(keys.OPERATOR_BALANCE, "total")
        return None if total is None else int(total)

    async def waiting(self) -> tuple[int, float]:
        """Return how many jobs wait in all main queues, and for how many seconds the oldest that could run has waited.

        Jobs behind an earlier job of their chat, or behind its question, aren't counted as able to run.
        """
        count = await self._redis.zcard(keys.WAITING_JOBS)
        since_s = await self._oldest_that_could_run()
        return int(count), 0.0 if since_s is None else max(0.0, self._clock.now().timestamp() - since_s)

    async def _oldest_that_could_run(self) -> float | None:
        start = 0
        while True:
            jobs: Any = await self._redis.zrange(keys.WAITING_JOBS, start, start + BATCH - 1, withscores=True)
            if not jobs:
                return None
            start += len(jobs)
            async with self._redis.pipeline(transaction=False) as pipe:
                for name, _ in jobs:
                    chat = _chat_of(name)
                    pipe.hget(keys.running_key(chat, QueueName.MAIN), "ticket")  # empty while it is parked
                    pipe.get(keys.open_question_key(chat))
                blocks = await pipe.execute()
            for (_, since_s), ticket, question in zip(jobs, blocks[::2], blocks[1::2], strict=True):
                if not ticket and not question:
                    return float(since_s)

    async def workers(self) -> dict[str, set[QueueName]]:
        """Return what the workers that are alive take, by their names, see ``jobs/worker/supervisor.py``."""
        workers: dict[str, set[QueueName]] = defaultdict(set)
        for queue, docket in self._dockets.items():
            oldest_s = (datetime.now(UTC) - docket.heartbeat_interval * docket.missed_heartbeats).timestamp()
            names: list[Any] = await self._redis.zrangebyscore(docket.workers_set, oldest_s, "+inf")
            for name in names:
                workers[name].add(queue)
        return workers


def _chat_of(job_key: str) -> str:
    return job_key.partition("{")[2].partition("}")[0]
