"""Commands and buttons that ask for one job and nothing else, as /credits does: all that ``job_types.py`` lists so."""

from collections.abc import Mapping
from dataclasses import replace

from telegram import Update

from bot.job_types import COMMAND_JOBS
from bot.jobs.buttons import ButtonAction, Export, ShowCredits, ShowLink, ShowStatus
from bot.jobs.payloads import EditPayload, LinkPayload
from bot.telegram.handlers.button_presses import Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily, on_command, on_press, text_command
from bot.telegram.receiving.application import Context

_BUTTON_COMMANDS: Mapping[type[ButtonAction], str] = {
    Export: "export",
    ShowCredits: "credits",
    ShowStatus: "status",
    ShowLink: "link",
}
"""The buttons that do what a command does."""


class JobCommands(HandlerFamily):
    """Handles these commands and buttons."""

    @on_command(*COMMAND_JOBS)
    async def _command(self, update: Update, context: Context) -> None:
        if (command := text_command(update)) is not None:
            await self._submitter.submit(update, COMMAND_JOBS[command.name].kind)

    @on_press
    async def _press(self, press: Press, action: Export | ShowCredits | ShowStatus | ShowLink) -> PressReply:
        # Only the button makes a project where there is none.
        job_type = COMMAND_JOBS[_BUTTON_COMMANDS[type(action)]]
        job = self._submitter.job(press.update, job_type.kind)
        if isinstance(action, ShowLink):
            held = await self._job_queue.find(press.chat, action.job_id) if action.job_id else None
            payload = LinkPayload(opens_project=True)
            if held is not None:
                before = held.job.payload_as(EditPayload).uploads_before
                job = replace(job, prompt=held.job.prompt)
                payload = LinkPayload(opens_project=True, uploads_before=before)
            job = replace(job, payload=payload)
        await self._submitter.enqueue(press.update, [job])
        return PressReply()
