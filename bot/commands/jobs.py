"""The command ``nemovideo-bot jobs``: lists, shows, cancels and retries jobs, as the buttons in chats do."""

import contextlib
import re
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from redis.asyncio import Redis

from bot.chats.chats import STORED_NAMES, Chats
from bot.chats.key import ChatKey
from bot.chats.token_cipher import TokenCipher
from bot.jobs.checkpoints import AgentAnswered, JobProgress, StepTime
from bot.jobs.model import Job, JobKind, JobState, QueueName, new_job_id
from bot.jobs.payloads import CancelPayload
from bot.jobs.queue.album import read_gathered_job
from bot.jobs.queue.continued_jobs import make_retry_job
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.jobs.queue.job_reader import GivenUp, read_checkpoints
from bot.jobs.queue.open_job_queue import open_job_queue
from bot.jobs.queue.open_questions import parse_member
from bot.jobs.queue.packed_request import unpack
from bot.jobs.queue.quotas import QuotaExceeded
from bot.runtime.clock import Clock
from bot.runtime.logs import redact
from bot.runtime.setting_types import revealed
from bot.runtime.terminal import EXIT_WRONG, CommandError
from bot.settings import Settings
from bot.store import keys
from bot.store.connect import open_store
from bot.store.schema import ensure_schema

BATCH_SIZE = 500  # jobs that are read in one round trip

RETRYABLE = frozenset({JobKind.EDIT, JobKind.EXPORT, JobKind.CREDITS, JobKind.STATUS, JobKind.LINK})
"""Kinds whose jobs contain all they need to run again. The others answer to a moment that has passed."""

_INDEXES = {
    JobState.RUNNING: keys.STARTED_JOBS,
    JobState.QUEUED: keys.WAITING_JOBS,
    JobState.ASKING: keys.OPEN_QUESTIONS,
}
"""The sorted sets of the queue, by the state of the jobs in them."""

CURRENT = tuple(_INDEXES)

_ID = re.compile(r"[0-9a-f]{16}")


class CommandRefused(CommandError):
    """A command can't be carried out; the message is one line for the operator."""

    exit_code = EXIT_WRONG


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as the operator sees it, without secrets and the services' answers."""

    job: Job  # the request, with all its parts
    state: JobState  # whether it waits, runs or has ended
    position: int  # its position in the queue from 1; 0 if it does not wait
    starts: int  # the number of attempts
    is_stopping: bool  # whether it has been cancelled and still runs
    is_parked: bool  # whether it was begun, and waits for a worker to go on with it
    began_at: datetime | None  # when it was begun, while it runs
    saved_at: datetime | None  # when it saved something last, while it runs
    saved: tuple[str, ...]  # names of its checkpoints, such as ``uploaded`` and ``agent_answered``
    progress: JobProgress  # the steps it took, and why it failed
    credits_used: int  # what the agent's work cost, as far as that is known
    given_up_for: str  # the error, if the job was given up

    @property
    def step(self) -> StepTime | None:
        """Return the step that it takes now."""
        latest = self.progress.steps[-1] if self.progress.steps else None
        is_taken = self.state in (JobState.RUNNING, JobState.ASKING) and latest is not None
        return latest if is_taken and latest is not None and latest.ended_at is None else None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that ``--json`` prints."""
        job = self.job
        return {
            "id": job.id,
            "chat": str(job.chat),
            "queue": job.queue.value,
            "kind": job.kind.value,
            "state": self.state.value,
            "position": self.position,
            "stopping": self.is_stopping,
            "parked": self.is_parked,
            "began_at": None if self.began_at is None else self.began_at.isoformat(),
            "saved_at": None if self.saved_at is None else self.saved_at.isoformat(),
            "starts": self.starts,
            "asked_at": job.asked_at.isoformat(),
            "asked_by": job.requester_id,
            "message_id": job.message_id,
            "language": job.language,
            "text": redact(job.prompt),  # people do send tokens
            "files": [{"kind": file.kind, "name": file.name, "bytes": file.size} for file in job.files],
            "saved": list(self.saved),
            "step": None if self.step is None else self.step.name,
            "steps": [step.model_dump() for step in self.progress.steps],
            "render_percent": self.progress.render_percent,
            "credits_used": self.credits_used,
            "failed_for": self.given_up_for or (self.progress.ended_with and self.progress.ended_with.key),
        }


class JobAdmin:
    """Lists and changes the jobs of all chats."""

    def __init__(self, redis: Redis, job_queue: JobQueue, chats: Chats, clock: Clock) -> None:
        self._redis = redis
        self._job_queue = job_queue
        self._chats = chats
        self._clock = clock

    async def rows(
        self, *, states: Collection[JobState] = (), chat: ChatKey | None = None, limit: int = 50
    ) -> list[JobRow]:
        """List running jobs (longest first), waiting edits, those that ask, and ended ones (latest first).

        Answers to pressed buttons are left out. Ended jobs have no index: all stored jobs are scanned for them.

        Args:
            states: The states to list; all of current jobs if empty.
            chat: Only jobs of this chat.
            limit: The largest number of jobs returned.
        """
        states = states or CURRENT
        rows: list[JobRow] = []
        for state in CURRENT:
            if state in states:
                rows += await self._current(state, chat, limit - len(rows))
        if ended := set(states) - set(CURRENT):
            rows += await self._ended(ended, chat, limit - len(rows))
        return rows

    async def _current(self, state: JobState, chat: ChatKey | None, limit: int) -> list[JobRow]:
        """Return the first jobs in a state that the queue has an index of."""
        names: Any = await self._redis.zrange(_INDEXES[state], 0, -1)
        if state is JobState.ASKING:
            names = [keys.job_key(str(its_chat), job_id) for its_chat, job_id in map(parse_member, names)]
        prefix = keys.job_key(str(chat), "") if chat else keys.JOB
        rows: list[JobRow] = []
        for name in names:
            if len(rows) >= limit:
                break
            # A job that was erased or has changed its state may still be in the set for a moment.
            if name.startswith(prefix) and (row := await self._row(name)) and row.state is state:
                rows.append(row)
        if state is JobState.QUEUED:  # The set orders by seconds; several jobs may be from the same one.
            rows.sort(key=lambda row: (row.job.asked_at, row.position))
        return rows

    async def _ended(self, states: Collection[JobState], chat: ChatKey | None, limit: int) -> list[JobRow]:
        asked_at: dict[str, datetime] = {}
        batch: list[str] = []
        pattern = keys.job_key(str(chat), "*") if chat else f"{keys.JOB}*"
        async for name in self._redis.scan_iter(match=pattern, count=BATCH_SIZE):
            batch.append(name)
            if len(batch) == BATCH_SIZE:
                asked_at |= await self._asked_at(batch, states)
                batch = []
        asked_at |= await self._asked_at(batch, states)
        latest = sorted(asked_at, key=lambda name: asked_at[name], reverse=True)[: max(0, limit)]
        rows = [await self._row(name) for name in latest]
        return [row for row in rows if row is not None]

    async def given_up(self, *, chat: ChatKey | None = None, limit: int = 50) -> list[GivenUp]:
        """List jobs that were given up, the latest first; these records are stored longer than the jobs."""
        jobs = await self._job_queue.given_up()
        return [job for job in jobs if chat is None or job.chat == str(chat)][:limit]

    async def _asked_at(self, job_keys: Sequence[str], states: Collection[JobState]) -> dict[str, datetime]:
        """Return when the jobs in these states were asked for, by their keys."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for key in job_keys:
                pipe.hmget(key, [JobField.REQUEST, JobField.STATE])
            answers = await pipe.execute()
        asked_at: dict[str, datetime] = {}
        for key, (request, state) in zip(job_keys, answers, strict=True):
            if request is None or state not in states:
                continue  # expired meanwhile, or in another state
            asked_at[key] = unpack(request).asked_at
        return asked_at

    async def row(self, job_id: str) -> JobRow:
        """Return one job.

        Raises:
            CommandRefused: No job has this ID.
        """
        if not _ID.fullmatch(job_id):
            raise CommandRefused(
                f"{job_id!r} is not a job's ID: these have 16 digits and letters, see: nemovideo-bot jobs list"
            )
        async for name in self._redis.scan_iter(match=f"{keys.JOB}*:{job_id}", count=BATCH_SIZE):
            row = await self._row(name)
            if row is not None:
                return row
        raise CommandRefused(
            f"There is no job {job_id}: most are kept for a week, large ones for a day, none after /forget"
        )

    async def _row(self, name: str) -> JobRow | None:
        fields = cast(dict[str, str], await cast(Any, self._redis.hgetall(name)))
        if JobField.REQUEST not in fields:
            return None
        job = read_gathered_job(fields).job
        state = JobState(fields[JobField.STATE])
        checkpoints = read_checkpoints(fields)
        progress = JobProgress.model_validate(checkpoints.pop(JobProgress.name, None) or {})
        answered = AgentAnswered.model_validate(checkpoints.get(AgentAnswered.name) or {})
        given_up = [] if JobField.GIVEN_UP not in fields else await self._job_queue.given_up()
        at: Any = None
        if state is JobState.QUEUED:
            at = await self._redis.lpos(keys.queue_key(str(job.chat), job.queue), job.id)
        running, began_at, saved_at = await self._progress(job, name)
        is_running = state is JobState.RUNNING
        return JobRow(
            job,
            state,
            0 if at is None else int(at) + 1,
            int(fields.get(JobField.ATTEMPT, 0)),
            JobField.CANCEL_REQUESTED in fields and is_running,
            is_running and running == (job.id, ""),
            began_at if is_running else None,
            saved_at if is_running else None,
            tuple(sorted(checkpoints)),
            progress,
            answered.credits_used,
            next((one.error for one in given_up if one.id == job.id), ""),
        )

    async def _progress(
        self, job: Job, name: str
    ) -> tuple[tuple[str, str], datetime | None, datetime | None]:
        """Return the running job of a job's queue with its ticket, and when this one began and saved something last."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hmget(keys.running_key(str(job.chat), job.queue), "job", "ticket")
            pipe.zscore(keys.STARTED_JOBS, name)
            pipe.zscore(keys.SAVED_JOBS, name)
            running, *times_s = await pipe.execute()
        began_at, saved_at = (None if s is None else datetime.fromtimestamp(s, UTC) for s in times_s)
        return tuple(running), began_at, saved_at

    async def cancel(self, job_id: str) -> JobRow:
        """Cancel a job that waits or runs; its progress message in the chat says so.

        Returns:
            The job after that. A running job stops when its worker receives the message.

        Raises:
            CommandRefused: No job has this ID, or it has ended.
        """
        job = (await self.row(job_id)).job
        state = await self._job_queue.cancel(job.chat, job.queue, job.id)
        if state in (JobState.QUEUED, JobState.ASKING, JobState.CANCELLED):
            # Also for a job that is cancelled already: the command may have been killed in between.
            await self._close_messages(job, state)
        if state not in (*CURRENT, JobState.CANCELLED):
            raise CommandRefused(f"Job {job_id} is over: {state or 'gone'}")
        return await self.row(job_id)

    async def _close_messages(self, job: Job, state: JobState) -> None:
        """Make a worker close the message with the job's position or question; only workers can reach Telegram."""
        if state is not JobState.ASKING and await self._job_queue.find_position_message(job) is None:
            return
        close = replace(
            job,
            id=new_job_id(),
            queue=QueueName.QUICK,
            kind=JobKind.CANCEL,
            payload=CancelPayload(job_id=job.id, is_silent=True),
        )
        with contextlib.suppress(QueueFull):
            await self._job_queue.enqueue([close], f"cancelled:{job.id}")

    async def retry(self, job_id: str) -> JobRow:
        """Retry the remaining steps of a job that failed or was cancelled; repeating the command changes nothing.

        Returns:
            The new job.

        Raises:
            CommandRefused: No job has this ID, it has not ended, its kind can't be retried, or the queue is full.
        """
        row = await self.row(job_id)
        if row.state not in (JobState.FAILED, JobState.CANCELLED):
            raise CommandRefused(
                f"Job {job_id} is {row.state}: only one that failed or was cancelled is tried again"
            )
        if row.job.kind not in RETRYABLE:
            raise CommandRefused(f"Job {job_id} is of the kind {row.job.kind}, which can't be tried again")
        again = await make_retry_job(self._job_queue, self._chats, row.job, self._clock.now())
        if again is None:
            raise CommandRefused(f"Job {job_id} was tried again already")
        try:
            await self._job_queue.enqueue([again], f"retry:{job_id}")
        except QuotaExceeded as error:
            raise CommandRefused(f"The daily limit of the {error.warning.scope} is used up") from None
        except QueueFull:
            raise CommandRefused(
                "Too much is waiting already, see QUEUE_LIMIT and TOTAL_QUEUE_LIMIT"
            ) from None
        return await self.row(again.id)


@contextlib.asynccontextmanager
async def open_job_admin(settings: Settings, clock: Clock) -> AsyncIterator[JobAdmin]:
    """Open the jobs in the configured store, next to the processes that use it.

    Raises:
        StoreError: The store can't be used.
    """
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(revealed(settings.redis_url), settings.data_dir))
        await ensure_schema(store.redis, STORED_NAMES)
        token_cipher = await TokenCipher.of_store(store.redis, settings.encryption_keys, settings.data_dir)
        job_queue = await stack.enter_async_context(open_job_queue(store, settings, clock))
        yield JobAdmin(
            store.redis, job_queue, Chats(store.redis, token_cipher, settings.chat_ttl_days), clock
        )
