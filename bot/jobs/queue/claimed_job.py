"""A job that a worker has, and the outcomes of saving its checkpoints and of closing it."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from bot.jobs.model import Job
from bot.jobs.queue.album import GatheredJob, read_gathered_job
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.job_reader import read_checkpoints


class SaveOutcome(IntEnum):
    """The outcome of saving a checkpoint, as ``lua/save.lua`` returns it."""

    SUPERSEDED = 0  # not saved: a later attempt has the job; stop silently
    OK = 1
    CANCELLED = 2  # saved, and the chat has asked to stop


class CloseOutcome(IntEnum):
    """The outcome of closing a job, as ``lua/close.lua`` returns it."""

    SUPERSEDED = 0  # a later attempt has the job: stop silently
    OK = 1
    CHANGED = 2  # a part joined it, or a text was edited: it is still open


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that a ticket may run now."""

    gathered: GatheredJob  # what was asked, with all its parts so far
    attempt: int  # how many times it was started; fences off earlier starts
    counted_attempts: int  # starts that count against it: not those that a drain or the store ended
    checkpoints: dict[str, Any]  # what earlier attempts saved, by name
    cancelled: bool  # whether the chat has asked to stop it
    has_position_message: bool  # whether a process sends, or sent, the message with its position
    waiting: int = 0  # how many jobs waited behind it when it was claimed

    @property
    def job(self) -> Job:
        """The job with all parts of its request."""
        return self.gathered.job


def read_claimed_job(fields: dict[str, str], job_id: str, attempt: int, waiting: int) -> ClaimedJob:
    """Read what is stored of a job; raise a ``ValueError`` or ``KeyError`` if it is not what the bot stores."""
    gathered = read_gathered_job(fields)
    if gathered.job.id != job_id:
        raise ValueError("the stored job has another ID than its key")
    return ClaimedJob(
        gathered=gathered,
        attempt=attempt,
        counted_attempts=attempt - int(fields.get(JobField.UNCOUNTED_ATTEMPTS, 0)),
        checkpoints=read_checkpoints(fields),
        cancelled=JobField.CANCEL_REQUESTED in fields,
        has_position_message=JobField.POSITION_MESSAGE_CLAIMED in fields,
        waiting=waiting,
    )
