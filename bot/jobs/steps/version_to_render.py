"""Which version of the project a job renders, if it is not the present one."""

from bot.chats.project_list import project_mark
from bot.chats.versions import Version
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobState
from bot.jobs.payloads import EditPayload, ExportPayload
from bot.jobs.versions import version_at
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.drafts import Draft
from bot.projects.projects import Projects


async def version_to_render(projects: Projects, attempt: Attempt, present: Draft | None) -> Version | None:
    """Return the earlier version whose video a job sends; ``None`` for the present one.

    NemoVideo has no call that puts a draft back. So the agent is asked to, and where it didn't, the earlier draft is
    rendered as it was.

    Raises:
        JobEnded: The version is not there any more, or the chat has gone on to another project.
    """
    payload = attempt.job.payload
    if not isinstance(payload, EditPayload | ExportPayload) or payload.version is None:
        return None
    chats, key = projects.chats, attempt.job.chat
    session_id = (await chats.get_for(attempt.job)).session_id
    versions = await chats.versions.all(key, payload.project)
    version = version_at(versions, payload.version)
    draft = None if version is None else version.draft
    if version is None or draft is None or session_id is None or project_mark(session_id) != payload.project:
        raise JobEnded(LocalizedMessage("versions.gone"), JobState.DONE)
    if present is not None and draft.digest() == present.digest():
        return None
    return version
