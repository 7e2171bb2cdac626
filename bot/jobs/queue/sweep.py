"""Finds queues that lost their ticket: a crash came between storing a job and adding one. Closes old questions.

Only queues in which something waits or runs are looked at, so an idle chat costs nothing. The job of a killed
process needs no sweep: docket delivers its ticket again after DEAD_WORKER_S (see
``jobs/worker/supervisor.py``), and claim.lua gives that ticket its job back.
"""

import structlog
from redis.asyncio import Redis

from bot.jobs.model import QueueName
from bot.jobs.queue.open_questions import OpenQuestions
from bot.jobs.queue.tickets import Tickets, parse_queue_id
from bot.runtime.clock import Clock
from bot.store import keys
from bot.store.lua_script import LuaScript

log = structlog.get_logger(__name__)

SWEEP_EVERY_S = 5.0  # how soon a queue that lost its ticket gets a new one

BATCH = 500  # how many queues one script looks at; it holds up all others of the store for about 3 ms

AGAIN_S = {"running": SWEEP_EVERY_S - 1, "waiting": 60.0}
"""When a queue is looked at again. One that waits for a worker has a ticket that outlives every worker."""


class QueueSweep:
    """Gives tickets to the queues that have none."""

    def __init__(self, redis: Redis, tickets: Tickets, questions: OpenQuestions, clock: Clock) -> None:
        self._redis = redis
        self._questions = questions
        self._tickets = tickets
        self._clock = clock
        self._find_lost = LuaScript(redis, __package__, "sweep", "asking")
        self._park = LuaScript(redis, __package__, "park")

    async def is_due(self) -> bool:
        """Return whether the caller is the one process of all that sweeps now."""
        lock_ms = int(SWEEP_EVERY_S * 900)
        return bool(await self._redis.set(keys.SWEEP_LOCK, 1, nx=True, px=lock_ms))

    async def run(self) -> int:
        """Sweep once.

        Returns:
            How many tickets were added.
        """
        await self._questions.expire()
        now_s, added, looked_at = self._clock.now().timestamp(), 0, BATCH
        while looked_at == BATCH:
            looked_at, lost = await self._find_lost(
                [keys.QUEUES, keys.PAUSED, keys.WAITING_JOBS],
                now_s=now_s,
                limit=BATCH,
                again_s=AGAIN_S,
                prefix={
                    "queue": keys.QUEUE,
                    "running": keys.RUNNING,
                    "job": keys.JOB,
                    "open_question": keys.OPEN_QUESTION,
                    "ticket": {name: self._tickets.state_key(name, "") for name in QueueName},
                },
            )
            for queue, job_id, ticket in lost:
                try:
                    added += await self._replace(queue, job_id, ticket)
                except ValueError:  # no queue of a bot has this name
                    log.warning("queue.unreadable")
                    await self._redis.zrem(keys.QUEUES, queue)
        return added

    async def look_at_all(self) -> int:
        """Sweep once, including queues that were checked recently."""
        await self._redis.zunionstore(keys.QUEUES, {keys.QUEUES: 0})
        return await self.run()

    async def _replace(self, queue_id: str, job_id: str, ticket: str) -> bool:
        is_parked = False
        if ticket:
            chat, name = parse_queue_id(queue_id)
            # It ended without giving the job back. The job may be what ended it: this start counts against it.
            is_parked = await self._park(
                [keys.job_key(str(chat), job_id), keys.running_key(str(chat), name)],
                ticket=ticket,
                is_counted=True,
            )
        is_added = await self._tickets.replace_lost(queue_id, job_id)
        if is_added and is_parked:
            log.warning("queue.ticket_missing", queue=queue_id)
        return is_added
