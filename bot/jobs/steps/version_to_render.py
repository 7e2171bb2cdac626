"""What a job renders: which version of the project, and what is asked for it that the service can't do."""

import re
from collections.abc import Iterable

from bot.chats.project_list import project_mark
from bot.chats.versions import Version
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobState
from bot.jobs.payloads import EditPayload, ExportPayload
from bot.jobs.versions import version_at
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.drafts import Draft
from bot.projects.projects import Projects

USUAL_HEIGHT = 1080  # of a result, where the draft has no size

_NAMED_HEIGHTS = {
    "2k": 1440, "4k": 2160, "8k": 4320, "fullhd": 1080, "fhd": 1080, "uhd": 2160, "ultrahd": 2160,
}  # fmt: skip
_LEAST_HEIGHTS = {"hd": 720, "高清": 720, "全高清": 1080, "超高清": 2160}
_OTHER = re.compile(r"m4v|mov|avi|webm|mkv|gif|mp3|wav|\d+(?:fps|帧)|h\.?265|hevc")


def unmet_output_options(output: Iterable[str], draft: Draft) -> tuple[str, ...]:
    """Return what an export of a draft won't be: resolutions other than its own, and formats other than MP4.

    The service takes neither from anybody.
    """
    height = min(draft.width, draft.height) if draft.width and draft.height else USUAL_HEIGHT
    return tuple(one for one in output if not _is_met(one, int(height)))


def _is_met(one: str, height: int) -> bool:
    if one in _LEAST_HEIGHTS:
        return height >= _LEAST_HEIGHTS[one]
    if one in _NAMED_HEIGHTS:
        return height == _NAMED_HEIGHTS[one]
    if number := re.fullmatch(r"(?:\d{3,4}[x×*])?(\d{3,4})[pi]?", one):
        return height == int(number[1])
    return _OTHER.fullmatch(one) is None  # "best quality" is what is asked for anyway.


async def version_to_render(projects: Projects, attempt: Attempt, present: Draft | None) -> Version | None:
    """Return the earlier version whose video a job sends; ``None`` for the current one.

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
