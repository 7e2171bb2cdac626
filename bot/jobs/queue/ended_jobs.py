"""Jobs that ended: kept whole for a day, then reduced to what buttons need for six more days.

The sweep shortens a day's jobs one after another, so that a bot with many chats fits into its memory.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from redis.asyncio import Redis

from bot.jobs.checkpoints import (
    AgentAnswered,
    PrivateMessageKept,
    ProjectLost,
    Turn,
    UploadAwaited,
    Uploaded,
    UploadUsed,
)
from bot.jobs.model import Job, JobKind
from bot.jobs.payloads import MessagePayload
from bot.jobs.queue.album import read_gathered_job
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.packed_request import pack
from bot.runtime.clock import Clock
from bot.store import keys

log = structlog.get_logger(__name__)

BATCH = 200  # how many jobs one sweep shortens

MAX_BYTES = 600
"""Limit of the field names and values of a shortened job; with the store's overhead it takes about 1 kB."""

_NEEDED = frozenset(
    one.name
    for one in (AgentAnswered, PrivateMessageKept, ProjectLost, Turn, UploadAwaited, Uploaded, UploadUsed)
)
_ANSWERED = JobField.CHECKPOINT + AgentAnswered.name
_UPLOADED = JobField.CHECKPOINT + Uploaded.name


class EndedJobs:
    """Shortens the jobs that ended a day ago."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def shorten(self) -> None:
        """Shorten the jobs that are due; delete one whose request is still too large to be kept for its buttons."""
        oldest = self._clock.now() - timedelta(seconds=keys.WHOLE_JOB_TTL_S)
        due: list[Any] = await self._redis.zrangebyscore(
            keys.ENDED_JOBS, "-inf", oldest.timestamp(), start=0, num=BATCH
        )
        if not due:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in due:
                pipe.hgetall(name)
            found = await pipe.execute(raise_on_error=False)
        async with self._redis.pipeline() as pipe:
            for name, fields in zip(due, found, strict=True):
                if not isinstance(fields, dict) or not fields:  # It was erased meanwhile, or never a job.
                    continue
                short = _shortened(name, fields)
                if not short:
                    pipe.delete(name)
                    continue
                # In this order, so that the hash and its lifetime stay.
                pipe.hset(name, items=[part for item in short.items() for part in item])
                if left_out := fields.keys() - short.keys():
                    pipe.hdel(name, *left_out)
            pipe.zrem(keys.ENDED_JOBS, *due)
            await pipe.execute()


def is_brief(job: Job) -> bool:
    """Return whether a job is kept only briefly, because no button refers to it."""
    if job.kind is JobKind.MESSAGE:
        # Otherwise a button runs the request that it holds.
        links = job.payload.links if isinstance(job.payload, MessagePayload) else ()
        return not (job.prompt or job.files or links)
    return job.kind in (JobKind.CANCEL, JobKind.FORGET)


def _shortened(name: str, fields: dict[str, str]) -> dict[str, str]:
    """Return the fullest form of an ended job that is small enough and serves its buttons; none if it can't be read."""
    try:
        job = read_gathered_job(fields).job
        answered = AgentAnswered.model_validate(json.loads(fields.get(_ANSWERED, "null")) or {})
    except (ValueError, KeyError) as error:
        log.warning("job.unreadable", job=name, reason=type(error).__name__)
        return {}
    needed = {field: text for field, text in fields.items() if _is_needed(field) and text != "null"}
    answered = answered.changed(question_set=None)
    brief = answered.changed(text="", reason="")
    bare = replace(job, prompt="", files=(), payload=None)
    if _ANSWERED not in needed:
        choices = [_shortened_fields(job, needed)]
    elif answered.failed:
        choices = [_shortened_fields(job, needed, answered), _shortened_fields(job, needed, brief)]
    else:
        # Its buttons run parts of the answer. Its retry only exports, and needs nothing of the request.
        needed = {field: text for field, text in needed.items() if not field.startswith(_UPLOADED)}
        choices = [
            _shortened_fields(job, needed, answered),
            _shortened_fields(bare, needed, answered),
            _shortened_fields(bare, needed, brief),
        ]
    return next((short for short in choices if _size(name, short) <= MAX_BYTES), {})


def _shortened_fields(
    job: Job, needed: dict[str, str], answered: AgentAnswered | None = None
) -> dict[str, str]:
    short = {**needed, JobField.REQUEST: pack(job)}
    if answered is not None:
        short[_ANSWERED] = answered.model_dump_json(exclude_defaults=True)
    return short


def _is_needed(field: str) -> bool:
    checkpoint = field.removeprefix(JobField.CHECKPOINT).partition(":")[0]
    return field in (JobField.STATE, JobField.ATTEMPT) or (
        field.startswith(JobField.CHECKPOINT) and checkpoint in _NEEDED
    )


def _size(name: str, fields: Mapping[str, str]) -> int:
    return len(name.encode()) + sum(len(field) + len(text.encode()) for field, text in fields.items())
