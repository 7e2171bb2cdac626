"""Jobs for the buttons Retry and Go on: each continues an old job where it stopped. Nothing here retries by itself."""

from dataclasses import replace
from datetime import datetime

from bot.chats.chats import Chats
from bot.jobs.buttons import GoOnChoice
from bot.jobs.checkpoints import FILES, LINKS, AgentAnswered, ProjectLost, Turn, Uploaded
from bot.jobs.model import Attachment, Job, JobKind, JobState, QueueName, retry_job_id
from bot.jobs.payloads import EditPayload, ExportPayload, NewPayload, RequestPayload
from bot.jobs.queue.album import links_of
from bot.jobs.queue.job_queue import JobQueue

MAX_RESTORED_FILES = 10
"""The latest files of a lost project that can be put back: as many as go in one upload."""


async def make_resumed_job(
    job_queue: JobQueue, chats: Chats, old: Job, choice: GoOnChoice, asked_at: datetime
) -> Job | None:
    """Make the job that continues one that waited for a decision; return ``None`` if there is one already.

    Args:
        job_queue: The chats' queues.
        chats: Know the files of the lost project.
        old: The job that waited; files can also be put back after a question, without doing anything with them.
        choice: What was decided.
        asked_at: When, UTC.
    """
    job = await make_retry_job(job_queue, chats, old, asked_at)
    if job is None:
        return None
    payload = job.payload_as(EditPayload)
    if choice is GoOnChoice.SPEND:
        return replace(job, payload=payload.changed(may_use_last_credits=True))
    lost = await job_queue.load_checkpoint(old, ProjectLost) or ProjectLost()
    files = await _lost_files(chats, old, lost) if choice is GoOnChoice.RESTORE else ()
    own_ids = {file.file_id for file in job.files}
    restored = tuple(file for file in files if file.file_id not in own_ids)
    payload = payload.changed(
        lost_project_decided=True,
        supporting_file_ids=tuple(file.file_id for file in restored),
    )
    turn = await job_queue.load_checkpoint(old, Turn)
    # A new project knows neither the request nor the answers to the agent's questions.
    text = old.prompt if turn is None else f"{old.prompt}\n\n{turn.prompt}"
    text = text if lost.is_waiting else ""  # otherwise it was sent, and charged, before
    queue, kind = QueueName.MAIN, JobKind.EDIT
    return replace(job, queue=queue, kind=kind, prompt=text, files=(*restored, *job.files), payload=payload)


async def _lost_files(chats: Chats, job: Job, lost: ProjectLost) -> tuple[Attachment, ...]:
    if lost.session_id is None:
        return ()
    return tuple(
        Attachment.from_project_file(file, job.telegram_chat_id)
        for file in await chats.project_files(job.chat, lost.session_id, MAX_RESTORED_FILES)
    )


async def make_retry_job(job_queue: JobQueue, chats: Chats, old: Job, asked_at: datetime) -> Job | None:
    """Make the job that retries another one, without storing it; return ``None`` if there is one already.

    Args:
        job_queue: The chats' queues.
        chats: Know the project that may have some of the job's files already.
        old: The job that ended.
        asked_at: When the retry is asked for, UTC.
    """
    new_id = retry_job_id(old.id)
    if await job_queue.find(old.chat, new_id) is not None:
        return None
    saved = await job_queue.checkpoints(old)
    answered, turn = saved.load(AgentAnswered), saved.load(Turn)
    # What failed may have been the message with the answers to the agent's questions.
    prompt = turn.prompt if turn is not None else old.prompt
    new = replace(old, id=new_id, prompt=prompt, asked_at=asked_at)
    if (
        old.kind is JobKind.EDIT
        and answered is not None
        and answered.turn == (turn or Turn()).number
        and (not answered.failed or answered.is_exportable)
    ):
        # What is left was not charged: the export.
        asked = old.payload_as(EditPayload)
        payload = ExportPayload(version=asked.version, project=asked.project) if asked.project else None
        return replace(new, kind=JobKind.EXPORT, files=(), payload=payload)
    files, links = await not_uploaded(job_queue, chats, old)
    new = replace(new, files=files)
    if isinstance(old.payload, EditPayload):
        new = replace(new, payload=old.payload.changed(links=tuple(links)))
    return await with_new_project_if_due(job_queue, old, new)


async def with_new_project_if_due(job_queue: JobQueue, old: Job, job: Job) -> Job:
    """Return a job that runs a request, and begins the project of the ``/new`` that came with it unless that is done.

    Args:
        job_queue: The chats' queues.
        old: The job that has run the request, or held it.
        job: The job that runs it now.
    """
    new_id = old.payload_as(RequestPayload).new_job_id
    status = await job_queue.find(old.chat, new_id) if new_id else None
    # A new project that held its request has, or will have, a topic of its own: the one here isn't meant.
    has_project = (
        status is not None
        and status.state not in (JobState.FAILED, JobState.CANCELLED)
        and status.job.payload_as(NewPayload).is_followed
    )
    # A NEW job that held its request failed to begin a project, or began it in another topic.
    is_due = old.kind is JobKind.NEW or (new_id and not has_project)
    if not is_due or job.kind is JobKind.NEW:
        return job
    return replace(job, kind=JobKind.NEW, payload=NewPayload(links=links_of(job)))


async def not_uploaded(
    job_queue: JobQueue, chats: Chats, job: Job
) -> tuple[tuple[Attachment, ...], list[str]]:
    """Return the files and links of a job that are not in the chat's current project."""
    session_id = (await chats.get(job.chat)).session_id
    sources: set[str] = set()
    saved = await job_queue.checkpoints(job)
    for key in (FILES, LINKS):
        uploaded = saved.load(Uploaded, key)
        if uploaded is not None and uploaded.session_id == session_id:
            sources.update(uploaded.sources)
    # Text files were not uploaded: they are read again.
    files = tuple(file for file in job.files if file.file_id not in sources)
    return files, [link for link in job.payload_as(EditPayload).links if link not in sources]
