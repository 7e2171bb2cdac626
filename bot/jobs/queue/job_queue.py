"""Each chat's queues in Redis.

A queue is a list of job ids, and the job that runs. A **ticket** is a docket task that carries only the id of a queue:
it takes the head of the list, runs it, and frees the queue. The list keeps the order, and one job runs at a time. A
ticket that dies with its worker is delivered again and finds its job running. A ticket that finds another one's job
running just ends, because the worker that ends that job adds a ticket for the next one.

Every start of a job raises its ``attempt``, which fences off earlier starts: a worker that was believed dead and
goes on regardless can't save anything any more.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog
from docket import Docket
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import JobProgress, field_of
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.album import ArrivedPart, has_request_parts
from bot.jobs.queue.claimed_job import ClaimedJob, CloseOutcome, SaveOutcome, read_claimed_job
from bot.jobs.queue.ended_jobs import EndedJobs, is_brief
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.job_reader import STORED_GIVEN_UP, GivenUp, JobReader, JobStatus
from bot.jobs.queue.open_questions import OpenQuestions, question_member
from bot.jobs.queue.packed_request import pack
from bot.jobs.queue.quotas import FIELDS_OF_SENT, QuotaExceeded, Quotas, QuotaWarning
from bot.jobs.queue.scheduled_jobs import ScheduledJobs
from bot.jobs.queue.statistics import QueueStatistics
from bot.jobs.queue.sweep import QueueSweep
from bot.jobs.queue.tickets import Tickets, parse_queue_id, queue_id
from bot.jobs.queue.unreadable_jobs import find_apology
from bot.runtime import metrics
from bot.runtime.clock import Clock
from bot.store import keys
from bot.store.lua_script import LuaScript
from bot.store.schema import SCHEMA_VERSION, newer_store
from bot.words.texts import DEFAULT_LANGUAGE

log = structlog.get_logger(__name__)

PAUSED_ALL = "all"  # value of the pause mark: not even what was begun goes on

_URGENT = frozenset({JobKind.FORGET, JobKind.DELETE_TOKEN, JobKind.CANCEL})
"""A full queue must not keep a chat from being erased, a token from being deleted, a job from being stopped."""


class QueueFull(Exception):
    """The maximum number of jobs waits in the chat's queue."""


class PersonFull(QueueFull):
    """The maximum number of one person's jobs waits, in all chats together."""


class BotFull(QueueFull):
    """The maximum number of jobs waits in all chats together."""


_FULL = {"queue_full": QueueFull, "person_full": PersonFull, "bot_full": BotFull}


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What the chat has to be told about an accepted update."""

    is_new: bool  # whether the update was stored now, and not before
    warnings: tuple[QuotaWarning, ...]  # quotas of which it left little; a repeated update has the same
    is_paused: bool  # whether requests have to wait


class JobQueue(JobReader):
    """The chats' queues.

    Args:
        redis: With ``decode_responses``.
        docket: Where tickets are added.
        quick_docket: Where tickets of quick queues are added; ``docket`` by default.
        clock: Source of time for what ages out.
        quotas: What a day allows; everything by default.
        queue_limit: How many jobs may wait in one queue, and how many of one person in all main queues.
        total_limit: How many jobs may wait in the main queues of all chats.
        finished_ttl_s: How long a finished job is kept, for buttons that refer to it; whole for a day.
        update_ttl_s: How long an update is remembered.
    """

    def __init__(
        self,
        redis: Redis,
        docket: Docket,
        clock: Clock,
        *,
        quick_docket: Docket | None = None,
        quotas: Quotas | None = None,
        queue_limit: int = 50,
        total_limit: int = 10_000,
        finished_ttl_s: int = keys.JOB_TTL_S,
        update_ttl_s: int = keys.UPDATE_TTL_S,
    ) -> None:
        super().__init__(redis)
        self._clock = clock
        self.quotas = quotas or Quotas(clock)
        self.tickets = Tickets(docket, quick_docket or docket)
        self.statistics = QueueStatistics(redis, self.tickets.dockets, clock)
        self.questions = OpenQuestions(redis, self.tickets, clock)
        self.scheduled = ScheduledJobs(redis)
        self._ended = EndedJobs(redis, clock)
        self.sweeps = QueueSweep(redis, self.tickets, self.questions, clock)
        self._has_found_unreadable = False
        self._queue_limit, self._total_limit = queue_limit, total_limit
        self._finished_ttl_s, self._update_ttl_s = finished_ttl_s, update_ttl_s
        self._enqueue = LuaScript(redis, __package__, "enqueue", "quotas", "album")
        self._claim = LuaScript(redis, __package__, "claim", "asking")
        self._save = LuaScript(redis, __package__, "save")
        self._save_waiting = LuaScript(redis, __package__, "save_waiting")
        self._record_upload_size = LuaScript(redis, __package__, "record_upload_size", "quotas")
        self._close = LuaScript(redis, __package__, "close")
        self._finish = LuaScript(redis, __package__, "finish", "quotas", "credits", "drafts")
        self._park = LuaScript(redis, __package__, "park")
        self._cancel = LuaScript(redis, __package__, "cancel", "quotas", "credits", "drafts")
        self._claim_position_message = LuaScript(redis, __package__, "claim_position_message")

    async def sweep(self) -> int:
        """Enqueue scheduled jobs that are due, and give a ticket to each queue that lost its own.

        Returns:
            How many tickets were added.
        """
        if int(await self._redis.get(keys.SCHEMA) or 0) > SCHEMA_VERSION:
            return 0  # The jobs are another release's, which sweeps for itself; this process ends soon.
        if not self._has_found_unreadable:  # What another release wrote was there when this one began.
            await self.questions.end_unreadable(self.find)
            self._has_found_unreadable = True
        for stored, job in (await self.scheduled.due(self._clock.now())).items():
            with contextlib.suppress(QueueFull):  # Dropped: too much is waiting.
                await self.enqueue([job], f"later:{job.id}")
            await self.scheduled.remove(stored)
        await self._ended.shorten()
        return await self.sweeps.run()

    async def enqueue(
        self,
        jobs: Sequence[Job],
        update_id: int | str,
        arrival: ArrivedPart | None = None,
        on_begun: Callable[[], None] | None = None,
    ) -> Enqueued:
        """Store jobs of one chat and add their tickets; they are safe when this returns.

        Args:
            jobs: In the order in which they are to run within their queues.
            update_id: Telegram's number of the update that asked for them, or a name for another cause.
            arrival: A part of a request. The job that holds the request, which has no text and files of its own, is
                stored for it, unless it joins one that waits for more. If it is an edit of a message, a waiting
                request is changed and ``jobs`` are dropped; they are stored only if the request has begun.
            on_begun: Called as soon as a new request is stored, rather than a part that joins a waiting one.

        Returns:
            What the chat should know. A repeated update only gets its tickets again, in case they were lost.

        Raises:
            QueueFull: Nothing was stored: for this chat, or all of them, enough is waiting.
            QuotaExceeded: Nothing was stored: today's quota does not allow it.
            RedisError: Perhaps nothing was stored: the store is away, or a later release has migrated it. Either way
                the update is kept for when, or for whom, it can be stored.
        """
        now_s = self._clock.now().timestamp()
        queues = {queue_id(job.chat, job.queue): job.id for job in jobs}
        chat, part = str(jobs[0].chat), arrival.part if arrival else None
        argument: dict[str, Any] = {
            "schema": SCHEMA_VERSION,
            "update_ttl_s": self._update_ttl_s,
            "now_s": int(now_s),
            "job_prefix": keys.job_key(chat, ""),
            "total_limit": self._total_limit,
            "ttl": {
                "album_s": keys.ALBUM_TTL_S,
                "latest_job_s": keys.LATEST_JOB_TTL_S,
                "job_of_message_s": keys.JOB_TTL_S,
                "waiting_of_s": keys.WAITING_OF_TTL_S,
            },
            "jobs": [self._enqueue_entry(job, takes_part=arrival is not None) for job in jobs],
        }
        if (charge := self.quotas.charge(jobs, arrival)) is not None:
            argument["charge"] = charge
        if arrival is not None:
            argument["part"] = arrival.argument(now_s)
        answer = await self._enqueue(
            [
                keys.update_mark(chat, update_id),
                keys.album_key(chat, part.album if part else ""),
                keys.latest_job_key(chat, jobs[0].requester_id),
                keys.job_of_message_key(chat, jobs[0].telegram_chat_id, part.message_id if part else 0),
                keys.album_key(chat, arrival.replied_album if arrival else ""),
                keys.WAITING_JOBS,
                keys.QUEUES,
                keys.waiting_of_key(jobs[0].requester_id),
                keys.PAUSED,
                keys.SCHEMA,
            ],
            **argument,
        )
        if answer[0] == "newer":
            raise RedisError(str(newer_store(int(answer[1]))))
        if answer[0] in _FULL:
            raise _FULL[answer[0]]
        if answer[0] == "quota_exceeded":
            raise QuotaExceeded(QuotaWarning(*answer[1:]))
        outcome, warnings, is_paused, main_jobs = answer
        if main_jobs and on_begun is not None:
            on_begun()
        for name, job_id in queues.items():
            await self.tickets.add(name, job_id)
        metrics.UPDATES.labels("stored" if outcome == "new" else "repeated").inc()
        scarce = tuple(QuotaWarning(*warning) for warning in json.loads(warnings))
        return Enqueued(outcome == "new", scarce, bool(is_paused))

    def _enqueue_entry(self, job: Job, *, takes_part: bool) -> dict[str, Any]:
        chat, extra = str(job.chat), 2 if job.kind in _URGENT else 1
        # Neither one chat nor one person takes more than half of all places.
        share = min(self._queue_limit, max(1, self._total_limit // 2)) * extra
        is_main = job.queue is QueueName.MAIN
        return {
            "id": job.id,
            "key": keys.job_key(chat, job.id),
            "queue": queue_id(job.chat, job.queue),
            "queue_key": keys.queue_key(chat, job.queue),
            "request": pack(job),
            "language": job.language if job.language != DEFAULT_LANGUAGE else False,
            "queue_limit": share if is_main else self._queue_limit * extra,
            "person_limit": share,
            "takes_part": takes_part and has_request_parts(job),
            "is_edit": job.kind is JobKind.EDIT,
            "is_answer": job.payload_as(EditPayload).answers_question,
            "holds_request": not is_main and bool(job.prompt or job.files),
            "is_main": is_main,
        }

    async def claim(self, name: str, ticket: str) -> ClaimedJob | None:
        """Claim the queue's next job, or the job that this ticket has claimed before.

        Args:
            name: Id of the queue.
            ticket: The ticket's own key.

        Returns:
            ``None`` if another ticket has the queue, nothing waits, or new jobs are not begun just now.

        Raises:
            StoreError: A later release has migrated the store; its jobs are not for this process.
        """
        chat, queue = parse_queue_id(name)
        answer = await self._claim(
            [
                keys.queue_key(str(chat), queue),
                keys.running_key(str(chat), queue),
                keys.PAUSED,
                keys.WAITING_JOBS,
                keys.STARTED_JOBS,
                keys.SAVED_JOBS,
                keys.open_question_key(str(chat)),
                keys.QUEUES,
                keys.SCHEMA,
            ],
            queue=name,
            ticket=ticket,
            schema=SCHEMA_VERSION,
            paused_all=PAUSED_ALL,
            job_prefix=keys.job_key(str(chat), ""),
            now_s=self._now_s(),
        )
        if answer is None:
            return None
        if answer[0] == "newer":
            raise newer_store(int(answer[1]))
        job_id, attempt, flat, waiting = answer
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        try:
            return read_claimed_job(fields, job_id, attempt, waiting)
        except (ValueError, KeyError):
            # No bot of this release wrote it. Without an end, nothing that waits behind it would ever begin.
            log.exception("job.unreadable", chat=str(chat), job=job_id)
            now = self._clock.now()
            with contextlib.suppress(QueueFull):
                if found := await find_apology(self._redis, chat, queue, job_id, fields, now):
                    apology, cause = found
                    await self.enqueue([apology], cause)
            await self._end(chat, queue, job_id, attempt, JobState.FAILED, self._finished_ttl_s)
        return None

    async def save(self, claimed: ClaimedJob, values: Mapping[str, Any]) -> SaveOutcome:
        """Save checkpoints of a running job, by their names."""
        outcome = await self._save(
            [_key(claimed.job), keys.SAVED_JOBS],
            attempt=claimed.attempt,
            fields=_checkpoint_fields(values),
            now_s=self._now_s(),
        )
        return SaveOutcome(outcome)

    async def record_upload_size(self, claimed: ClaimedJob, size_bytes: int) -> None:
        """Replace the declared size of a job's files in today's quota with the actual one."""
        await self._record_upload_size([_key(claimed.job)], attempt=claimed.attempt, bytes=size_bytes)

    async def close(self, claimed: ClaimedJob, version: int) -> CloseOutcome:
        """Close a job: no more parts join it. Idempotent."""
        return CloseOutcome(await self._close([_key(claimed.job)], attempt=claimed.attempt, version=version))

    async def finish(
        self,
        claimed: ClaimedJob,
        state: JobState,
        error: str = "",
        progress: JobProgress | None = None,
    ) -> None:
        """End a job, and let the next one start.

        Args:
            claimed: The job.
            state: How it ended.
            error: Why it was given up, if it was; kept for the operator.
            progress: How far it came.
        """
        job = claimed.job
        argument: dict[str, Any] = {}
        if progress is not None:
            argument["progress"] = {
                "field": JobField.CHECKPOINT + field_of(JobProgress),
                "value": progress.model_dump_json(exclude_defaults=True),
            }
        if error:
            given_up = GivenUp(job.id, str(job.chat), job.kind, self._clock.now(), error)
            argument["given_up"] = STORED_GIVEN_UP.dump_json(given_up).decode()
        ttl_s = min(self._finished_ttl_s, keys.BRIEF_JOB_TTL_S) if is_brief(job) else self._finished_ttl_s
        await self._end(job.chat, job.queue, job.id, claimed.attempt, state, ttl_s, **argument)

    async def _end(
        self,
        chat: ChatKey,
        queue: QueueName,
        job_id: str,
        attempt: int,
        state: JobState,
        ttl_s: int,
        **argument: Any,
    ) -> None:
        waiting = await self._finish(
            [
                keys.job_key(str(chat), job_id),
                keys.queue_key(str(chat), queue),
                keys.running_key(str(chat), queue),
                keys.STARTED_JOBS,
                keys.SAVED_JOBS,
                keys.GIVEN_UP,
                keys.open_question_key(str(chat)),
                keys.ENDED_JOBS,
            ],
            attempt=attempt,
            id=job_id,
            state=state,
            ttl_s=ttl_s,
            **({} if ttl_s < keys.WHOLE_JOB_TTL_S else {"now_s": self._now_s()}),
            fields_of_sent=FIELDS_OF_SENT,
            given_up_ttl_s=keys.GIVEN_UP_TTL_S,
            given_up_kept=keys.GIVEN_UP_KEPT,
            **argument,
        )
        if waiting > 0:
            await self.tickets.add(queue_id(chat, queue))

    async def park(self, claimed: ClaimedJob, ticket: str) -> None:
        """Give a started job back at once, for any worker; this start isn't counted against the job."""
        job = claimed.job
        running_key = keys.running_key(str(job.chat), job.queue)
        await self._park([_key(job), running_key], ticket=ticket, is_counted=False)
        await self.tickets.add(queue_id(job.chat, job.queue))

    async def uncount_attempt(self, claimed: ClaimedJob) -> None:
        """Don't count this start against the job: the store was away, the job did nothing wrong."""
        await self._redis.hincrby(_key(claimed.job), JobField.UNCOUNTED_ATTEMPTS, 1)

    async def cancel(self, chat: ChatKey, queue: QueueName, job_id: str) -> JobState | None:
        """Stop a job, whether it waits, asks or runs; so too the ``/new`` that it came with.

        Returns:
            The state that it was in; ``None`` if the job is unknown by now.
        """
        status = await self.find(chat, job_id)
        if status is not None and (new_id := status.job.payload_as(EditPayload).new_job_id):
            await self.cancel(chat, queue, new_id)
        state = await self._cancel(
            [
                keys.job_key(str(chat), job_id),
                keys.queue_key(str(chat), queue),
                keys.WAITING_JOBS,
                keys.open_question_key(str(chat)),
                keys.OPEN_QUESTIONS,
                keys.ENDED_JOBS,
            ],
            id=job_id,
            member=question_member(chat, job_id),
            ttl_s=self._finished_ttl_s,
            now_s=self._now_s(),
            fields_of_sent=FIELDS_OF_SENT,
        )
        if state == JobState.RUNNING:
            await self._redis.publish(keys.CANCEL_CHANNEL, job_id)
        if state == JobState.ASKING:
            await self.tickets.add(queue_id(chat, queue))  # For what waited behind it.
        return None if state is None else JobState(state)

    async def is_taken_back(self, job: Job) -> bool:
        """Return whether a cancelled job ends without a message: another job does its work, or that was refused."""
        return bool(await cast(Any, self._redis.hexists(_key(job), JobField.TAKEN_BACK)))

    async def cancel_chat(self, chat_id: int) -> None:
        """Cancel all jobs of a chat and of its topics: the bot is not there any more."""
        ids = [name async for name, _ in self._redis.zscan_iter(keys.QUEUES, f"{chat_id}*", count=1000)]
        for chat, queue in map(parse_queue_id, ids):
            if chat.chat_id == chat_id:
                for job_id in await self.current(chat, queue):
                    await self.cancel(chat, queue, job_id)

    async def cancel_others(self, job: Job) -> None:
        """Cancel all jobs in a running job's queue, after it found that its chat is gone."""
        for job_id in await self.current(job.chat, job.queue):
            if job_id != job.id:
                await self.cancel(job.chat, job.queue, job_id)

    async def pause(self, *, also_running: bool = False) -> None:
        """Begin no more requests and exports, in any process; they wait, and what runs goes on.

        Args:
            also_running: Whether begun jobs, which a drain or a crash gave back, aren't taken up again either.
        """
        await self._redis.set(keys.PAUSED, PAUSED_ALL if also_running else "new")

    async def resume(self) -> None:
        """Begin requests and exports again."""
        await self._redis.delete(keys.PAUSED)
        await self.sweeps.look_at_all()

    async def claim_position_message(self, status: JobStatus) -> bool:
        """Return whether the caller is the first to show this job's position, and the job still waits."""
        return bool(await self._claim_position_message([_key(status.job)]))

    async def save_waiting(self, job: Job, values: Mapping[str, Any]) -> None:
        """Save checkpoints of a job that waits and therefore has no attempt; do nothing if it was erased."""
        await self._save_waiting([_key(job)], fields=_checkpoint_fields(values))

    def _now_s(self) -> int:
        return int(self._clock.now().timestamp())


def _key(job: Job) -> str:
    return keys.job_key(str(job.chat), job.id)


def _checkpoint_fields(values: Mapping[str, Any]) -> list[str]:
    """Return names and values in turns, as Redis takes them."""
    return [
        text
        for name, value in values.items()
        for text in (JobField.CHECKPOINT + name, json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    ]
