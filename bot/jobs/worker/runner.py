"""Runs tickets: takes a job, walks its steps, and answers for every way in which that can end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.jobs.buttons import Retry
from bot.jobs.checkpoints import C, Checkpoint, field_of
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, OutgoingMessage, PrivateMessage, Progress
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.ports import PROGRESS_MESSAGE, ChatGone, Responder, ResponderFactory
from bot.jobs.queue.album import GatheredJob
from bot.jobs.queue.job_queue import ClaimedJob, CloseOutcome, JobQueue, SaveOutcome, parse_queue_id
from bot.runtime import metrics
from bot.runtime.clock import Clock
from bot.store import keys

log = structlog.get_logger(__name__)

T = TypeVar("T")

STORE_PAUSE_S = 1.0
"""Pause before a job is taken up again after the store failed it."""

LISTEN_S = 5.0
"""How long one read of the news waits; shorter than the store's own limit for an answer."""

ANNOUNCEMENT_PATIENCE_S = 2.0
"""How long a starting job waits for the announcement of its place, which becomes its live message."""

SWEEP_EVERY_S = 5.0
"""How soon a lane that lost its ticket gets a new one."""


class Interruption(Enum):
    """Why a running job was stopped from outside."""

    CANCELLED = "cancelled"  # the chat asked for it
    DRAINED = "drained"  # this process ends; another takes the job up
    SUPERSEDED = "superseded"  # another worker has it already


class JobEnded(Exception):
    """Raised by a step when the job is over and has its answer.

    Args:
        message: What to tell the chat.
        state: How the job ended.
    """

    def __init__(self, message: OutgoingMessage | None, state: JobState = JobState.FAILED) -> None:
        super().__init__(state)
        self.message = message
        self.state = state


class Attempt:
    """One attempt at a job: what its steps work with. Implements ``Ledger``.

    Args:
        claimed: The job and what earlier attempts saved.
        job_queue: Where checkpoints go.
        clock: For everything that waits.
    """

    def __init__(self, claimed: ClaimedJob, job_queue: JobQueue, clock: Clock) -> None:
        self.claimed = claimed
        self.job: Job = claimed.job
        self.clock = clock
        self.responder: Responder
        self.interruption: Interruption | None = None
        self.given_up_for = ""  # the error's name
        self.began_at = clock.now().timestamp()  # by the wall clock, in seconds
        self._job_queue = job_queue
        self._checkpoints = dict(claimed.checkpoints)
        self._task: asyncio.Task[Any] | None = None

    def get_value(self, name: str) -> Any:
        """A checkpoint of this attempt or an earlier one."""
        return self._checkpoints.get(name)

    async def save_value(self, name: str, value: Any) -> None:
        """Keep a checkpoint; a job that was cancelled, or that another worker has, stops here."""
        self._checkpoints[name] = value
        match await self._job_queue.save(self.claimed, name, value):
            case SaveOutcome.SUPERSEDED:
                self.interrupt(Interruption.SUPERSEDED)
            case SaveOutcome.CANCELLED:
                self.interrupt(Interruption.CANCELLED)
            case SaveOutcome.OK:
                return
        # The interruption arrives at the next await; let it be this one.
        await asyncio.sleep(0)
        if self.interruption is Interruption.SUPERSEDED:
            # It hits the attempt's own task alone; work beside that, as of a live message that is late, ends here.
            raise asyncio.CancelledError

    def load(self, checkpoint: type[C], key: str = "") -> C | None:
        """Return what this attempt or an earlier one saved."""
        value = self.get_value(field_of(checkpoint, key))
        return None if value is None else checkpoint.model_validate(value)

    async def save(self, checkpoint: Checkpoint, key: str = "") -> None:
        """Save a checkpoint; a job that was cancelled, or that another worker has, stops here."""
        await self.save_value(field_of(type(checkpoint), key), checkpoint.model_dump(mode="json"))

    async def delete(self, checkpoint: type[Checkpoint], key: str = "") -> None:
        """Forget a checkpoint."""
        await self.save_value(field_of(checkpoint, key), None)

    async def record_upload_size(self, size: int) -> None:
        """Tell how many bytes the job's files really have."""
        await self._job_queue.record_upload_size(self.claimed, size)

    async def gathered(self) -> GatheredJob:
        """The job with all that joined it so far."""
        return await self._job_queue.gathered(self.job)

    async def close(self, version: int) -> bool:
        """Let nothing more join the job.

        Args:
            version: Of what this attempt has seen of it.

        Returns:
            Whether that was all. Otherwise there is more, and it is open still.
        """
        match await self._job_queue.close(self.claimed, version):
            case CloseOutcome.SUPERSEDED:
                self.interrupt(Interruption.SUPERSEDED)
                await asyncio.sleep(0)
                return True
            case CloseOutcome.CHANGED:
                return False
            case CloseOutcome.OK:
                return True

    def adopt(self, name: str, value: Any) -> None:
        """Take over a checkpoint that was saved beside this attempt."""
        self._checkpoints[name] = value

    def interrupt(self, why: Interruption) -> None:
        """Stop the attempt at its next await, or before it begins.

        The first reason counts; only a drain does not wait for what a cancelled job still has to say, and a job that
        somebody else has by now says nothing more at all.
        """
        if self.interruption in (why, Interruption.SUPERSEDED):
            return
        if self.interruption is not None and why is Interruption.CANCELLED:
            return
        if self._task is not None and self._task.done():
            return
        self.interruption = why
        if self._task is not None:
            self._task.cancel()

    async def through(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do some of the attempt in a task of its own, so that an interruption hits it and not the ticket.

        Returns:
            What came of it; ``None`` when it was interrupted.
        """
        task = asyncio.create_task(work, name=f"job:{self.job.id}")
        self._task = task
        if self.interruption is not None:
            task.cancel()
        try:
            done = await task
        except asyncio.CancelledError:
            if self.interruption is None:
                task.cancel()
                raise
            return None
        # An interruption that came as the work ended changes nothing any more.
        self.interruption = None
        return done


Step = Callable[[Attempt], Awaitable[None]]


class JobRunner:
    """The worker's side of the lanes.

    Args:
        job_queue: The queues.
        redis: For news of cancellations.
        responders: Makes the chat's side of a job.
        clock: Time.
        steps: What to walk through for each kind of job.
        max_tries: Starts after which a job is given up.
    """

    def __init__(
        self,
        job_queue: JobQueue,
        redis: Redis,
        responders: ResponderFactory,
        clock: Clock,
        steps: Mapping[JobKind, Sequence[Step]],
        max_tries: int,
    ) -> None:
        self._job_queue = job_queue
        self._redis = redis
        self._responders = responders
        self._clock = clock
        self._steps = steps
        self._max_tries = max_tries
        self._running: dict[str, Attempt] = {}
        self._tickets: dict[str, asyncio.Future[None]] = {}
        self._announcements: set[asyncio.Task[None]] = set()
        self._draining = False
        job_queue.run_tickets_with(self.work)
        metrics.JOBS_RUNNING.set_function(lambda: len(self._running))

    async def work(self, queue: str, job_id: str, ticket: str) -> None:
        """Run one ticket; see ``jobs/queue/job_queue.py``. One that is delivered again while it runs here is joined."""
        if (running := self._tickets.get(ticket)) is not None:
            log.info("job.ticket_joined", queue=queue)
            await asyncio.wait({running})
            return
        self._tickets[ticket] = asyncio.get_running_loop().create_future()
        try:
            await self._work(queue, job_id, ticket)
        finally:
            self._tickets.pop(ticket).set_result(None)

    async def _work(self, queue: str, job_id: str, ticket: str) -> None:
        while True:
            try:
                if self._draining:
                    return await self._job_queue.add_ticket(queue, job_id)
                claimed = await self._job_queue.claim(queue, ticket)
                if claimed is None:
                    return await self._announce_unless_drained(queue, job_id)
                if await self._attempt(claimed, ticket):
                    return None
            except RedisError:
                log.warning("job.store_away", queue=queue, exc_info=True)
                if self._draining:
                    return None
            await self._clock.sleep(STORE_PAUSE_S)

    def drain(self) -> None:
        """Stop all jobs at their next await and give them back; for the end of the process."""
        self._draining = True
        for attempt in list(self._running.values()):
            attempt.interrupt(Interruption.DRAINED)
        for announcement in self._announcements:
            announcement.cancel()

    async def _attempt(self, claimed: ClaimedJob, ticket: str) -> bool:
        """Walk a job's steps once.

        Returns:
            Whether the ticket is done with; otherwise it takes the job up again.
        """
        job = claimed.job
        attempt = Attempt(claimed, self._job_queue, self._clock)
        attempt.responder = self._responders.open(job, attempt)
        self._running[job.id] = attempt
        try:
            with structlog.contextvars.bound_contextvars(job=job.id, chat=str(job.chat), kind=job.kind):
                return await self._walk(attempt, ticket)
        finally:
            self._running.pop(job.id, None)
            await attempt.responder.close()

    async def _adopt_announcement(self, attempt: Attempt) -> None:
        # The worker that tells a waiting job its place may be at it right now: without its message's number
        # this attempt would send a second live message.
        waited_s = 0.0
        while attempt.claimed.announced and "message_id" not in (attempt.get_value(PROGRESS_MESSAGE) or {}):
            if waited_s >= ANNOUNCEMENT_PATIENCE_S:
                return
            await self._clock.sleep(0.1)
            waited_s += 0.1
            if (found := await self._job_queue.checkpoint(attempt.job, PROGRESS_MESSAGE)) is not None:
                attempt.adopt(PROGRESS_MESSAGE, found)

    async def _walk(self, attempt: Attempt, ticket: str) -> bool:
        if self._draining:
            attempt.interrupt(Interruption.DRAINED)
        elif attempt.claimed.cancelled:
            attempt.interrupt(Interruption.CANCELLED)
        try:
            state = await attempt.through(self._to_its_end(attempt))
            while (
                attempt.interruption is Interruption.CANCELLED
            ):  # Again, when it was pressed again meanwhile.
                attempt.interruption = None
                state = await attempt.through(self._tell_cancelled(attempt))
            match attempt.interruption:
                case Interruption.SUPERSEDED:
                    log.info("job.superseded")
                case Interruption.DRAINED:
                    await attempt.responder.close()
                    await self._job_queue.park(attempt.claimed, ticket)
                    log.info("job.parked")
                case _:
                    await attempt.responder.release_files()
                    await attempt.responder.discard_result()
                    await self._job_queue.finish(
                        attempt.claimed,
                        state or JobState.CANCELLED,
                        attempt.given_up_for if state is JobState.FAILED else "",
                    )
                    metrics.JOBS.labels(attempt.job.kind, state or JobState.CANCELLED).inc()
                    log.info("job.ended", state=state)
        except RedisError:
            log.warning("job.store_failed", exc_info=True)
            if self._draining:
                return True  # Whoever comes next finds that the lane lost its ticket.
            await attempt.responder.close()
            await self._clock.sleep(STORE_PAUSE_S)
            await self._job_queue.excuse(attempt.claimed)
            return False
        return True

    async def _to_its_end(self, attempt: Attempt) -> JobState:
        """Steps, the ending's message, and the live message's end; all of it can be interrupted."""
        message: OutgoingMessage | None = None
        state = JobState.DONE
        try:
            await self._adopt_announcement(attempt)
            if attempt.claimed.tries > self._max_tries:
                attempt.given_up_for = "Interrupted"
                log.error("job.given_up", tries=attempt.claimed.tries - 1)
                retry = Button("button.retry", Retry(attempt.job.id))
                raise JobEnded(LocalizedMessage("job.interrupted_too_often", buttons=(retry,)))  # noqa: TRY301 - ends like any step
            for step in self._steps[attempt.job.kind]:
                await self._take_step(step, attempt)
        except RedisError:
            raise
        except ChatGone:
            log.info("job.chat_gone")
            await self._job_queue.drop_waiting(attempt.job)
            state = JobState.CANCELLED
        except JobEnded as end:
            message, state = end.message, end.state
            heading = message.message if isinstance(message, PrivateMessage) else message
            heading = heading.heading if isinstance(heading, ListMessage) else heading
            if isinstance(heading, LocalizedMessage):
                log.info("job.answered", answer=heading.key)
        except Exception as error:
            attempt.given_up_for = type(error).__name__
            log.exception("job.failed_unexpectedly")
            message, state = LocalizedMessage("error.unexpected"), JobState.FAILED
        try:
            if message is not None:
                await attempt.responder.send("ending", message)
            await attempt.responder.finish_progress(None)
        except RedisError:
            raise
        except ChatGone:
            state = JobState.CANCELLED
        except Exception:
            # Its lane has to go on; walking the job again would only end here again.
            log.exception("job.ending_failed")
        return state

    async def _take_step(self, step: Step, attempt: Attempt) -> None:
        """One step, with a figure and a line in the log of how it came out and how long it took."""
        began_s = self._clock.monotonic_s()
        outcome: str = JobState.DONE
        try:
            await step(attempt)
        except JobEnded as end:
            outcome = end.state
            raise
        except ChatGone:
            outcome = JobState.CANCELLED
            raise
        except (RedisError, asyncio.CancelledError):
            outcome = (
                JobState.CANCELLED
                if attempt.interruption is Interruption.CANCELLED
                else metrics.STEP_INTERRUPTED
            )
            raise
        except Exception:
            outcome = JobState.FAILED
            raise
        finally:
            took_s = self._clock.monotonic_s() - began_s
            metrics.STEP.labels(_step_name(step), outcome).observe(took_s)
            log.info("job.step", step=_step_name(step), outcome=str(outcome), took_s=round(took_s, 3))

    async def _tell_cancelled(self, attempt: Attempt) -> JobState:
        try:
            with contextlib.suppress(ChatGone):
                await attempt.responder.finish_progress(LocalizedMessage("progress.cancelled"))
        except RedisError:
            raise
        except Exception:
            log.exception("job.ending_failed")
        return JobState.CANCELLED

    async def _announce_unless_drained(self, queue: str, job_id: str) -> None:
        task = asyncio.create_task(self._announce(queue, job_id), name=f"announce:{job_id}")
        self._announcements.add(task)
        try:
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()
        finally:
            self._announcements.discard(task)
            task.cancel()

    async def _announce(self, queue: str, job_id: str) -> None:
        """Tell a job that has to wait its place, in what becomes its live message."""
        if not job_id:
            return
        chat, _ = parse_queue_id(queue)
        status = await self._job_queue.find(chat, job_id)
        if status is None or status.state is not JobState.QUEUED or status.place == 0:
            return
        if status.job.queue is not QueueName.MAIN or status.job.kind is JobKind.FORGET:
            return  # Whether it goes on is told, and soon.
        if not await self._job_queue.claim_announcement(status):
            return
        responder = self._responders.open(status.job, _Waiting(self._job_queue, status.job))
        try:
            responder.report_progress(Progress("progress.queued", {"place": status.place}))
            await responder.show_progress()
            left = await self._job_queue.find(chat, job_id)
            if left is not None and left.state is JobState.CANCELLED:
                # While it was being told its place; whoever cancelled it knew of no message to close.
                await responder.finish_progress(LocalizedMessage("progress.cancelled"))
        except ChatGone:
            log.info("job.chat_gone", chat=queue)
        finally:
            await responder.close()

    async def listen(self) -> None:
        """Hear of cancellations, for ever. What is missed here is found at the job's next checkpoint."""
        while True:
            with contextlib.suppress(RedisError):
                async with self._redis.pubsub() as news:
                    await news.subscribe(keys.CANCEL_CHANNEL)
                    while True:
                        item = await news.get_message(ignore_subscribe_messages=True, timeout=LISTEN_S)
                        if item is not None and (attempt := self._running.get(item["data"])):
                            attempt.interrupt(Interruption.CANCELLED)
            await self._clock.sleep(STORE_PAUSE_S)

    async def sweep(self) -> None:
        """Mend lanes that lost their tickets, for ever."""
        while True:
            try:
                await self._job_queue.sweep()
            except RedisError:
                log.warning("lanes.sweep_failed", exc_info=True)
            # In real time, which docket's signs of life come in whatever the clock is.
            await asyncio.sleep(SWEEP_EVERY_S)

    @contextlib.asynccontextmanager
    async def background(self) -> AsyncIterator[None]:
        """Listen and sweep while the block runs."""
        tasks = [
            asyncio.create_task(self.listen(), name="listen"),
            asyncio.create_task(self.sweep(), name="sweep"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _step_name(step: Step) -> str:
    """Of a step, or of what made it."""
    return getattr(step, "__qualname__", "").partition(".")[0] or "step"


class _Waiting:
    """The ledger of a job that waits: no attempt has it yet.

    Args:
        job_queue: Where to save.
        job: The job that waits.
    """

    def __init__(self, job_queue: JobQueue, job: Job) -> None:
        self._job_queue = job_queue
        self._job = job
        self._saved: dict[str, Any] = {}

    def get_value(self, name: str) -> Any:
        """What was saved here."""
        return self._saved.get(name)

    def load(self, checkpoint: type[C], key: str = "") -> C | None:
        """Return what was saved."""
        value = self.get_value(field_of(checkpoint, key))
        return None if value is None else checkpoint.model_validate(value)

    async def save(self, checkpoint: Checkpoint, key: str = "") -> None:
        """Save a checkpoint."""
        await self.save_value(field_of(type(checkpoint), key), checkpoint.model_dump(mode="json"))

    async def delete(self, checkpoint: type[Checkpoint], key: str = "") -> None:
        """Forget a checkpoint."""
        await self.save_value(field_of(checkpoint, key), None)

    async def save_value(self, name: str, value: Any) -> None:
        """Keep what is to be found when the job starts."""
        self._saved[name] = value
        await self._job_queue.keep_beside(self._job, name, value)
