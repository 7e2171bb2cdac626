"""Look whether a file that a person uploads in the browser has arrived, and offer the request that needs it."""

from dataclasses import replace
from datetime import timedelta

import structlog

from bot.jobs.buttons import RunSaved
from bot.jobs.checkpoints import UploadAwaited, UploadUsed
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import Job, JobKind, QueueName, follow_up_job_id
from bot.jobs.payloads import WatchPayload
from bot.jobs.worker.attempt import Attempt
from bot.nemo.errors import NemoError
from bot.projects.projects import Projects
from bot.words import bounded

log = structlog.get_logger(__name__)

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 15, 30))
"""Pauses before each look. Whose upload takes longer than an hour has the button."""

_PROMPT_CHARS = 200


class WatchUpload:
    """Look once; a job of its own looks again later."""

    name = "watch_upload"

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def __call__(self, attempt: Attempt) -> None:
        job, payload = attempt.job, attempt.job.payload_as(WatchPayload)
        held = await attempt.job_queue.find(job.chat, payload.link_job_id)
        if held is None or await attempt.job_queue.load_checkpoint(held.job, UploadUsed) is not None:
            return
        awaited = await attempt.job_queue.load_checkpoint(held.job, UploadAwaited)
        chat = await self._projects.chats.get(job.chat)
        if awaited is None or chat.session_id is None or chat.session_id != awaited.session_id:
            return  # It is another project's.
        try:
            state = await self._projects.get_state(job)
        except NemoError as error:
            log.info("watch_upload.no_state", error=type(error).__name__)
        else:
            if state.uploads_digest != awaited.digest_before:
                prompt = bounded(held.job.prompt, _PROMPT_CHARS)
                do_it = Button("button.run_arrived", RunSaved(held.job.id))
                message = LocalizedMessage("upload.arrived", {"prompt": prompt}, (do_it,))
                return await attempt.responder.send("arrived", message)
        await look_later(attempt, held.job, payload.look + 1)


async def look_later(attempt: Attempt, link_job: Job, look: int = 0) -> None:
    """Store the job that looks next; none after the last look.

    Args:
        attempt: The attempt that asks for it.
        link_job: The job that holds the request.
        look: The number of the look, from 0.
    """
    if look >= len(PAUSES):
        return
    now = attempt.clock.now()
    watch = replace(
        link_job,
        id=follow_up_job_id(link_job.id, look),
        kind=JobKind.WATCH_UPLOAD,
        queue=QueueName.QUICK,
        prompt="",
        asked_at=now,
        payload=WatchPayload(link_job_id=link_job.id, look=look),
    )
    await attempt.job_queue.scheduled.add(watch, now + PAUSES[look])
