"""Finds queues that lost their ticket: a crash came between storing a job and adding one. Closes old questions."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, cast

import structlog
from redis.asyncio import Redis

from bot.jobs.model import STORED_JOB, JobKind, JobState
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.open_questions import OpenQuestions
from bot.jobs.queue.tickets import Tickets, parse_queue_id
from bot.runtime.clock import Clock
from bot.store import keys
from bot.store.lua_script import LuaScript

log = structlog.get_logger(__name__)

BATCH = 100  # how many of the jobs that wait longest a sweep looks at

IDLE_QUEUE_KEPT = timedelta(hours=1)
"""How long an empty queue stays on the list; longer than any pause between announcing and filling one."""


class QueueSweep:
    """Gives tickets to the queues that have none."""

    def __init__(self, redis: Redis, tickets: Tickets, questions: OpenQuestions, clock: Clock) -> None:
        self._redis = redis
        self._questions = questions
        self._tickets = tickets
        self._clock = clock
        self._park = LuaScript(redis, __package__, "park")

    async def run(self) -> int:
        """Sweep once.

        Returns:
            How many tickets were added.
        """
        await self._forget_erased_jobs()
        await self._questions.expire()
        is_paused = bool(await self._redis.exists(keys.PAUSED))
        oldest = (self._clock.now() - IDLE_QUEUE_KEPT).timestamp()
        added = 0
        async for queue, used_at in self._redis.zscan_iter(keys.QUEUES):
            added += await self._sweep_queue(queue, is_paused=is_paused, is_old=float(used_at) < oldest)
        return added

    async def _sweep_queue(self, queue_id: str, *, is_paused: bool, is_old: bool) -> bool:
        """Add a ticket to a queue if it has none; leave the queue out from now on if it is old and empty."""
        chat, name = parse_queue_id(queue_id)
        running_key = keys.running_key(str(chat), name)
        running: Any = await self._redis.hgetall(running_key)
        if not running:
            next_id: Any = await self._redis.lindex(keys.queue_key(str(chat), name), 0)
            if next_id is None:
                if is_old:
                    await self._redis.zrem(keys.QUEUES, queue_id)
                return False
            job = keys.job_key(str(chat), next_id)
            if is_paused and await self._redis.hexists(job, JobField.CHARGE):
                return False
            if await self._questions.job_id(chat) is not None and await self._goes_to_agent(job):
                return False
            # A ticket may be about to be added, or wait for a worker: one too many does no harm.
            return await self._tickets.replace_lost(queue_id, next_id)
        job_id, ticket = running["job"], running["ticket"]
        if await self._tickets.is_alive(ticket):
            return False
        is_parked = False
        if ticket:
            # It ended without giving the job back. The job may be what ended it: this start counts against it.
            is_parked = await self._park(
                [keys.job_key(str(chat), job_id), running_key], ticket=ticket, is_counted=True
            )
        is_added = await self._tickets.replace_lost(queue_id, job_id)
        if is_added and is_parked:
            log.warning("queue.ticket_missing", queue=queue_id)
        return is_added

    async def _goes_to_agent(self, job: str) -> bool:
        """Return whether a job has to wait for an answer, as ``lua/claim.lua`` says."""
        request, part_count, has_prompt = await cast(
            Awaitable[list[str | None]],
            self._redis.hmget(job, [JobField.REQUEST, JobField.PART_COUNT, JobField.HAS_PROMPT]),
        )
        if request is None or STORED_JOB.validate_json(request).kind is not JobKind.EDIT:
            return False
        return part_count is None or has_prompt is not None

    async def _forget_erased_jobs(self) -> None:
        """Forget jobs that count as waiting though they no longer do: a chat's data may be erased."""
        longest: list[Any] = await self._redis.zrange(keys.WAITING_JOBS, 0, BATCH - 1)
        for job in longest:
            if await self._redis.hget(job, JobField.STATE) != JobState.QUEUED:
                await self._redis.zrem(keys.WAITING_JOBS, job)
