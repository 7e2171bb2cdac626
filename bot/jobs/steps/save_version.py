"""Keep what a turn of the agent made of the project, to list it and to go back to it."""

import asyncio

from bot.chats.project_list import MAX_NAME_CHARS, project_mark
from bot.chats.versions import MAX_WORDS_CHARS, Version, pack_draft
from bot.jobs.checkpoints import AgentAnswered, Turn
from bot.jobs.payloads import EditPayload
from bot.jobs.ports import Topics
from bot.jobs.steps.turn_draft import draft_after, draft_before
from bot.jobs.versions import version_name
from bot.jobs.worker.attempt import Attempt
from bot.nemo.drafts import Draft
from bot.projects.projects import Projects
from bot.words import bounded


class SaveVersion:
    """Put the project into the chat's list, and its draft among its versions if that has changed.

    The list has its length and, the first time, the request's words as its name, which its topic gets too.
    """

    name = "save_version"

    def __init__(self, projects: Projects, topics: Topics) -> None:
        self._chats = projects.chats
        self._topics = topics

    async def __call__(self, attempt: Attempt) -> None:
        answered = attempt.load(AgentAnswered)
        if answered is None:
            return
        key, now = attempt.job.chat, attempt.clock.now()
        chat = await self._chats.get_for(attempt.job)
        if chat.session_id is None:
            return
        mark = project_mark(chat.session_id)
        after = draft_after(attempt)
        duration_ms = None if after is None else after.duration_ms
        noted = chat.as_listed_project(chat.session_id, now, is_lost=False, duration_ms=duration_ms)
        words = bounded(" ".join(attempt.job.prompt.split()), MAX_NAME_CHARS)
        before = draft_before(attempt, Turn())
        made = _versions(attempt, before, after) if answered.has_changed and after is not None else []
        is_named, _ = await asyncio.gather(  # In one round trip.
            self._chats.project_list.save(key, noted, words), self._chats.versions.add(key, mark, *made)
        )
        if is_named and chat.takes_name:
            await self._topics.rename(key, words)


def _versions(attempt: Attempt, before: Draft | None, after: Draft) -> list[Version]:
    """Return the version that a request made, and ahead of a project's first one the draft that it began with."""
    job, now = attempt.job, attempt.clock.now()
    restored = job.payload_as(EditPayload).version
    words = bounded(" ".join(job.prompt.partition("\n\n")[0].split()), MAX_WORDS_CHARS)
    made = Version(
        number=1,
        job_id=attempt.variation_id,
        words=words if restored is None else f"↩️ {version_name(restored)}",
        made_at=now,
        draft_digest=after.digest(),
        packed_draft=pack_draft(after),
        restored=restored,
    )
    if before is None or not before.is_ready:
        return [made]
    return [Version(made_at=now, draft_digest=before.digest(), packed_draft=pack_draft(before)), made]
