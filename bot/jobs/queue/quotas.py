"""Daily quotas: how much each person and each chat may ask for in a day, and totals over all chats.

Requests and exports count, questions do not. A file that came without a prompt counts with its bytes only, because the
prompt that follows is the request. A request counts from the moment at which it is accepted, and no longer if it ends
before anything of it went to NemoVideo. Days are those of UTC. What a request costs is decided here; whether the day
allows it, in ``find_exceeded_quota`` of ``lua/quotas.lua``, in one step with storing it. How many requests may wait at
once is limited in ``lua/enqueue.lua``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from bot.jobs.checkpoints import FILES, LINKS, PromptSent, RenderStarted, UploadStarted, field_of
from bot.jobs.model import Job, JobKind
from bot.jobs.queue.album import ArrivedPart
from bot.jobs.queue.fields import JobField
from bot.jobs.variations import VARIATIONS
from bot.runtime.clock import Clock
from bot.store import keys

COUNTED = frozenset({JobKind.EDIT, JobKind.EXPORT, JobKind.VARIATIONS})  # kinds of jobs that are charged

SENT_CHECKPOINTS = (
    field_of(UploadStarted, FILES),
    field_of(UploadStarted, LINKS),
    field_of(PromptSent),
    field_of(RenderStarted),
)
"""Names of the checkpoints that are saved right before something goes to NemoVideo."""

FIELDS_OF_SENT = [JobField.CHECKPOINT + name for name in SENT_CHECKPOINTS]
"""Redis fields of these checkpoints; a job that has one stays charged however it ends."""

Scope = Literal["person", "chat"]
Resource = Literal["requests", "bytes"]


@dataclass(frozen=True, slots=True)
class DailyLimit:
    """What a day allows; 0 means no limit."""

    requests: int = 0  # number of requests
    bytes: int = 0  # size of the files that are sent in


@dataclass(frozen=True, slots=True)
class QuotaWarning:
    """A quota that is almost used up today."""

    scope: Scope  # whose quota it is
    resource: Resource  # what is running out
    left: int  # how much is left, requests or bytes


class QuotaExceeded(Exception):
    """Today's quota does not allow the request; nothing was stored.

    Args:
        warning: The exceeded quota, and how much of it is left.
    """

    def __init__(self, warning: QuotaWarning) -> None:
        super().__init__(f"{warning.resource} of the {warning.scope}")
        self.warning = warning


class Quotas:
    """Daily limits, and the cost of jobs.

    Args:
        clock: Source of the day.
        person: Limit of each person, wherever they ask.
        chat: Limit of each chat, whoever asks; a forum is one chat.
    """

    def __init__(
        self, clock: Clock, person: DailyLimit = DailyLimit(), chat: DailyLimit = DailyLimit()
    ) -> None:
        self._clock = clock
        self._limits: Mapping[Scope, DailyLimit] = {"person": person, "chat": chat}

    def charge(self, jobs: Sequence[Job], arrival: ArrivedPart | None = None) -> dict[str, Any] | None:
        """Return what the jobs of one update cost, for ``lua/quotas.lua``; ``None`` if they cost nothing."""
        if arrival is not None:
            # A replied-to file counts when it is uploaded again; but a text file among them is a prompt.
            replied = arrival.replied_part.files if arrival.replied_part else ()
            files = (*arrival.part.files, *(file for file in replied if file.is_text))
            text = arrival.text.text if arrival.part.is_own else ""
            jobs = [replace(job, prompt=text, files=files) for job in jobs]
        counted = [job for job in jobs if job.kind in COUNTED]
        if not counted:
            return None
        first = counted[0]
        day = self._clock.now().date().isoformat()
        ids: Mapping[Scope, int] = {"person": first.requester_id, "chat": first.chat.chat_id}
        return {
            "job_key": keys.job_key(str(first.chat), first.id),
            "requests": sum(map(_requests_in, counted)),
            "bytes": sum(file.size or 0 for job in counted for file in job.files),
            "quotas": [
                {"key": keys.quota_key(scope, ids[scope], day), "scope": scope, **asdict(limit)}
                for scope, limit in self._limits.items()
                if limit.requests or limit.bytes
            ],
            "totals_key": keys.totals_key(day),
            "people_key": keys.people_key(day),
            "person_id": str(first.requester_id),
            "ttl_s": keys.QUOTA_TTL_S,
        }

    def limit(self, warning: QuotaWarning) -> int:
        """Return the whole day's limit of a quota."""
        limit = self._limits[warning.scope]
        return limit.requests if warning.resource == "requests" else limit.bytes

    @property
    def resets_in_s(self) -> float:
        """Seconds until the next day begins."""
        return seconds_until_reset(self._clock.now())


def seconds_until_reset(now: datetime) -> float:
    """Return how many seconds are left of a day."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight - now).total_seconds()


def _requests_in(job: Job) -> int:
    if job.kind is JobKind.VARIATIONS:
        return VARIATIONS
    is_one = job.kind is not JobKind.EDIT or job.prompt.strip() or any(file.is_text for file in job.files)
    return 1 if is_one else 0
