"""Commands and buttons that ask for one job and nothing else.

/new, /export, /credits, /status, /link, /logout and /settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from telegram import Update

from bot.jobs.buttons import ButtonAction, Export, NewProject, ShowCredits, ShowLink, ShowStatus
from bot.jobs.model import JobKind, QueueName
from bot.jobs.payloads import LinkPayload
from bot.telegram.handlers.button_presses import Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily
from bot.telegram.receiving.application import Context

COMMAND_JOBS: Mapping[str, tuple[QueueName, JobKind]] = {
    "new": (QueueName.MAIN, JobKind.NEW),
    "export": (QueueName.MAIN, JobKind.EXPORT),
    "credits": (QueueName.QUICK, JobKind.CREDITS),
    "status": (QueueName.QUICK, JobKind.STATUS),
    "link": (QueueName.QUICK, JobKind.LINK),
    "logout": (QueueName.MAIN, JobKind.LOGOUT),
    "settings": (QueueName.QUICK, JobKind.SETTINGS),
}
"""The job that each command asks for."""

_BUTTON_COMMANDS: Mapping[type[ButtonAction], str] = {
    Export: "export",
    NewProject: "new",
    ShowCredits: "credits",
    ShowStatus: "status",
    ShowLink: "link",
}
"""The buttons that do what a command does."""


class JobCommands(HandlerFamily):
    """Handles these commands and buttons."""

    def register(self) -> None:
        """Add the handlers."""
        for command, (queue, kind) in COMMAND_JOBS.items():
            self.on_command(command, partial(self._command, queue, kind))
        self.on_press(self._press, *_BUTTON_COMMANDS)

    async def _command(self, queue: QueueName, kind: JobKind, update: Update, context: Context) -> None:
        await self._submitter.submit(update, queue, kind)

    async def _press(self, press: Press, action: ButtonAction) -> PressReply:
        # Only the button makes a project where there is none.
        payload = LinkPayload(opens_project=True) if isinstance(action, ShowLink) else None
        await self._submitter.submit(press.update, *COMMAND_JOBS[_BUTTON_COMMANDS[type(action)]], payload)
        return PressReply()
