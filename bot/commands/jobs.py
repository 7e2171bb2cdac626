"""What ``nemovideo-bot jobs`` does: lists, shows, stops and repeats jobs, by the ways of the chats' own buttons."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from redis.asyncio import Redis

from bot.app import open_job_queue
from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.chats.token_cipher import TokenCipher
from bot.jobs.model import Job, JobKind, JobState, QueueName, new_job_id
from bot.jobs.payloads import CancelPayload
from bot.jobs.position_message import position_message_of
from bot.jobs.queue.album import gathered
from bot.jobs.queue.given_up import GivenUp, given_up
from bot.jobs.queue.job_queue import CHECKPOINT, JobQueue, QueueFull
from bot.jobs.queue.quotas import QuotaExceeded
from bot.jobs.queue.retry import retry_of
from bot.runtime.clock import Clock
from bot.runtime.logs import redact
from bot.settings import Settings
from bot.store import keys
from bot.store.connect import open_store
from bot.store.schema import ensure_schema

AT_ONCE = 500
"""Jobs that are read in one go: each is a hash of its own."""

REPEATABLE = frozenset({JobKind.EDIT, JobKind.EXPORT, JobKind.CREDITS, JobKind.STATUS, JobKind.LINK})
"""Kinds that can be tried again: all they need is in the job. The others answer a moment that has passed."""

CURRENT = (JobState.RUNNING, JobState.QUEUED)

_ID = re.compile(r"[0-9a-f]{16}")


class CommandRefused(Exception):
    """It can't be done; the message is one line for the operator."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as the operator sees it; nothing in it is a secret, or was said by the services.

    Args:
        job: What was asked, with all that joined it.
        state: Where it stands.
        place: In its queue; 0 when it does not wait.
        starts: How often it was begun.
        is_stopping: Whether it was asked to stop and still runs.
        saved: Names of its checkpoints, such as ``agent_asked``.
    """

    job: Job
    state: JobState
    place: int
    starts: int
    is_stopping: bool
    saved: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        job = self.job
        return {
            "id": job.id,
            "chat": str(job.chat),
            "queue": job.queue.value,
            "kind": job.kind.value,
            "state": self.state.value,
            "place": self.place,
            "stopping": self.is_stopping,
            "starts": self.starts,
            "asked_at": job.asked_at.isoformat(),
            "asked_by": job.owner_id,
            "message_id": job.message_id,
            "language": job.language,
            "text": redact(job.text),  # people do send tokens
            "files": [{"kind": file.kind, "name": file.name, "bytes": file.size} for file in job.files],
            "saved": list(self.saved),
        }


class JobAdmin:
    """The jobs of all chats.

    Args:
        redis: The store.
        job_queue: The queues.
        chats: Whose projects a repeated job goes on with.
        clock: Stamps jobs.
    """

    def __init__(self, redis: Redis, job_queue: JobQueue, chats: Chats, clock: Clock) -> None:
        self._redis = redis
        self._job_queue = job_queue
        self._chats = chats
        self._clock = clock

    async def rows(
        self, *, states: Collection[JobState] = (), chat: ChatKey | None = None, limit: int = 50
    ) -> list[JobRow]:
        """List those that run (the longest first), edits that wait (in their order), and what is over (latest first).

        Without the answers to pressed buttons, which are over in a moment. What is over lies in no order in the
        store, and is looked for among all that is kept.

        Args:
            states: Of these; of those that run or wait when empty.
            chat: Only of this one.
            limit: At most so many.
        """
        states = states or CURRENT
        rows: list[JobRow] = []
        if JobState.RUNNING in states:
            rows += await self._in_order(keys.RUNNING, JobState.RUNNING, chat, limit)
        if JobState.QUEUED in states:
            waiting = await self._in_order(keys.QUEUE, JobState.QUEUED, chat, limit - len(rows))
            # The set knows seconds, in which somebody may ask for much.
            rows += sorted(waiting, key=lambda row: (row.job.asked_at, row.place))
        if over := set(states) - set(CURRENT):
            rows += await self._over(over, chat, limit - len(rows))
        return rows

    async def _in_order(
        self, ordered: str, state: JobState, chat: ChatKey | None, limit: int
    ) -> list[JobRow]:
        """The first of a set that the lanes keep."""
        prefix = keys.job_key(str(chat), "") if chat else keys.JOB
        rows: list[JobRow] = []
        start = 0
        while len(rows) < limit:
            names: Any = await self._redis.zrange(ordered, start, start + AT_ONCE - 1)
            if not names:
                break
            start += len(names)
            for name in names:
                if len(rows) == limit:
                    break
                # One whose data was erased, or that went on meanwhile, may stand there a moment longer.
                if name.startswith(prefix) and (row := await self._row(name)) and row.state is state:
                    rows.append(row)
        return rows

    async def _over(self, states: Collection[JobState], chat: ChatKey | None, limit: int) -> list[JobRow]:
        found: dict[str, datetime] = {}
        some: list[str] = []
        pattern = keys.job_key(str(chat), "*") if chat else f"{keys.JOB}*"
        async for name in self._redis.scan_iter(match=pattern, count=AT_ONCE):
            some.append(name)
            if len(some) == AT_ONCE:
                found |= await self._asked_at(some, states)
                some = []
        found |= await self._asked_at(some, states)
        latest = sorted(found, key=lambda name: found[name], reverse=True)[: max(0, limit)]
        rows = [await self._row(name) for name in latest]
        return [row for row in rows if row is not None]

    async def given_up(self, *, chat: ChatKey | None = None, limit: int = 50) -> list[GivenUp]:
        """Jobs that ended with an apology, the last one first; the store keeps them longer than the jobs themselves.

        Args:
            chat: Only of this one.
            limit: At most so many.
        """
        found = await given_up(self._redis)
        return [one for one in found if chat is None or one.chat == str(chat)][:limit]

    async def _asked_at(self, names: Sequence[str], states: Collection[JobState]) -> dict[str, datetime]:
        """When jobs were asked for, of those that are wanted; by their keys."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hmget(name, ["request", "state"])
            answers = await pipe.execute()
        found: dict[str, datetime] = {}
        for name, (request, state) in zip(names, answers, strict=True):
            if request is None or state not in states:
                continue  # It aged out meanwhile.
            found[name] = Job.from_json(request).asked_at
        return found

    async def row(self, job_id: str) -> JobRow:
        """One job.

        Raises:
            Refused: No job has this id.
        """
        if not _ID.fullmatch(job_id):
            raise CommandRefused(
                f"{job_id!r} is no job's id: those have 16 digits and letters, see: nemovideo-bot jobs list"
            )
        async for name in self._redis.scan_iter(match=f"{keys.JOB}*:{job_id}", count=AT_ONCE):
            row = await self._row(name)
            if row is not None:
                return row
        raise CommandRefused(f"There is no job {job_id}: they are kept for a week, and not after /forget")

    async def _row(self, name: str) -> JobRow | None:
        fields = cast(dict[str, str], await cast(Any, self._redis.hgetall(name)))
        if "request" not in fields:
            return None
        job = gathered(fields).job
        state = JobState(fields["state"])
        at: Any = None
        if state is JobState.QUEUED:
            at = await self._redis.lpos(keys.lane_key(str(job.chat), job.queue), job.id)
        return JobRow(
            job,
            state,
            0 if at is None else int(at) + 1,
            int(fields["attempt"]),
            "cancel" in fields and state is JobState.RUNNING,
            tuple(sorted(name.removeprefix(CHECKPOINT) for name in fields if name.startswith(CHECKPOINT))),
        )

    async def cancel(self, job_id: str) -> JobRow:
        """Stop a job that waits or runs; the chat is told by the job's own message.

        Returns:
            The job as it is then: one that runs is told to stop, and stops when its worker hears it.

        Raises:
            Refused: There is none, or it is over.
        """
        job = (await self.row(job_id)).job
        was = await self._job_queue.cancel(job.chat, job.queue, job.id)
        if was in (JobState.QUEUED, JobState.CANCELLED):
            # Once more for one that is stopped already: the command may have been killed in between.
            await self._close_position_message(job)
        if was not in (JobState.QUEUED, JobState.RUNNING, JobState.CANCELLED):
            raise CommandRefused(f"Job {job_id} is over: {was or 'gone'}")
        return await self.row(job_id)

    async def _close_position_message(self, job: Job) -> None:
        """Let a worker close the message that told the chat the job's position; only it can reach Telegram."""
        if await position_message_of(self._job_queue, job) is None:
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
        """Try a job again that failed or was stopped: only what is left of it, and once however often it is asked.

        Returns:
            The new job.

        Raises:
            Refused: There is none, it is not over, it can't be repeated, or nothing more is taken now.
        """
        row = await self.row(job_id)
        if row.state not in (JobState.FAILED, JobState.CANCELLED):
            raise CommandRefused(
                f"Job {job_id} is {row.state}: only one that failed or was cancelled is tried again"
            )
        if row.job.kind not in REPEATABLE:
            raise CommandRefused(f"Job {job_id} is of the kind {row.job.kind}, which can't be tried again")
        again = await retry_of(self._job_queue, self._chats, row.job, self._clock.now())
        if again is None:
            raise CommandRefused(f"Job {job_id} was tried again already")
        try:
            await self._job_queue.enqueue([again], f"retry:{job_id}")
        except QuotaExceeded as error:
            raise CommandRefused(f"The day's budget of the {error.scarce.whose} is used up") from None
        except QueueFull:
            raise CommandRefused(
                "Too much is waiting already, see QUEUE_LIMIT and TOTAL_QUEUE_LIMIT"
            ) from None
        return await self.row(again.id)


@contextlib.asynccontextmanager
async def open_job_admin(settings: Settings, clock: Clock) -> AsyncIterator[JobAdmin]:
    """The office on the store of the settings, beside whatever processes use it.

    Raises:
        StoreError: It can't be used.
    """
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(redis_url, settings.data_dir))
        await ensure_schema(store.redis)
        token_cipher = TokenCipher.open(
            [key.get_secret_value() for key in settings.encryption_keys], settings.data_dir
        )
        _, job_queue = await stack.enter_async_context(open_job_queue(store, settings, clock))
        yield JobAdmin(
            store.redis, job_queue, Chats(store.redis, token_cipher, clock, settings.chat_ttl_days), clock
        )
