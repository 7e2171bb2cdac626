"""Retrying a job: the new job does what is left of it."""

from dataclasses import replace
from datetime import datetime

from bot.chats.chats import Chats
from bot.jobs.checkpoints import FILES, LINKS, AgentAnswered, Turn, Uploaded
from bot.jobs.model import Attachment, Job, JobKind, retry_id
from bot.jobs.payloads import EditPayload, Payload
from bot.jobs.queue.job_queue import JobQueue
from bot.nemo.drafts import digest


async def retry_of(job_queue: JobQueue, chats: Chats, old: Job, asked_at: datetime) -> Job | None:
    """Make the job that retries another one, without storing it; return ``None`` if there is one already.

    Args:
        job_queue: The chats' queues.
        chats: Know the project that may have some of the job's files already.
        old: The job that ended.
        asked_at: When the retry is asked for, UTC.
    """
    new_id = retry_id(old.id)
    if await job_queue.find(old.chat, new_id) is not None:
        return None
    kind, files, payload = await _left_to_do(job_queue, chats, old)
    turn = await job_queue.load_checkpoint(old, Turn)
    # What failed may have been the message with the answers to the agent's questions.
    text = turn.prompt if turn is not None else old.text
    return replace(old, id=new_id, kind=kind, text=text, files=files, payload=payload, asked_at=asked_at)


async def _left_to_do(
    job_queue: JobQueue, chats: Chats, job: Job
) -> tuple[JobKind, tuple[Attachment, ...], Payload | None]:
    """Leave out what was charged, and the files that the project has."""
    answered = await job_queue.load_checkpoint(job, AgentAnswered)
    turn = await job_queue.load_checkpoint(job, Turn)
    if (
        job.kind is JobKind.EDIT
        and answered is not None
        and answered.turn == (turn or Turn()).number
        and (not answered.failed or digest(answered.draft_before) != digest(answered.draft_after))
    ):
        return JobKind.EXPORT, (), None
    files, links = await not_uploaded(job_queue, chats, job)
    payload = job.payload
    if isinstance(payload, EditPayload):
        payload = payload.model_copy(update={"links": tuple(links)})
    return job.kind, files, payload


async def not_uploaded(
    job_queue: JobQueue, chats: Chats, job: Job
) -> tuple[tuple[Attachment, ...], list[str]]:
    """Return the files and links of a job that are not in the chat's present project."""
    session_id = (await chats.get(job.chat)).session_id
    sources: set[str] = set()
    for key in (FILES, LINKS):
        uploaded = await job_queue.load_checkpoint(job, Uploaded, key)
        if uploaded is not None and uploaded.session_id == session_id:
            sources.update(uploaded.sources)
    # Text files were not uploaded: they are read again.
    files = tuple(file for file in job.files if file.file_id not in sources)
    return files, [link for link in job.payload_as(EditPayload).links if link not in sources]
