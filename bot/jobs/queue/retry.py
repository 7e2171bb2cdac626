"""Trying a job again: the one that does what is left of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.chats.chats import Chats
from bot.jobs.model import Attachment, Job, JobKind, retry_id
from bot.jobs.payloads import EditPayload, Payload
from bot.jobs.queue.job_queue import JobQueue


async def retry_of(job_queue: JobQueue, chats: Chats, old: Job, asked_at: datetime) -> Job | None:
    """The job that tries another one again, not stored yet; None when there is one already.

    Args:
        job_queue: Where jobs are.
        chats: Whose project may hold some of the job's files already.
        old: What ended.
        asked_at: When it is asked for, UTC.
    """
    again = retry_id(old.id)
    if await job_queue.find(old.chat, again) is not None:
        return None
    kind, files, payload = await _left_to_do(job_queue, chats, old)
    return replace(old, id=again, kind=kind, files=files, payload=payload, asked_at=asked_at)


async def _left_to_do(
    job_queue: JobQueue, chats: Chats, job: Job
) -> tuple[JobKind, tuple[Attachment, ...], Payload | None]:
    """What a failed job has still to do: what was charged is not asked for again, nor is a clip doubled."""
    turn = await job_queue.checkpoint(job, "turn")
    if job.kind is JobKind.EDIT and turn is not None and not turn["failed"]:
        return JobKind.EXPORT, (), None
    files, left = await not_uploaded(job_queue, chats, job)
    payload = job.payload
    if isinstance(payload, EditPayload):
        payload = payload.model_copy(update={"links": tuple(left)})
    return job.kind, files, payload


async def not_uploaded(
    job_queue: JobQueue, chats: Chats, job: Job
) -> tuple[tuple[Attachment, ...], list[str]]:
    """The files and links of a job that are not in the project that the chat has now."""
    session_id = (await chats.get(job.chat)).session_id
    uploaded, linked = [await job_queue.checkpoint(job, name) for name in ("uploaded", "linked")]
    # Words in a file were not uploaded: they are read again.
    there = _brought(uploaded, session_id, [file.file_id for file in job.files if not file.is_text])
    files = tuple(file for file in job.files if file.file_id not in there)
    links = job.payload_as(EditPayload).links
    return files, [link for link in links if link not in _brought(linked, session_id, links)]


def _brought(done: Mapping[str, Any] | None, session_id: str | None, everything: Sequence[str]) -> set[str]:
    """What a failed job brought into the project that the chat has now."""
    if not done or done.get("session") != session_id:
        return set()
    return set(done.get("files", everything))
