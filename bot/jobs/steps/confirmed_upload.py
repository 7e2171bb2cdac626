"""Uploads whose answer doesn't say what arrived: the project does."""

from collections.abc import Awaitable, Callable

import structlog

from bot.jobs.buttons import Retry
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import Job
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.answers import AcceptedFile, ProjectState
from bot.nemo.errors import AlreadyUploaded

log = structlog.get_logger(__name__)

LOOKS, PAUSE_S = 15, 2.0
"""Looks at the project, and the pause after each: NemoVideo may read files, or fetch links, after its answer."""


async def confirmed(
    attempt: Attempt,
    get_state: Callable[[], Awaitable[ProjectState]],
    before: ProjectState,
    upload: Awaitable[tuple[AcceptedFile, ...]],
) -> tuple[AcceptedFile, ...]:
    """Return the files that an upload's answer names; if it names none, wait until the project shows that some arrived.

    Args:
        attempt: The attempt at the job.
        get_state: Reads the project's state.
        before: The state before the upload.
        upload: The upload.

    Raises:
        JobEnded: The project never shows it.
        AlreadyUploaded: NemoVideo has the files, but the project has none.
    """
    try:
        accepted = await upload
    except AlreadyUploaded:
        if not before.has_content:
            raise
        return ()
    if accepted:
        return accepted
    for _ in range(LOOKS):
        state = await get_state()
        if (state.uploads_digest, state.draft) != (before.uploads_digest, before.draft):
            return ()
        await attempt.clock.sleep(PAUSE_S)
    log.warning("upload.unconfirmed")
    raise JobEnded(upload_failed(attempt.job))


def upload_failed(job: Job) -> LocalizedMessage:
    """Say that files couldn't be uploaded, with a button that tries again."""
    return LocalizedMessage("error.upload_failed", buttons=(Button("button.retry", Retry(job.id)),))
