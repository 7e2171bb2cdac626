"""Note what the chat's list of projects says of the one that was just edited."""

from bot.chats.project_list import MAX_NAME_CHARS, ListedProject, project_mark
from bot.jobs.checkpoints import AFTER, AgentAnswered, Checkpoint, KeptDraft
from bot.jobs.worker.attempt import Attempt
from bot.projects.projects import Projects
from bot.words import bounded


class NotingProject(Checkpoint):
    """Saved before the list is written: an attempt that was superseded stops here."""

    name = "noting_project"


class NoteProject:
    """Put the project into the chat's list, with its length and, the first time, the request's words as its name."""

    name = "note_project"

    def __init__(self, projects: Projects) -> None:
        self._chats = projects.chats

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        if attempt.load(AgentAnswered) is None:
            return
        await attempt.save(NotingProject())
        key, now = attempt.job.chat, attempt.clock.now()
        chat = await self._chats.get(key)
        if chat.session_id is None:
            return
        await self._chats.list_project(chat, now)
        after = (attempt.load(KeptDraft, AFTER) or KeptDraft()).read()
        noted = ListedProject(
            session_id=chat.session_id,
            used_at=now,
            duration_ms=None if after is None else after.duration_ms,
        )
        known = await self._chats.project_list.find(key, project_mark(chat.session_id))
        if known is None or not known.name:
            name = bounded(" ".join(attempt.job.text.split()), MAX_NAME_CHARS)
            noted = ListedProject(**noted.model_dump(exclude_unset=True), name=name)
        await self._chats.project_list.save(key, noted)
