"""Beginning an empty project: ``/new``, which asks back where there is a project, and its buttons."""

from telegram import Update

from bot.chats.key import ChatKey
from bot.jobs.buttons import KeepProject, NewProject
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import JobKind
from bot.telegram.handlers.button_presses import NO_BUTTONS, OLD_BUTTON, Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily, on_command, on_press
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.reading.addressing import chat_key_of, message_of
from bot.telegram.receiving.application import Context

_SURE = LocalizedMessage(
    "new.sure",
    buttons=(Button("button.stay_in_project", KeepProject()), Button("button.new_project", NewProject())),
)


class NewProjectHandlers(HandlerFamily):
    """Handles ``/new`` and the buttons of the question."""

    @on_command("new")
    async def begin_or_ask(self, update: Update, context: Context) -> None:
        """Begin an empty project, or ask first where the present one has something in it and would give way."""
        chat = await self._chats.get(chat_key_of(message_of(update)))
        has_topics = chat.key.is_private and context.bot.bot.has_topics_enabled
        if not has_topics and await self._chats.has_content(chat):
            await self._submitter.reply(update, _SURE)
        else:
            await self._submitter.submit(update, JobKind.NEW)

    @on_press
    async def _begin(self, press: Press, action: NewProject) -> PressReply:
        last_editor = await last_editor_id(self._submitter, press.chat)
        if not await self._permissions.may_change(press.update, last_editor):
            return PressReply("new.not_yours")
        # Pressed twice, it must not end the project that was begun after the first press.
        job = await self.job_of(press, JobKind.NEW, message_id=None)
        if job is None:
            return OLD_BUTTON
        await self._submitter.enqueue(press.update, [job])
        return PressReply(buttons=NO_BUTTONS)

    @on_press
    async def _keep(self, press: Press, action: KeepProject) -> PressReply:
        return PressReply("toast.project_kept", buttons=NO_BUTTONS)


async def last_editor_id(submitter: JobSubmitter, key: ChatKey) -> int | None:
    """Return who asked for the last edit in a chat, as long as that is known: they may leave its project."""
    chat = await submitter.chats.get(key)
    if chat.answer_job_id is None:
        return None
    status = await submitter.job_queue.find(key, chat.answer_job_id)
    return None if status is None else status.job.owner_id
