"""Connect: an account and a project for the chat."""

from __future__ import annotations

from typing import Any

from bot.chats.chats import Chat
from bot.jobs.job import Kind, State
from bot.jobs.next_steps import how_to_begin
from bot.jobs.ports import Notice, Progress
from bot.jobs.runner import Ended, Run, Step
from bot.jobs.workspace import Project, Workspace
from bot.nemo.errors import NemoError


def connect(workspace: Workspace) -> Step:
    """The step that makes sure of a project, telling the chat the first time."""

    async def open_project(project: Project) -> Project:
        return project  # Opening is all there is to do.

    async def step(run: Run) -> None:
        before, chat = run.get("connected"), await workspace.chats.get(run.job.chat)
        if before is None:
            before = _connection(chat)
            await run.save("connected", before)
        is_first = not chat.greeted
        if chat.session_id is None and run.job.kind is Kind.EXPORT:
            # Nothing can be there, and a guest account is too scarce to be made for that answer.
            raise Ended(Notice("export.nothing_yet", {"begin": how_to_begin(run.job.chat)}), State.DONE)
        run.front.progress(Progress("setup.working" if is_first else "live.connect"))
        await run.front.show()
        try:
            project = await workspace.call(run.job, open_project)
        except NemoError as error:
            raise await workspace.ended_by(run.job, error) from error
        now = _connection(project)
        if before["session"] is not None and before["whose"] != now["whose"]:
            # The operator set a token, took it away, or the guest account became another.
            await run.front.say("new_project", Notice("account.new_project"))
        if now != before:
            await run.save("connected", now)
        if is_first:
            # Whoever has the link can take the project over: not for everyone in a group.
            link = await workspace.browser_link(run.job) if run.job.chat.is_private else None
            run.front.progress(Progress("setup.ready", fraction=0.05, link=link or ""))
            await run.front.show_now()

    return step


def _connection(to: Chat | Project) -> dict[str, Any]:
    """Which project of whose account a chat works with, as a checkpoint."""
    return {"session": to.session_id, "whose": [to.account, to.user_id]}
