"""One attempt at a job: what its steps work with, and how they can be stopped."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from bot.jobs.checkpoints import C, Checkpoint, Checkpoints, JobProgress, StepTime, field_of
from bot.jobs.messages import LocalizedMessage, OutgoingMessage
from bot.jobs.model import JobState
from bot.jobs.ports import Responder
from bot.jobs.queue.album import GatheredJob
from bot.jobs.queue.claimed_job import ClaimedJob, CloseOutcome, SaveOutcome
from bot.jobs.queue.job_queue import JobQueue
from bot.runtime.arriving_file import ArrivingFile
from bot.runtime.clock import Clock

if TYPE_CHECKING:
    from bot.jobs.worker.lost_project import LostProject

T = TypeVar("T")


class Interruption(Enum):
    """Why a running job was stopped from outside."""

    CANCELLED = "cancelled"  # the chat asked for it
    DRAINED = "drained"  # this process ends; another takes the job up
    SUPERSEDED = "superseded"  # another worker has it already


class JobEnded(Exception):
    """Raised by a step when the job is over and has its answer.

    Args:
        message: What to send to the chat; ``None`` for nothing.
        state: How the job ended.
    """

    def __init__(self, message: OutgoingMessage | None, state: JobState = JobState.FAILED) -> None:
        super().__init__(state)
        self.message = message
        self.state = state


class JobSuspended(Exception):
    """Raised by a step when the job has asked a person something: it waits for the answer without a worker."""


class Attempt(Checkpoints):
    """One attempt at a job. Saving a checkpoint stops it if the job was cancelled, or if another worker has it."""

    def __init__(self, claimed: ClaimedJob, job_queue: JobQueue, clock: Clock) -> None:
        super().__init__(claimed.checkpoints)
        self.claimed = claimed
        self.last_gathered = claimed.gathered  # what joined the job, as it was last read
        self.clock = clock
        self.responder: Responder
        self.lost: LostProject
        self.interruption: Interruption | None = None
        # Whether it is sending the message that it was cancelled; a checkpoint saved now doesn't stop it again.
        self.shows_cancelled = False
        self.given_up_for = ""  # the error's name
        self.variation = 0  # which of the job's variations is being made, from 1; 0 outside of them
        self.arriving: ArrivingFile | None = None  # the result, while the rest of it is fetched
        self.fetching: asyncio.Task[int] | None = None  # fetches that rest
        self.began_at = clock.now().timestamp()  # by the wall clock, in seconds
        self.progress = self.load(JobProgress) or JobProgress()
        # With other words or files than it came with where more of it arrived, or some of it needs no upload.
        self.job = claimed.job
        self.job_queue = job_queue
        self._task: asyncio.Task[Any] | None = None

    @contextlib.contextmanager
    def in_variation(self, number: int, count: int, name: LocalizedMessage) -> Iterator[None]:
        """Run the block as one variation of the job, with checkpoints, turns and a result of its own.

        The first variation saves its checkpoints as the job's own, where a button's handler looks for them.

        Args:
            number: Which variation, from 1.
            count: How many there are.
            name: What it is called.
        """
        job_before, self.variation = self.job, number
        self.responder.begin_variation(number, count, name)
        try:
            yield
        finally:
            self.variation, self.job = 0, job_before
            self.responder.end_variation()

    @property
    def variation_id(self) -> str:
        """The id of the variation that is being made, or that of the job."""
        return f"{self.job.id}@{self.variation}" if self.variation else self.job.id

    def turn_id(self, number: int) -> int:
        """Return the number of a turn among all turns of the job's variations."""
        return 100 * max(0, self.variation - 1) + number

    def _own_key(self, checkpoint: type[Checkpoint], key: str) -> str:
        return f"{key}@{self.variation}" if self.variation > 1 and not checkpoint.is_shared else key

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step. The times are saved with its checkpoints; a resumed step keeps its first start."""
        before = tuple(step for step in self.progress.steps if step.name != name)
        began = next((step for step in self.progress.steps if step.name == name), None)
        taken = StepTime(name=name, began_at=began.began_at if began else self.clock.now().timestamp())
        self._note(steps=(*before, taken))
        try:
            yield
        finally:
            ended = taken.changed(ended_at=self.clock.now().timestamp())
            self._note(steps=(*before, ended))

    async def save_render_progress(self, percent: float) -> None:
        """Save how much is rendered, in steps of 10 %."""
        if (rounded := int(percent) // 10 * 10) != self.progress.render_percent:
            self._note(render_percent=rounded)
            await self.save(self.progress)

    def note_failure(self, message: OutgoingMessage | None) -> None:
        """Note why the job fails: the message to the chat."""
        if isinstance(message, LocalizedMessage):
            self._note(ended_with=LocalizedMessage(message.key, message.params))

    def _note(self, **changed: Any) -> None:
        self.progress = self.progress.changed(**changed)

    async def _write(self, values: Mapping[str, Any]) -> None:
        self._values |= values
        values = {**values, field_of(JobProgress): self.progress.model_dump(mode="json")}
        match await self.job_queue.save(self.claimed, values):
            case SaveOutcome.SUPERSEDED:
                self.interrupt(Interruption.SUPERSEDED)
            case SaveOutcome.CANCELLED if not self.shows_cancelled:
                self.interrupt(Interruption.CANCELLED)
            case SaveOutcome.OK | SaveOutcome.CANCELLED:
                return
        # The interruption arrives at the next await; let it be this one.
        await asyncio.sleep(0)
        if self.interruption is Interruption.SUPERSEDED:
            # It hits the attempt's own task alone; a task beside it, such as a late progress message, ends here.
            raise asyncio.CancelledError

    async def reload(self, checkpoint: type[C], key: str = "") -> C | None:
        """Load a checkpoint from the store again: something beside this attempt may have saved it."""
        saved = await self.job_queue.load_checkpoint(self.job, checkpoint, self._own_key(checkpoint, key))
        if saved is not None:
            self._values[self._field(checkpoint, key)] = saved.model_dump(mode="json")
        return self.load(checkpoint, key)

    async def gathered(self) -> GatheredJob:
        """Return the job with all that joined it so far."""
        self.last_gathered = await self.job_queue.gathered(self.job)
        return self.last_gathered

    async def close(self, version: int) -> bool:
        """Close the job: nothing more joins it.

        Args:
            version: The version of the gathered job that this attempt has seen.

        Returns:
            Whether that was all. Otherwise there is more, and the job stays open.
        """
        match await self.job_queue.close(self.claimed, version):
            case CloseOutcome.SUPERSEDED:
                self.interrupt(Interruption.SUPERSEDED)
                await asyncio.sleep(0)
                return True
            case CloseOutcome.CHANGED:
                return False
            case CloseOutcome.OK:
                return True

    async def wait_for_file(self) -> None:
        """Wait until the result has arrived, or its fetching has ended."""
        if self.fetching is not None:
            await asyncio.wait({self.fetching})
            self.arriving = None

    def interrupt(self, reason: Interruption) -> None:
        """Stop the attempt at its next await, or before it begins.

        The first reason counts, with two exceptions: a drain does not wait for the last message of a cancelled job, and
        a superseded attempt sends nothing more at all.
        """
        if self.interruption in (reason, Interruption.SUPERSEDED):
            return
        if self.interruption is not None and reason is Interruption.CANCELLED:
            return
        if self._task is not None and self._task.done():
            return
        self.interruption = reason
        if self._task is not None:
            self._task.cancel()

    async def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Run a part of the attempt in a task of its own, so that an interruption hits it and not the ticket.

        Returns:
            The result; ``None`` if it was interrupted.
        """
        task = asyncio.create_task(work, name=f"job:{self.job.id}")
        self._task = task
        if self.interruption is not None:
            task.cancel()
        try:
            result = await task
        except asyncio.CancelledError:
            if self.interruption is None:
                task.cancel()
                raise
            return None
        # An interruption that came as the work ended changes nothing any more.
        self.interruption = None
        return result


class Step(Protocol):
    """One step of a job. Its dependencies are the arguments of its class."""

    @property
    def name(self) -> str:
        """What it is called in metrics and logs, whatever its class is called."""
        ...

    async def __call__(self, attempt: Attempt) -> None:
        """Do the step, or what an earlier attempt left of it.

        Raises:
            JobEnded: The job is over and has its answer.
            NemoError: A call failed; the runner ends the job with what that means for the chat.
            ChatGone: There is nobody left to answer.
        """
        ...
