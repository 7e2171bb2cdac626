"""The chat's projects: ``/projects``, ``/rename``, ``/new`` where it stands alone, and buttons."""

from dataclasses import replace

from telegram import Update

from bot.chats.key import ChatKey
from bot.chats.project_list import MAX_NAME_CHARS, ListedProject, project_mark
from bot.jobs.buttons import (
    DeleteProject,
    KeepProject,
    ListProjects,
    NewProject,
    OpenProject,
    RenameProject,
    ShowProject,
)
from bot.jobs.messages import Button, ListMessage, LocalizedMessage
from bot.jobs.model import JobKind
from bot.jobs.payloads import OpenProjectPayload
from bot.jobs.project_views import delete_view, list_view, project_view
from bot.telegram.handlers.button_presses import NO_BUTTONS, OLD_BUTTON, Press, PressReply, ShowView
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.reading.addressing import chat_key_of, message_of
from bot.telegram.reading.attachments import attachment_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.located_messages import VideoView, View
from bot.telegram.sending.private_topics import PrivateTopics
from bot.words import bounded

_SURE = LocalizedMessage(
    "new.sure",
    buttons=(Button("button.stay_in_project", KeepProject()), Button("button.new_project", NewProject())),
)


async def last_editor_id(submitter: JobSubmitter, key: ChatKey) -> int | None:
    """Return who asked for the last edit in a chat, as long as that is known: they may leave its project."""
    chat = await submitter.chats.get(key)
    if chat.answer_job_id is None:
        return None
    status = await submitter.job_queue.find(key, chat.answer_job_id)
    return None if status is None else status.job.requester_id


_GONE = PressReply("projects.gone")


class ProjectHandlers(HandlerFamily):
    """Handles ``/projects`` and ``/rename``, and the buttons of the list and of the question of ``/new``."""

    def _handlers(self) -> Handlers:
        return [
            self._on_press(self._begin_new, NewProject),
            self._on_press(self._keep, KeepProject),
            TextCommandHandler("projects", self._projects),
            TextCommandHandler("rename", self._rename),
            self._on_press(self._list, ListProjects),
            self._on_press(self._show, ShowProject),
            self._on_press(self._open, OpenProject),
            self._on_press(self._say_how_to_rename, RenameProject),
            self._on_press(self._delete, DeleteProject),
        ]

    async def begin_or_ask(self, update: Update, context: Context) -> None:
        """Begin an empty project, or ask first if the current one isn't empty and would be replaced."""
        chat = await self._chats.get(chat_key_of(message_of(update)))
        has_topics = chat.key.is_private and context.bot.bot.has_topics_enabled
        if not has_topics and await self._chats.has_content(chat):
            await self._submitter.reply(update, _SURE)
        else:
            await self._submitter.submit(update, JobKind.NEW)

    async def _begin_new(self, press: Press, action: NewProject) -> PressReply:
        last_editor = await last_editor_id(self._submitter, press.chat)
        if not await self._permissions.may_change(press.update, last_editor):
            return PressReply("new.not_yours")
        # Pressed twice, it must not end the project that was begun after the first press.
        job = await self.job_of(press, JobKind.NEW, message_id=None)
        if job is None:
            return OLD_BUTTON
        await self._submitter.enqueue(press.update, [job])
        return PressReply(buttons=NO_BUTTONS)

    async def _keep(self, press: Press, action: KeepProject) -> PressReply:
        return PressReply("toast.project_kept", buttons=NO_BUTTONS)

    async def _projects(self, update: Update, context: Context) -> None:
        await self._submitter.reply(update, await self._page(chat_key_of(message_of(update)), 1))

    async def _rename(self, update: Update, context: Context) -> None:
        key, chats = chat_key_of(message_of(update)), self._chats
        chat = await chats.get(key)
        name = bounded(" ".join(context.args or ()), MAX_NAME_CHARS)
        if not name:
            return await self._submitter.reply(update, LocalizedMessage("projects.rename"))
        if not await self._permissions.may_change_settings(update, chat):
            return await self._submitter.reply(update, LocalizedMessage("error.admins_only"))
        await self._list_present(key)
        if chat.session_id is None or not await chats.has_content(chat):
            return await self._submitter.reply(update, LocalizedMessage("projects.none"))
        renamed = ListedProject(session_id=chat.session_id, used_at=self._clock.now(), name=name)
        await chats.project_list.save(key, renamed)
        if key.is_private and key.topic_id is not None:
            renaming = PrivateTopics(self._submitter.telegram_calls).rename(key, name)
            context.application.create_task(renaming, update, name="rename topic")
        await self._submitter.reply(update, LocalizedMessage("projects.renamed", {"name": name}))

    async def _list(self, press: Press, action: ListProjects) -> PressReply:
        if not action.page:  # Under a message that stays as it is.
            await self._submitter.reply(press.update, await self._page(press.chat, 1))
            return PressReply()
        page = int(action.page) if action.page.isdecimal() else 1
        return await self.show_view(press, await self._page(press.chat, page))

    async def _show(self, press: Press, action: ShowProject) -> PressReply:
        project = await self._chats.project_list.find(press.chat, action.mark)
        if project is None:
            return _GONE
        present = (await self._chats.get(press.chat)).session_id
        view = project_view(project, present, self._clock.now())
        versions = await self._chats.versions.all(press.chat, action.mark)
        shown_as = next((one for one in reversed(versions) if one.file_id), None)
        if shown_as is None or not press.chat.is_private:
            return await self.show_view(press, view)
        return await self.show_view(press, VideoView(shown_as.file_id, shown_as.kind, view, view.buttons))

    async def _open(self, press: Press, action: OpenProject) -> PressReply:
        last_editor = await last_editor_id(self._submitter, press.chat)
        if not await self._permissions.may_change(press.update, last_editor):
            return PressReply("projects.not_yours")
        if await self._chats.project_list.find(press.chat, action.mark) is None:
            return _GONE
        payload = OpenProjectPayload(mark=action.mark)
        stored = await self._submitter.submit(press.update, JobKind.OPEN_PROJECT, payload)
        return PressReply("toast.opening_project" if stored else "", buttons=NO_BUTTONS)

    async def _say_how_to_rename(self, press: Press, action: RenameProject) -> PressReply:
        back = Button("button.back", ListProjects("1"))
        return await self.show_view(press, LocalizedMessage("projects.rename", buttons=(back,)))

    async def _delete(self, press: Press, action: DeleteProject) -> PressReply:
        chat = await self._chats.get(press.chat)
        await self.ensure_may_change_settings(press, chat)
        project = await self._chats.project_list.find(press.chat, action.mark)
        if project is None:
            return _GONE
        if not action.is_sure:
            return await self._replace(press, delete_view(project))
        if chat.session_id == project.session_id:
            return PressReply("projects.is_present")  # It was opened since.
        await self._chats.project_list.delete(press.chat, action.mark)
        reply = await self._replace(press, await self._page(press.chat, 1))
        return replace(reply, toast="toast.project_deleted")

    async def show_view(self, press: Press, view: View | ShowView) -> PressReply:
        """Show a view to the person who may change the message with the list."""
        await self.ensure_may_change_view(press)
        return await self._replace(press, view)

    async def _replace(self, press: Press, view: View | ShowView) -> PressReply:
        """Replace the message with a view, or send the view below it if it is a video, which no text can replace."""
        if isinstance(view, LocalizedMessage | ListMessage) and attachment_of(press.message) is not None:
            await self._submitter.reply(press.update, view)
            return PressReply(buttons=NO_BUTTONS)
        return PressReply(show=view)

    async def _page(self, key: ChatKey, page: int) -> ListMessage:
        present = await self._list_present(key)
        projects = await self._chats.project_list.all(key)
        return list_view(projects, present, self._clock.now(), page)

    async def _list_present(self, key: ChatKey) -> str | None:
        """Put the current project into the list, if nothing was asked for in it yet; return its session."""
        chat = await self._chats.get(key)
        if await self._chats.project_list.find(key, project_mark(chat.session_id or "")) is None:
            await self._chats.add_to_project_list(chat, self._clock.now())
        return chat.session_id
