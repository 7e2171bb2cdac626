"""Each chat's queues in Redis, and the tickets that make some worker look at them.

A lane is a list of job ids and a slot. A **ticket** is a docket task that carries only the lane's name: it takes the
head of the list into the slot, runs it, and empties the slot. The list keeps the order; the slot lets one job run
at a time; a ticket that dies with its worker is delivered again and finds its job in the slot. A ticket that finds
the slot taken just ends, because whoever empties the slot adds a ticket for the next one.

Every start of a job raises its ``attempt``, which fences off earlier starts: a worker that was believed dead and
goes on regardless can't save anything any more.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any, cast
from uuid import uuid4

import structlog
from docket import Docket
from docket.dependencies import TaskKey
from docket.execution import Disposition, ExecutionState
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import C, Checkpoint, field_of
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.queue import scripts
from bot.jobs.queue.album import ArrivedPart, GatheredJob, gathered
from bot.jobs.queue.given_up import given_up_entry
from bot.jobs.queue.quotas import QuotaExceeded, Quotas, QuotaWarning
from bot.runtime import metrics
from bot.runtime.clock import Clock
from bot.store import keys

log = structlog.get_logger(__name__)

SWEEP_BATCH = 100
"""How many of those that wait longest a sweep looks at."""

QUEUE_IDLE = timedelta(hours=1)
"""How long an empty lane stays on the sweep's list; longer than any pause between announcing and filling one."""

_BRIEF = frozenset({JobKind.SAY, JobKind.CANCEL, JobKind.FORGET})
"""Kinds of jobs that no button refers to: they are not kept for long."""

CHECKPOINT = "saved:"
"""Prefix of the fields that hold a job's checkpoints, beside its state."""


class QueueFull(Exception):
    """The chat has as much waiting as it may."""


class BotFull(QueueFull):
    """All chats together have as much waiting as they may."""


class SaveOutcome(IntEnum):
    """What saving a checkpoint found."""

    SUPERSEDED = 0  # a later attempt has the job: stop without a trace
    OK = 1
    CANCELLED = 2  # saved, and the chat has asked to stop


class CloseOutcome(IntEnum):
    """What closing a job found."""

    SUPERSEDED = 0  # a later attempt has the job: stop without a trace
    OK = 1
    CHANGED = 2  # more has joined it, or its words were edited: it is open still


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that a ticket may run now.

    Args:
        gathered: What was asked, with all its parts so far.
        attempt: Its number of starts, which fences the earlier ones off.
        tries: Starts that count against it: those which a drain or the store ended are excused.
        checkpoints: What earlier attempts saved.
        cancelled: The chat has asked to stop it.
        announced: Somebody tells, or told, the chat its place in the queue.
    """

    gathered: GatheredJob
    attempt: int
    tries: int
    checkpoints: dict[str, Any]
    cancelled: bool
    announced: bool

    @property
    def job(self) -> Job:
        """What was asked."""
        return self.gathered.job


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What is known of a job from outside."""

    job: Job
    state: JobState
    place: int


@dataclass(frozen=True, slots=True)
class ActiveChat:
    """A chat that has something to do.

    Args:
        chat: Which.
        runs: Whether a job of its runs.
        waiting: How many wait.
        language: In which it is answered.
    """

    chat: ChatKey
    runs: bool
    waiting: int
    language: str


@dataclass(frozen=True, slots=True)
class DayTotals:
    """What all chats asked for on one day, and how it ended.

    Args:
        jobs: Requests and exports.
        bytes: Of files.
        people: How many asked, nearly.
        done: Jobs that were answered.
        failed: With an error.
        cancelled: By the chat.
    """

    jobs: int
    bytes: int
    people: int
    done: int
    failed: int
    cancelled: int


TicketHandler = Callable[[str, str, str], Awaitable[None]]
"""Runs a ticket: lane name, id of the job that it was added for, the ticket's own key."""


async def _no_worker(queue: str, job_id: str, ticket: str) -> None:
    raise RuntimeError("this process adds tickets but does not run them")


class JobQueue:
    """The chats' queues.

    Args:
        redis: With ``decode_responses``.
        docket: Where tickets are added.
        clock: For what ages out.
        quotas: What a day allows.
        queue_limit: Jobs that may wait in one lane.
        total_limit: Jobs that may wait in the edit lanes of all chats.
        finished_ttl_s: How long a finished job is kept, for buttons that refer to it.
        update_ttl_s: How long an update's number is remembered.
    """

    def __init__(
        self,
        redis: Redis,
        docket: Docket,
        clock: Clock,
        *,
        quotas: Quotas | None = None,
        queue_limit: int = 50,
        total_limit: int = 10_000,
        finished_ttl_s: int = keys.JOB_TTL_S,
        update_ttl_s: int = keys.UPDATE_TTL_S,
    ) -> None:
        self._redis = redis
        self._docket = docket
        self._clock = clock
        self.quotas = quotas or Quotas(clock)
        self._queue_limit = queue_limit
        self._total_limit = total_limit
        self._finished_ttl_s = finished_ttl_s
        self._update_ttl_s = update_ttl_s
        self._enqueue_script = redis.register_script(scripts.ACCEPT)
        self._claim_script = redis.register_script(scripts.TAKE)
        self._save = redis.register_script(scripts.SAVE)
        self._record_upload_size = redis.register_script(scripts.WEIGH)
        self._finish = redis.register_script(scripts.FINISH)
        self._park = redis.register_script(scripts.PARK)
        self._beside = redis.register_script(scripts.BESIDE)
        self._cancel = redis.register_script(scripts.CANCEL)
        self._claim = redis.register_script(scripts.CLAIM)
        self._close = redis.register_script(scripts.CLOSE)
        self.run_tickets_with(_no_worker)

    def run_tickets_with(self, run: TicketHandler) -> None:
        """Say what a ticket does in this process."""

        async def work(queue: str, job_id: str, ticket: str = TaskKey()) -> None:
            await run(queue, job_id, ticket)

        self._docket.register(work)

    async def enqueue(
        self, jobs: Sequence[Job], update_id: int | str, arrival: ArrivedPart | None = None
    ) -> bool:
        """Store jobs of one chat and add their tickets; they are safe when this returns.

        Args:
            jobs: In the order in which they are to run within their lanes.
            update_id: Telegram's number of the update that asked for them, or a name for what else did.
            arrival: A part of a request. The edit job, which has no words and files of its own, is stored for it,
                unless it joins one that waits for more. With an edit of words the jobs are for a request that was
                begun already; one that was not only has its words changed.

        Returns:
            Whether the update was new. A repeated one only gets its tickets again, in case they were lost.

        Raises:
            LaneFull: Nothing was stored, for this chat or all of them have enough waiting.
            OverBudget: Neither.
        """
        names = {queue_id(job.chat, job.queue): job.id for job in jobs}
        # Before the jobs, so that the sweep knows the lane whatever happens in between.
        await self._redis.zadd(keys.LANES, dict.fromkeys(names, self._clock.now().timestamp()))
        chat = str(jobs[0].chat)
        part = arrival.part if arrival else None
        key_list = [
            keys.update_mark(chat, update_id),
            keys.album_key(chat, part.album if part else ""),
            keys.sender_key(chat, jobs[0].owner_id),
            keys.asked_key(chat, jobs[0].place, part.message_id if part else 0),
            keys.album_key(chat, arrival.of_album if arrival else ""),
        ]
        arguments: list[str | int] = [
            self._update_ttl_s,
            self.quotas.charge(jobs, arrival),
            keys.job_key(chat, ""),
            arrival.facts(self._clock.now().timestamp()) if arrival else "",
        ]
        for job in jobs:
            key_list += [
                keys.job_key(chat, job.id),
                keys.lane_key(chat, job.queue),
                keys.slot_key(chat, job.queue),
            ]
            is_gathered = arrival is not None and job.kind is JobKind.EDIT
            # A full queue must not keep a chat from being erased, a token from being deleted, a job from being stopped.
            is_urgent = job.kind in (JobKind.FORGET, JobKind.HIDE, JobKind.CANCEL)
            limit = 2 * self._queue_limit if is_urgent else self._queue_limit
            arguments += [job.id, job.to_json(), limit, 1 if is_gathered else ""]
        arguments += [keys.QUEUE, int(self._clock.now().timestamp()), self._total_limit]
        answer = await self._enqueue_script(keys=key_list, args=arguments)
        match answer:
            case ["full"]:
                raise QueueFull
            case ["busy"]:
                raise BotFull
            case ["over", whose, what, left]:
                raise QuotaExceeded(QuotaWarning(whose, what, left))
        for name, job_id in names.items():
            await self.add_ticket(name, job_id)
        metrics.UPDATES.labels("stored" if answer[0] == "new" else "repeated").inc()
        return bool(answer[0] == "new")

    async def scarce(self, chat: ChatKey, update_id: int) -> list[QuotaWarning]:
        """What an accepted update has made scarce; the same as long as its mark is kept."""
        text = await self._redis.get(keys.update_mark(str(chat), update_id))
        return [QuotaWarning(*one) for one in json.loads(text or "[]")]

    async def add_ticket(self, name: str, job_id: str = "") -> None:
        """Make some worker look at a lane, under a key that was never used: docket drops repeated ones silently."""
        await self._docket.add("work", key=uuid4().hex)(name, job_id)

    async def claim(self, name: str, ticket: str) -> ClaimedJob | None:
        """Take the lane's next job, or the one that this ticket had before.

        Returns:
            ``None`` when another ticket has the lane, nothing waits, or new jobs are not begun just now.
        """
        chat, queue = parse_queue_id(name)
        answer = await self._claim_script(
            keys=[keys.lane_key(str(chat), queue), keys.slot_key(str(chat), queue)],
            args=[
                *(ticket, keys.job_key(str(chat), ""), keys.PAUSED, keys.QUEUE),
                *(keys.RUNNING, keys.SAVED, int(self._clock.now().timestamp())),
            ],
        )
        if answer[0] != "taken":
            return None
        fields = await self._fields(chat, answer[1])
        return ClaimedJob(
            gathered=gathered(fields),
            attempt=answer[2],
            tries=answer[2] - int(fields["excused"]),
            checkpoints={
                name.removeprefix(CHECKPOINT): json.loads(value)
                for name, value in fields.items()
                if name.startswith(CHECKPOINT)
            },
            cancelled="cancel" in fields,
            announced="announced" in fields,
        )

    async def save(self, claimed: ClaimedJob, name: str, value: Any) -> SaveOutcome:
        """Keep a checkpoint of a job that was taken."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return SaveOutcome(
            await self._save(
                keys=[keys.job_key(str(claimed.job.chat), claimed.job.id)],
                args=[
                    *(claimed.attempt, CHECKPOINT + name, text),
                    *(keys.SAVED, int(self._clock.now().timestamp())),
                ],
            )
        )

    async def record_upload_size(self, claimed: ClaimedJob, size: int) -> None:
        """Count the bytes that a job really brings instead of those that were declared."""
        await self._record_upload_size(
            keys=[keys.job_key(str(claimed.job.chat), claimed.job.id)], args=[claimed.attempt, size]
        )

    async def gathered(self, job: Job) -> GatheredJob:
        """A job with all of its parts so far."""
        return gathered(await self._fields(job.chat, job.id))

    async def close(self, claimed: ClaimedJob, version: int) -> CloseOutcome:
        """Let nothing more join a job; doing it twice is doing it once.

        Args:
            claimed: The job.
            version: Of what the caller has seen of it.
        """
        key = keys.job_key(str(claimed.job.chat), claimed.job.id)
        return CloseOutcome(await self._close(keys=[key], args=[claimed.attempt, version]))

    async def asked_in(self, chat: ChatKey, address: int, message_id: int) -> JobStatus | None:
        """The job that a message belongs to, if it is still known; ``address`` is the chat's id in Telegram."""
        job_id: Any = await self._redis.get(keys.asked_key(str(chat), address, message_id))
        return None if job_id is None else await self.find(chat, job_id)

    async def finish(self, claimed: ClaimedJob, state: JobState, error: str = "") -> None:
        """Empty the slot, and let the next job start.

        Args:
            claimed: The job.
            state: How it ended.
            error: Why it was given up, if it was; kept for whoever runs the bot.
        """
        job = claimed.job
        entry = given_up_entry(job.id, str(job.chat), job.kind, self._clock.now(), error) if error else ""
        waiting = await self._finish(
            keys=[
                keys.job_key(str(job.chat), job.id),
                keys.lane_key(str(job.chat), job.queue),
                keys.slot_key(str(job.chat), job.queue),
            ],
            args=[
                *(claimed.attempt, state, self._kept_s(job), job.id),
                *(keys.RUNNING, keys.SAVED, keys.GIVEN_UP, entry, keys.GIVEN_UP_TTL_S, keys.GIVEN_UP_KEPT),
            ],
        )
        if waiting > 0:
            await self.add_ticket(queue_id(job.chat, job.queue))

    async def park(self, claimed: ClaimedJob, ticket: str) -> None:
        """Give a started job back at once, to be taken up by any worker; this start is not held against it."""
        job = claimed.job
        await self._park(
            keys=[keys.job_key(str(job.chat), job.id), keys.slot_key(str(job.chat), job.queue)],
            args=[ticket, 1],
        )
        await self.add_ticket(queue_id(job.chat, job.queue))

    async def excuse(self, claimed: ClaimedJob) -> None:
        """Do not hold this start against the job: the store was away, the job did nothing wrong."""
        await self._redis.hincrby(keys.job_key(str(claimed.job.chat), claimed.job.id), "excused", 1)

    async def cancel(self, chat: ChatKey, queue: QueueName, job_id: str) -> JobState | None:
        """Take a waiting job out, or ask a running one to stop.

        Returns:
            The state it was in; ``None`` when it is not known any more.
        """
        was = await self._cancel(
            keys=[keys.job_key(str(chat), job_id), keys.lane_key(str(chat), queue)],
            args=[job_id, self._finished_ttl_s, keys.QUEUE],
        )
        if was == "running":
            await self._redis.publish(keys.CANCEL_CHANNEL, job_id)
        return None if was == "gone" else JobState(was)

    async def drop(self, chat_id: int) -> None:
        """Stop everything of a chat and of all its topics: the bot is not there any more."""
        names = [name async for name, _ in self._redis.zscan_iter(keys.LANES, match=f"{chat_id}*")]
        for chat, queue in map(parse_queue_id, names):
            if chat.chat_id == chat_id:
                for job_id in await self.current(chat, queue):
                    await self.cancel(chat, queue, job_id)

    async def drop_waiting(self, job: Job) -> None:
        """Take out all that waits behind a job which found that nobody is there any more."""
        for job_id in await self.current(job.chat, job.queue):
            if job_id != job.id:
                await self.cancel(job.chat, job.queue, job_id)

    async def find(self, chat: ChatKey, job_id: str) -> JobStatus | None:
        """A job by its id, with its place in the queue (0 when it runs or is finished)."""
        fields = await self._fields(chat, job_id)
        if not fields:
            return None
        job = gathered(fields).job
        at: Any = await self._redis.lpos(keys.lane_key(str(chat), job.queue), job_id)
        return JobStatus(job, JobState(fields["state"]), 0 if at is None else int(at) + 1)

    async def current(self, chat: ChatKey, queue: QueueName) -> list[str]:
        """Ids of the running job, if any, and of those that wait, in their order."""
        # Read at one moment: a job that begins between two would be seen in neither place.
        async with self._redis.pipeline() as pipe:
            pipe.hget(keys.slot_key(str(chat), queue), "job")
            pipe.lrange(keys.lane_key(str(chat), queue), 0, -1)
            running, waiting = await pipe.execute()
        return [*([running] if running else []), *waiting]

    async def pause(self) -> None:
        """Begin no more requests and exports, in any process; they wait, and what runs goes on."""
        await self._redis.set(keys.PAUSED, 1)

    async def resume(self) -> None:
        """Begin them again."""
        await self._redis.delete(keys.PAUSED)
        await self.sweep()

    async def is_paused(self) -> bool:
        """Whether new requests and exports wait."""
        return bool(await self._redis.exists(keys.PAUSED))

    async def at_work(self) -> list[ActiveChat]:
        """Every chat whose requests or exports run or wait."""
        names = {name async for name, _ in self._redis.zscan_iter(keys.LANES)}
        found = []
        for chat, queue in map(parse_queue_id, sorted(names)):
            ids = await self.current(chat, queue) if queue is QueueName.MAIN else []
            if not ids or (first := await self.find(chat, ids[0])) is None:
                continue
            runs = first.state is JobState.RUNNING
            found.append(ActiveChat(chat, runs, len(ids) - runs, first.job.language))
        return found

    async def today(self) -> DayTotals:
        """What was asked for since midnight UTC."""
        day = self._clock.now().date().isoformat()
        totals: Any = await self._redis.hgetall(keys.totals_key(day))
        counts = {name: int(totals.get(name, 0)) for name in ("jobs", "bytes", "done", "failed", "cancelled")}
        return DayTotals(**counts, people=await self._redis.pfcount(keys.people_key(day)))

    async def workers(self) -> set[str]:
        """Names of the workers that are there, see ``jobs/worker/supervisor.py``."""
        return {worker.name for worker in await self._docket.workers()}

    async def claim_announcement(self, status: JobStatus) -> bool:
        """Whether the caller is the first who wants to tell this job's place, and the job waits still."""
        job = status.job
        return bool(await self._claim(keys=[keys.job_key(str(job.chat), job.id)]))

    async def checkpoint(self, job: Job, name: str) -> Any:
        """One checkpoint, as it is in the store now."""
        text = await self._redis.hget(keys.job_key(str(job.chat), job.id), CHECKPOINT + name)
        return None if text is None else json.loads(text)

    async def load_checkpoint(self, job: Job, checkpoint: type[C], key: str = "") -> C | None:
        """Return a checkpoint as it is in the store now, or ``None``.

        Args:
            job: The job; no attempt of this process needs to have it.
            checkpoint: The class to load.
            key: Tells several of one class apart, such as an idempotency key.
        """
        value = await self.checkpoint(job, field_of(checkpoint, key))
        return None if value is None else checkpoint.model_validate(value)

    async def save_checkpoint(self, job: Job, checkpoint: Checkpoint, key: str = "") -> None:
        """Save a checkpoint of a job that waits and therefore has no attempt; nothing if the job was erased.

        Args:
            job: The waiting job.
            checkpoint: What to save.
            key: Tells several of one class apart, such as an idempotency key.
        """
        await self.keep_beside(job, field_of(type(checkpoint), key), checkpoint.model_dump(mode="json"))

    async def keep_beside(self, job: Job, name: str, value: Any) -> None:
        """Save a checkpoint of a job that waits and therefore has no attempt."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        await self._beside(keys=[keys.job_key(str(job.chat), job.id)], args=[CHECKPOINT + name, text])

    async def waiting(self) -> tuple[int, float]:
        """How many jobs wait in all chats' edit lanes, and for how many seconds the oldest has."""
        count = await self._redis.zcard(keys.QUEUE)
        oldest: list[Any] = await self._redis.zrange(keys.QUEUE, 0, 0, withscores=True)
        age_s = self._clock.now().timestamp() - float(oldest[0][1]) if oldest else 0.0
        return int(count), max(0.0, age_s)

    async def _sweep_queue(self) -> None:
        """Forget those that wait no more, though nobody took them: a chat's data may be erased."""
        longest: list[Any] = await self._redis.zrange(keys.QUEUE, 0, SWEEP_BATCH - 1)
        for job in longest:
            if await self._redis.hget(job, "state") != JobState.QUEUED:
                await self._redis.zrem(keys.QUEUE, job)

    async def sweep(self) -> int:
        """Give a ticket to every lane that lost its own: a crash came between storing a job and adding one.

        Returns:
            How many tickets were added.
        """
        added = 0
        await self._sweep_queue()
        paused = await self.is_paused()
        before = (self._clock.now() - QUEUE_IDLE).timestamp()
        async for name, seen in self._redis.zscan_iter(keys.LANES):
            chat, queue = parse_queue_id(name)
            slot: Any = await self._redis.hgetall(keys.slot_key(str(chat), queue))
            lost: Any = None
            died = 0
            if not slot:
                lost = await self._redis.lindex(keys.lane_key(str(chat), queue), 0)
                if paused and lost and await self._redis.hexists(keys.job_key(str(chat), lost), "charged"):
                    continue
            elif not await self._is_alive(slot["ticket"]):
                lost = slot["job"]
                if slot["ticket"]:
                    # It ended without giving the job back: the job may be what ended it, and has this held against it.
                    died = await self._park(
                        keys=[keys.job_key(str(chat), lost), keys.slot_key(str(chat), queue)],
                        args=[slot["ticket"], 0],
                    )
            if lost:
                # Named after the job: one that only waits for a free worker is not given ever more of them.
                ticket = await self._docket.add("work", key=f"sweep:{name}:{lost}")(name, "")
                if ticket.disposition is Disposition.SCHEDULED:
                    added += 1
                    # Else its ticket may be about to be added, or wait for a worker: one too many does no harm.
                    if died:
                        log.warning("lanes.ticket_was_missing", queue=name)
            elif not slot and float(seen) < before:
                await self._redis.zrem(keys.LANES, name)
        return added

    def _kept_s(self, job: Job) -> int:
        ttl_s = self._finished_ttl_s
        return min(ttl_s, keys.SAID_JOB_TTL_S) if job.kind in _BRIEF else ttl_s

    async def _fields(self, chat: ChatKey, job_id: str) -> dict[str, str]:
        fields: Any = await self._redis.hgetall(keys.job_key(str(chat), job_id))
        return cast(dict[str, str], fields)

    async def _is_alive(self, ticket: str) -> bool:
        execution = await self._docket.get_execution(ticket) if ticket else None
        return execution is not None and execution.state not in (
            ExecutionState.COMPLETED,
            ExecutionState.FAILED,
            ExecutionState.CANCELLED,
        )


def queue_id(chat: ChatKey, queue: QueueName) -> str:
    """A lane's name, as tickets carry it."""
    return f"{chat}/{queue}"


def parse_queue_id(name: str) -> tuple[ChatKey, QueueName]:
    """The chat and the lane of a name."""
    chat, _, queue = name.rpartition("/")
    return ChatKey.parse(chat), QueueName(queue)
