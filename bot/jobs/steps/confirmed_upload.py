"""Uploads whose answer doesn't say what arrived: the project does."""

import re
from collections.abc import Awaitable, Callable, Collection

import structlog

from bot.jobs.buttons import Retry
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import Job
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.answers import AcceptedFile, ProjectState
from bot.nemo.errors import AlreadyUploaded
from bot.nemo.project_files import upload_names

log = structlog.get_logger(__name__)

LOOKS, PAUSE_S = 15, 2.0
"""Looks at the project, and the pause after each: NemoVideo may read files after its answer."""

LINK_LOOKS = 60
"""Looks for links, which it may fetch after its answer: the pauses grow after each ``LOOKS``, to 5 minutes in all."""

_NUMBER = re.compile(r" \(\d+\)(?=\.|$)")


async def confirmed(
    attempt: Attempt,
    get_state: Callable[[], Awaitable[ProjectState]],
    before: ProjectState,
    upload: Awaitable[tuple[AcceptedFile, ...]],
    names: Collection[str],
    looks: int = LOOKS,
) -> tuple[AcceptedFile, ...]:
    """Return the files that an upload's answer names; if it names none, wait until the project shows that they arrived.

    Args:
        attempt: The attempt at the job.
        get_state: Reads the project's state.
        before: The state before the upload.
        upload: The upload.
        names: The files' names, or their links.
        looks: Looks at the project.

    Raises:
        JobEnded: The project never shows it.
        AlreadyUploaded: NemoVideo has the files, but the project doesn't.
    """
    try:
        accepted = await upload
    except AlreadyUploaded:
        if not _has_all(await get_state(), names):
            raise
        return ()
    if accepted:
        return accepted
    state = before
    for look in range(looks):
        state = await get_state()
        if (state.uploads_digest, state.draft) != (before.uploads_digest, before.draft):
            return ()
        await attempt.clock.sleep(PAUSE_S * (1 + look // LOOKS))
    if _has_all(state, names):
        return ()
    log.warning("upload.unconfirmed")
    raise JobEnded(upload_failed(attempt.job))


def _has_all(state: ProjectState, names: Collection[str]) -> bool:
    """Return whether a project names all files; under a number that the bot gave it, one that was sent again."""
    in_project = upload_names(state)
    sent = (_file_name(name) for name in names)
    return all(name in in_project or _NUMBER.sub("", name) in in_project for name in sent)


def _file_name(name: str) -> str:
    return re.split(r"[?#]", name)[0].rsplit("/")[-1] if "://" in name else name


def upload_failed(job: Job) -> LocalizedMessage:
    """Say that files couldn't be uploaded, with a button that tries again."""
    return LocalizedMessage("error.upload_failed", buttons=(Button("button.retry", Retry(job.id)),))
