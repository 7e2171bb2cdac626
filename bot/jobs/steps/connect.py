"""Connect: an account and a project for the chat."""

from __future__ import annotations

from typing import Any

from bot.chats.chats import Chat
from bot.jobs.messages import LocalizedMessage, Progress
from bot.jobs.model import JobKind, JobState
from bot.jobs.next_steps import how_to_begin
from bot.jobs.steps.service_errors import ended_by
from bot.jobs.worker.runner import Attempt, JobEnded, Step
from bot.nemo.errors import NemoError
from bot.projects.projects import Project, Projects


def connect(projects: Projects) -> Step:
    """The step that makes sure of a project, telling the chat the first time."""

    async def open_project(project: Project) -> Project:
        return project  # Opening is all there is to do.

    async def step(attempt: Attempt) -> None:
        before, chat = attempt.get_value("connected"), await projects.chats.get(attempt.job.chat)
        if before is None:
            before = _connection(chat)
            await attempt.save_value("connected", before)
        is_first = not chat.greeted
        if chat.session_id is None and attempt.job.kind is JobKind.EXPORT:
            # Nothing can be there, and a guest account is too scarce to be made for that answer.
            raise JobEnded(
                LocalizedMessage("export.nothing_yet", {"begin": how_to_begin(attempt.job.chat)}),
                JobState.DONE,
            )
        attempt.responder.report_progress(Progress("setup.working" if is_first else "progress.connect"))
        await attempt.responder.show_progress()
        try:
            project = await projects.call(attempt.job, open_project)
        except NemoError as error:
            raise await ended_by(projects, attempt.job, error) from error
        now = _connection(project)
        if before["session"] is not None and before["whose"] != now["whose"]:
            # The operator set a token, took it away, or the guest account became another.
            await attempt.responder.send("new_project", LocalizedMessage("account.new_project"))
        if now != before:
            await attempt.save_value("connected", now)
        if is_first:
            # Whoever has the link can take the project over: not for everyone in a group.
            link = await projects.browser_link(attempt.job) if attempt.job.chat.is_private else None
            attempt.responder.report_progress(Progress("setup.ready", fraction=0.05, link=link or ""))
            await attempt.responder.flush_progress()

    return step


def _connection(to: Chat | Project) -> dict[str, Any]:
    """Which project of whose account a chat works with, as a checkpoint."""
    return {"session": to.session_id, "whose": [to.account, to.user_id]}
