"""Runs tickets: claims a job, takes its steps, and handles every way in which that can end."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.chats.chats import Chats
from bot.jobs.buttons import Export, Retry
from bot.jobs.checkpoints import (
    PROGRESS_MESSAGE,
    AgentAnswered,
    MessageSend,
    PendingAnswer,
    may_be_exportable,
)
from bot.jobs.messages import (
    Button,
    ListMessage,
    LocalizedMessage,
    OutgoingMessage,
    PrivateMessage,
    with_lines,
)
from bot.jobs.model import ACKNOWLEDGED, Job, JobKind, JobState, QueueName
from bot.jobs.payloads import NewPayload
from bot.jobs.ports import ChatGone, ResponderFactory, SendAlert
from bot.jobs.question_messages import close_questions
from bot.jobs.queue.claimed_job import ClaimedJob
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.sweep import SWEEP_EVERY_S
from bot.jobs.worker.attempt import Attempt, Interruption, JobEnded, JobSuspended, Step
from bot.jobs.worker.lost_project import LostProject
from bot.jobs.worker.position_messages import PositionMessages
from bot.nemo.errors import NemoError
from bot.runtime import metrics
from bot.runtime.clock import Clock
from bot.runtime.tasks import cancel
from bot.runtime.tracing import traced
from bot.store import keys
from bot.store.errors import StoreError

log = structlog.get_logger(__name__)

STORE_PAUSE_S = 1.0  # pause before a job is taken up again after the store failed it

LISTEN_S = 5.0
"""How long one read of the cancellations waits; shorter than the store's own limit for an answer."""

NOBODY = ""
"""Published as the ID of a cancelled job to hear whether cancellations arrive."""

POSITION_MESSAGE_WAIT_S = 2.0
"""How long a starting job waits for its position message, which becomes its progress message."""

_ENDS = (JobEnded, JobSuspended, ChatGone, RedisError, asyncio.CancelledError)
"""What ends a step without an error of its own."""

EndBy = Callable[[Job, NemoError], Awaitable[JobEnded]]
"""Returns the end of a job for an error of NemoVideo that its step does not handle itself."""

_INTERRUPTED = ("job.interrupted", "job.interrupted_edit", "job.interrupted_changed")
_UNEXPECTED = ("error.unexpected", "error.unexpected_edit", "error.unexpected_changed")


class JobRunner:
    """Runs the jobs of one process."""

    def __init__(
        self,
        job_queue: JobQueue,
        redis: Redis,
        chats: Chats,
        responders: ResponderFactory,
        clock: Clock,
        steps: Mapping[JobKind, Sequence[Step]],
        max_attempts: int,
        positions: PositionMessages,
        end_by: EndBy,
        send_alert: SendAlert,
    ) -> None:
        self._end_by = end_by
        self._send_alert = send_alert
        self._job_queue = job_queue
        self._redis = redis
        self._chats = chats
        self._responders = responders
        self._clock = clock
        self._steps = steps
        self._max_attempts = max_attempts
        self._positions = positions
        self._running: dict[str, Attempt] = {}
        self._tickets: dict[str, asyncio.Future[None]] = {}
        self._draining = False
        job_queue.tickets.run_with(self.work)
        for name in QueueName:
            metrics.JOBS_RUNNING.labels(name).set_function(partial(self._count_running, name))

    async def work(self, queue: str, job_id: str, ticket: str) -> None:
        """Run one ticket, see ``jobs/queue/job_queue.py``. If it is delivered again meanwhile, both end together."""
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
                    return await self._job_queue.tickets.add(queue, job_id)
                claimed = await self._job_queue.claim(queue, ticket)
                if claimed is None:
                    return await self._positions.send(queue, job_id)
                self._positions.update_behind(claimed)
                if await self._make_attempt(claimed, ticket):
                    return None
            except RedisError:
                log.warning("job.store_unreachable", queue=queue, exc_info=True)
                if self._draining:
                    return None
            except StoreError:
                # ``watch_schema`` ends this process. Its drain adds the ticket again, for one of the later release.
                log.warning("job.of_later_release", queue=queue)
            await self._clock.sleep(STORE_PAUSE_S)

    def _count_running(self, name: QueueName) -> int:
        return sum(attempt.job.queue is name for attempt in self._running.values())

    def drain(self) -> None:
        """Stop all jobs at their next await and give them back; for the end of the process."""
        self._draining = True
        for attempt in list(self._running.values()):
            attempt.interrupt(Interruption.DRAINED)
        self._positions.stop()

    async def _make_attempt(self, claimed: ClaimedJob, ticket: str) -> bool:
        """Take a job's steps once.

        Returns:
            Whether the ticket is done; otherwise it takes the job up again.
        """
        job = claimed.job
        attempt = Attempt(claimed, self._job_queue, self._clock)
        attempt.responder = self._responders.open(job, attempt)
        attempt.lost = LostProject(attempt, self._chats)
        self._running[job.id] = attempt
        try:
            with structlog.contextvars.bound_contextvars(job=job.id, chat=str(job.chat), kind=job.kind):
                return await self._run(attempt, ticket)
        finally:
            self._running.pop(job.id, None)
            await attempt.responder.close()

    async def _wait_for_position_message(self, attempt: Attempt) -> None:
        # Another worker may be sending it right now: without its number this attempt would send a second one.
        waited_s = 0.0
        send = attempt.load(MessageSend, PROGRESS_MESSAGE)
        while attempt.claimed.has_position_message and (send is None or send.sent is None):
            if waited_s >= POSITION_MESSAGE_WAIT_S:
                return
            await self._clock.sleep(0.1)
            waited_s += 0.1
            send = await attempt.reload(MessageSend, PROGRESS_MESSAGE)

    async def _run(self, attempt: Attempt, ticket: str) -> bool:
        if self._draining:
            attempt.interrupt(Interruption.DRAINED)
        elif attempt.claimed.cancelled:
            attempt.interrupt(Interruption.CANCELLED)
        try:
            # ``run`` makes the steps interruptible: ``_run_to_end`` calls ``_take_steps``, which calls each step.
            state = await attempt.run(self._run_to_end(attempt))
            # Again if Cancel was pressed again meanwhile.
            while attempt.interruption is Interruption.CANCELLED:
                attempt.interruption, attempt.shows_cancelled = None, True
                state = await attempt.run(self._show_cancelled(attempt))
            return await self._end(attempt, ticket, state or JobState.CANCELLED)
        except RedisError:
            log.warning("job.store_failed", exc_info=True)
            if self._draining:
                return True  # The sweep of another process finds that the queue lost its ticket.
            await attempt.responder.close()
            await self._clock.sleep(STORE_PAUSE_S)
            await self._job_queue.uncount_attempt(attempt.claimed)
            return False

    async def _end(self, attempt: Attempt, ticket: str, state: JobState) -> bool:
        """End an attempt, and return whether its ticket is done."""
        match attempt.interruption:
            case Interruption.SUPERSEDED:
                log.info("job.superseded")
            case Interruption.DRAINED:
                await attempt.responder.close()
                await self._job_queue.park(attempt.claimed, ticket)
                log.info("job.parked")
            case None if state is JobState.ASKING:
                log.info("job.asking")
                return await self._job_queue.questions.suspend(attempt.job, attempt.claimed.attempt)
            case _:
                await attempt.responder.delete_file_copies()
                await attempt.responder.discard_result()
                error = attempt.given_up_for if state is JobState.FAILED else ""
                await self._job_queue.finish(attempt.claimed, state, error, attempt.progress)
                if error:
                    with contextlib.suppress(RedisError):
                        await self._send_alert("job_given_up", LocalizedMessage("alert.job_given_up"))
                metrics.JOBS.labels(attempt.job.kind, state).inc()
                log.info("job.ended", state=state)
        return True

    async def _run_to_end(self, attempt: Attempt) -> JobState:
        """Take the steps, send the last message, and close the progress message. All of it can be interrupted."""
        try:
            message, state = await self._take_steps(attempt)
        finally:
            await cancel(attempt.fetching)  # Nobody waits for the result any more.
        if state is JobState.FAILED:
            attempt.note_failure(message)
            if attempt.job.payload_as(NewPayload).is_followed:
                message = None  # Its request, which is next, says so, under a button that runs both.
        try:
            if message is not None:
                _log_answer(message)
                # What is sent on seeing it is a request of its own: joined to this one it would be lost.
                while attempt.claimed.gathered.parts and not await attempt.close(
                    (await attempt.gathered()).version
                ):
                    pass
            await _send_ending(attempt, message)
            await attempt.responder.finish_progress(None)
            if attempt.job.kind in ACKNOWLEDGED and state is not JobState.ASKING:
                await attempt.responder.conclude(is_done=state is JobState.DONE and message is None)
            if state is JobState.ASKING:
                await attempt.delete(MessageSend, PROGRESS_MESSAGE)  # It goes on with a new one.
        except RedisError:
            raise
        except ChatGone:
            state = JobState.CANCELLED
        except Exception:
            # The queue has to go on; another attempt would only end here again.
            log.exception("job.ending_failed")
        return state

    async def _take_steps(self, attempt: Attempt) -> tuple[OutgoingMessage | None, JobState]:
        """Take the steps.

        Returns:
            The job's last message, and how it ended.
        """
        try:
            await self._wait_for_position_message(attempt)
            if attempt.claimed.counted_attempts > self._max_attempts:
                attempt.given_up_for = "Interrupted"
                log.error("job.given_up", attempts=attempt.claimed.counted_attempts - 1)
                return _crash_message(_INTERRUPTED, attempt), JobState.FAILED
            for step in self._steps[attempt.job.kind]:
                await self._take_step(step, attempt)
        except RedisError:
            raise
        except ChatGone:
            log.info("job.chat_gone")
            await self._job_queue.cancel_others(attempt.job)
            return None, JobState.CANCELLED
        except JobEnded as end:
            return end.message, end.state
        except JobSuspended:
            return None, JobState.ASKING
        except Exception as error:
            log.exception("job.failed_unexpectedly")
            # Perhaps it read from a replaced primary, which rejects writes or doesn't know the attempt.
            await attempt.save(attempt.progress)
            attempt.given_up_for = type(error).__name__
            return _crash_message(_UNEXPECTED, attempt), JobState.FAILED
        return None, JobState.DONE

    async def _take_step(self, step: Step, attempt: Attempt) -> None:
        """Take one step, and record its outcome and duration in the metrics and the log."""
        began_s = self._clock.monotonic_s()
        outcome: str = JobState.DONE
        try:
            job = attempt.job
            with (
                attempt.step(step.name),
                traced(f"step {step.name}", quiet=_ENDS, job__id=job.id, job__kind=job.kind),
            ):
                try:
                    await step(attempt)
                except NemoError as error:
                    raise await self._end_by(job, error) from error
        except BaseException as error:
            outcome = _outcome_of(error, attempt)
            raise
        finally:
            took_s = self._clock.monotonic_s() - began_s
            metrics.STEP.labels(step.name, outcome).observe(took_s)
            log.info("job.step", step=step.name, outcome=str(outcome), took_s=round(took_s, 3))

    async def _show_cancelled(self, attempt: Attempt) -> JobState:
        held = attempt.load(PendingAnswer)
        try:
            with contextlib.suppress(ChatGone):
                # First: its edits may be what Telegram asks to wait for.
                is_unseen = await self._job_queue.is_taken_back(attempt.job)
                await attempt.responder.finish_progress(
                    None if is_unseen else await self._cancelled_message(attempt, held)
                )
                await attempt.responder.conclude(is_done=False)
                await close_questions(attempt.responder, attempt, attempt.load(AgentAnswered))
                if held is not None and attempt.job.kind is JobKind.EDIT:
                    kept = with_lines(held.message, (), (Button("button.export", Export()),))
                    await attempt.responder.send("answer", kept)
                elif held is not None and attempt.job.kind is JobKind.VARIATIONS:
                    await attempt.responder.send("answer", held.message)
        except RedisError:
            raise
        except Exception:
            log.exception("job.ending_failed")
        return JobState.CANCELLED

    async def _cancelled_message(self, attempt: Attempt, held: PendingAnswer | None) -> LocalizedMessage:
        """Return the last words of a stopped job's progress message, with a button unless the held answer has it."""
        if held is None and may_be_exportable(attempt):
            waiting = await self._job_queue.current_jobs(attempt.job.chat, QueueName.MAIN)
            if all(job.kind is not JobKind.FORGET for job in waiting):  # Nothing is kept of an erased chat.
                button = Button("button.export", Export())
                return LocalizedMessage("progress.cancelled_kept", buttons=(button,))
        return LocalizedMessage("progress.cancelled")

    async def listen(self) -> None:
        """Interrupt jobs that are cancelled, forever. What is missed here is found at the job's next checkpoint."""
        while True:
            with contextlib.suppress(RedisError):
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(keys.CANCEL_CHANNEL)
                    silences = 0
                    while silences < 2:  # On a connection to a frozen server not even its own call arrives.
                        item = await subscription.get_message(
                            ignore_subscribe_messages=True, timeout=LISTEN_S
                        )
                        if item is None:
                            silences += 1
                            await self._redis.publish(keys.CANCEL_CHANNEL, NOBODY)
                            continue
                        silences = 0
                        if attempt := self._running.get(item["data"]):
                            attempt.interrupt(Interruption.CANCELLED)
            await self._clock.sleep(STORE_PAUSE_S)

    async def sweep(self) -> None:
        """Give new tickets to queues that lost theirs, forever."""
        has_failed = False
        while True:
            try:
                # docket drops the tickets that it can't begin while the store takes no writes.
                if has_failed:
                    await self._job_queue.sweeps.look_at_all()
                    has_failed = False
                if await self._job_queue.sweeps.is_due():
                    began_s = time.monotonic()
                    await self._job_queue.sweep()
                    metrics.SWEEP.set(time.monotonic() - began_s)
            except RedisError as error:
                has_failed = True
                log.warning("queue.sweep_failed", error=type(error).__name__)
            # In real time, as docket's heartbeats are, whatever the clock is.
            await asyncio.sleep(SWEEP_EVERY_S)


def _outcome_of(error: BaseException, attempt: Attempt) -> str:
    """Return how a step ended that raised an error."""
    match error:
        case JobEnded():
            return error.state
        case JobSuspended():
            return JobState.ASKING
        case ChatGone():
            return JobState.CANCELLED
        case RedisError() | asyncio.CancelledError():
            is_cancelled = attempt.interruption is Interruption.CANCELLED
            return JobState.CANCELLED if is_cancelled else metrics.STEP_INTERRUPTED
    return JobState.FAILED


async def _send_ending(attempt: Attempt, message: OutgoingMessage | None) -> None:
    """Send a job's last message, in one with the answer that waited for a video that did not come."""
    held = attempt.load(PendingAnswer)
    if isinstance(message, PrivateMessage) and attempt.job.chat.is_private:
        message = message.message
    match message:
        case _ if held is None:
            if message is not None:
                await attempt.responder.send("ending", message)
        case LocalizedMessage():
            one = with_lines(held.message, (replace(message, buttons=()),), message.buttons)
            await attempt.responder.send("ending", one)
        case ListMessage():
            one = with_lines(held.message, (message.heading, *message.lines), message.buttons)
            await attempt.responder.send("ending", one)
        case _:
            await attempt.responder.send("answer", held.message)
            if message is not None:
                await attempt.responder.send("ending", message)


def _crash_message(text_keys: tuple[str, str, str], attempt: Attempt) -> LocalizedMessage:
    """Return the last message of a job that ended unexpectedly, with a button to go on that charges nothing twice.

    Args:
        text_keys: Its key for any job, for an edit that changed nothing, and for one that did or may have.
        attempt: The attempt that ended.
    """
    of_any, unchanged, changed = text_keys
    job = attempt.job
    if job.kind is JobKind.EXPORT or may_be_exportable(attempt):
        # Also if it is unknown what the agent did: an export shows it, but asking again would be charged again.
        return LocalizedMessage(changed, buttons=(Button("button.export", Export()),))
    key = unchanged if job.kind is JobKind.EDIT else of_any
    return LocalizedMessage(key, buttons=(Button("button.retry", Retry(job.id)),))


def _log_answer(message: OutgoingMessage) -> None:
    heading = message.message if isinstance(message, PrivateMessage) else message
    heading = heading.heading if isinstance(heading, ListMessage) else heading
    if isinstance(heading, LocalizedMessage):
        log.info("job.answered", answer=heading.key)
