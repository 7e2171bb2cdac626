"""Connect: an account and a project for the chat."""

from __future__ import annotations

from bot.jobs.ports import Progress
from bot.jobs.runner import Run, Step
from bot.jobs.workspace import Project, Workspace
from bot.nemo.errors import NemoError


def connect(workspace: Workspace) -> Step:
    """The step that makes sure of a project, telling the chat the first time."""

    async def open_project(project: Project) -> None:
        """Opening is all there is to do."""

    async def step(run: Run) -> None:
        is_first = not await workspace.is_set_up(run.job.chat)
        run.front.progress(Progress("setup.working" if is_first else "live.connect"))
        await run.front.show()
        try:
            await workspace.call(run.job, open_project)
        except NemoError as error:
            raise await workspace.ended_by(run.job, error) from error
        if is_first:
            run.front.progress(Progress("setup.ready", fraction=0.05))
            await run.front.show_now()

    return step
