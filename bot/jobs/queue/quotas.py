"""What a day holds: how much each person and each chat may ask for, and how much all of them did.

Requests and exports count, questions do not; a file that came without words counts with its bytes only, because the
words that follow are the request. A request counts from the moment at which it is accepted, and no longer when it
ends before anything of it went to NemoVideo. A day is one of UTC's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.jobs.checkpoints import FILES, LINKS, AgentAsked, RenderStarted, UploadStarted, field_of
from bot.jobs.model import Job, JobKind
from bot.jobs.queue.album import ArrivedPart
from bot.runtime.clock import Clock
from bot.store import keys

COUNTED = frozenset({JobKind.EDIT, JobKind.EXPORT})

TAKEN = (
    field_of(UploadStarted, FILES),
    field_of(UploadStarted, LINKS),
    field_of(AgentAsked),
    field_of(RenderStarted),
)
"""Checkpoints that are saved right before something goes to NemoVideo."""

BUDGET_LUA = (
    "local TAKEN = {"
    + ", ".join(f"'saved:{name}'" for name in TAKEN)
    + """}

local function exceeded(charge)
  for _, purse in ipairs(charge.purses) do
    for _, what in ipairs({'jobs', 'bytes'}) do
      local left = purse[what] - tonumber(redis.call('HGET', purse.key, what) or '0')
      if purse[what] > 0 and charge[what] > left then return {'over', purse.whose, what, math.max(left, 0)} end
    end
  end
end

local function paid_of(job)
  local text = redis.call('HGET', job, 'charged')
  return text and cjson.decode(text) or {jobs = 0, bytes = 0}
end

-- What a job counts as so far: a wish that grows by a part may have been one before.
local function requests(job)
  return paid_of(job).jobs
end

-- Told is what gets scarce: when a fifth is left, or one.
local function pay(job, charge)
  local told, purses, before = {}, {}, paid_of(job)
  for _, purse in ipairs(charge.purses) do
    for _, what in ipairs({'jobs', 'bytes'}) do
      local used = redis.call('HINCRBY', purse.key, what, charge[what])
      local left, scarce = purse[what] - used, math.max(1, math.floor(purse[what] / 5))
      if purse[what] > 0 and left <= scarce and left + charge[what] > scarce then
        table.insert(told, {purse.whose, what, left})
      end
    end
    redis.call('EXPIRE', purse.key, charge.ttl)
    table.insert(purses, purse.key)
  end
  redis.call('HINCRBY', charge.totals, 'jobs', charge.jobs)
  redis.call('HINCRBY', charge.totals, 'bytes', charge.bytes)
  redis.call('EXPIRE', charge.totals, charge.ttl)
  redis.call('PFADD', charge.people, charge.person)
  redis.call('EXPIRE', charge.people, charge.ttl)
  redis.call('HSET', job, 'charged', cjson.encode({
    jobs = before.jobs + charge.jobs, bytes = before.bytes + charge.bytes, purses = purses, totals = charge.totals
  }))
  return told
end

local function move(paid, what, by)
  for _, purse in ipairs(paid.purses) do
    -- One that is gone was of an earlier day.
    if redis.call('EXISTS', purse) == 1 then redis.call('HINCRBY', purse, what, by) end
  end
end

-- A file that came without words became a request by an edit.
local function request(job)
  local paid = paid_of(job)
  if not paid.purses or paid.jobs > 0 then return end
  move(paid, 'jobs', 1)
  paid.jobs = 1
  redis.call('HSET', job, 'charged', cjson.encode(paid))
end

local function weigh(job, bytes)
  local text = redis.call('HGET', job, 'charged')
  if not text then return end
  local paid = cjson.decode(text)
  move(paid, 'bytes', bytes - paid.bytes)
  if redis.call('EXISTS', paid.totals) == 1 then
    redis.call('HINCRBY', paid.totals, 'bytes', bytes - paid.bytes)
  end
  paid.bytes = bytes
  redis.call('HSET', job, 'charged', cjson.encode(paid))
end

local function settle(job, state)
  local text = redis.call('HGET', job, 'charged')
  if not text then return end
  local paid = cjson.decode(text)
  local taken = false
  for _, name in ipairs(TAKEN) do
    taken = taken or redis.call('HEXISTS', job, name) == 1
  end
  if not taken then
    move(paid, 'jobs', -paid.jobs)
    move(paid, 'bytes', -paid.bytes)
  end
  if redis.call('EXISTS', paid.totals) == 1 then redis.call('HINCRBY', paid.totals, state, 1) end
  redis.call('HDEL', job, 'charged')
end
"""
)
"""Functions for ``jobs/queue/scripts.py``, so that a job and its charge are one write.

The person's keys lie beside the chat's: all of them need one server, which a cluster is not.
"""


@dataclass(frozen=True, slots=True)
class DailyLimit:
    """What a day allows; 0 is no limit.

    Args:
        jobs: Requests.
        bytes: Of files that are sent in.
    """

    jobs: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class QuotaWarning:
    """Something of which little is left today.

    Args:
        whose: ``person`` or ``chat``.
        what: ``jobs`` or ``bytes``.
        left: How much.
    """

    whose: str
    what: str
    left: int


class QuotaExceeded(Exception):
    """The day does not allow this any more; nothing was stored.

    Args:
        scarce: What there is too little of.
    """

    def __init__(self, scarce: QuotaWarning) -> None:
        super().__init__(f"{scarce.what} of the {scarce.whose}")
        self.scarce = scarce


class Quotas:
    """Makes charges of jobs.

    Args:
        clock: Says which day it is.
        person: What each person may have, wherever they ask.
        chat: What each chat may have, whoever asks; a forum is one.
    """

    def __init__(
        self, clock: Clock, person: DailyLimit = DailyLimit(), chat: DailyLimit = DailyLimit()
    ) -> None:
        self._clock = clock
        self._limits: Mapping[str, DailyLimit] = {"person": person, "chat": chat}

    def charge(self, jobs: Sequence[Job], arrival: ArrivedPart | None = None) -> str:
        """What jobs of one update cost, as the script reads it; empty when they cost nothing.

        Args:
            jobs: They.
            arrival: The words and files of the request among them, where it has none of its own.
        """
        if arrival is not None:
            # A replied-to file counts when it is uploaded again. Words in it are a request.
            answered = arrival.answered.files if arrival.answered else ()
            files = (*arrival.part.files, *(file for file in answered if file.is_text))
            jobs = [replace(job, text=arrival.words.text, files=files) for job in jobs]
        counted = [job for job in jobs if job.kind in COUNTED]
        if not counted:
            return ""
        day = self._clock.now().date().isoformat()
        ids = {"person": counted[0].owner_id, "chat": counted[0].chat.chat_id}
        purses = [
            {
                "key": keys.budget_key(whose, ids[whose], day),
                "whose": whose,
                "jobs": limit.jobs,
                "bytes": limit.bytes,
            }
            for whose, limit in self._limits.items()
            if limit.jobs or limit.bytes
        ]
        return json.dumps(
            {
                "job": keys.job_key(str(counted[0].chat), counted[0].id),
                "jobs": sum(1 for job in counted if _is_request(job)),
                "bytes": sum(file.size or 0 for job in counted for file in job.files),
                "purses": purses,
                "totals": keys.totals_key(day),
                "people": keys.people_key(day),
                "person": ids["person"],
                "ttl": keys.BUDGET_TTL_S,
            }
        )

    def limit(self, scarce: QuotaWarning) -> int:
        """How much of it a whole day allows."""
        allowed = self._limits[scarce.whose]
        return allowed.jobs if scarce.what == "jobs" else allowed.bytes

    @property
    def anew_in_s(self) -> float:
        """Seconds until the next day begins."""
        now = self._clock.now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return (midnight - now).total_seconds()


def _is_request(job: Job) -> bool:
    return job.kind is not JobKind.EDIT or bool(job.text.strip()) or any(file.is_text for file in job.files)
