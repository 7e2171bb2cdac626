"""The versions of a project: ``/history``, and the buttons that show one, go back to it, or compare it."""

from dataclasses import replace

from telegram import Update

from bot.chats.project_list import project_mark
from bot.chats.versions import Version
from bot.jobs.buttons import (
    Compare,
    MakeVariations,
    OfferVariations,
    RestoreVersion,
    ShowVersion,
    VersionButton,
)
from bot.jobs.messages import ListMessage
from bot.jobs.model import JobKind
from bot.jobs.payloads import ComparePayload, ExportPayload, VariationsPayload
from bot.jobs.steps.timeline import timeline
from bot.jobs.versions import history_view, version_at, version_buttons, version_line, version_name
from bot.telegram.handlers.button_presses import OLD_BUTTON, Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler
from bot.telegram.reading.addressing import chat_key_of, message_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.formatting import format_lines, plain_text
from bot.telegram.sending.located_messages import VideoView

_GONE = PressReply("versions.gone")
_OTHER_PROJECT = PressReply("versions.other_project")


class VersionHandlers(HandlerFamily):
    """Handles ``/history``, and the buttons that show, restore, vary and compare versions."""

    def _handlers(self) -> Handlers:
        return [
            TextCommandHandler("history", self._history),
            self._on_press(self._show, ShowVersion),
            self._on_press(self._restore, RestoreVersion),
            self._on_press(self._offer_variations, OfferVariations),
            self._on_press(self._make_variations, MakeVariations),
            self._on_press(self._compare, Compare),
        ]

    async def _history(self, update: Update, context: Context) -> None:
        chats, key = self._chats, chat_key_of(message_of(update))
        mark = project_mark((await chats.get(key)).session_id or "")
        view = history_view(await chats.versions.all(key, mark), mark, self._clock.now())
        await self._submitter.reply(update, view)

    async def _show(self, press: Press, action: ShowVersion) -> PressReply:
        if not press.button_is_still_there:
            await self.ensure_may_change_view(press)
        versions, version = await self._find(press, action)
        if version is None:
            return _GONE
        if version.file_id and (press.message.video or press.message.animation or press.message.document):
            caption = ListMessage(version_line(version, versions[-1]), ())
            buttons = version_buttons(versions, version, action.mark)
            return PressReply(show=VideoView(version.file_id, version.kind, caption, buttons))
        if not version.file_id and not await self._is_present(press, action.mark):
            return _OTHER_PROJECT  # It has to be rendered there.
        payload = ExportPayload(version=version.number, project=action.mark)
        await self._submitter.submit(press.update, JobKind.EXPORT, payload)
        return PressReply("toast.sending_version", {"version": version_name(version.number)})

    async def _restore(self, press: Press, action: RestoreVersion) -> PressReply:
        versions, version = await self._find(press, action)
        draft = None if version is None else version.draft
        if version is None or draft is None:
            return _GONE
        if not await self._is_present(press, action.mark):
            return _OTHER_PROJECT
        if version.draft_digest == versions[-1].draft_digest:
            return PressReply("versions.is_current", {"version": version_name(version.number)})
        words = await self.words_for(press)
        is_undo = version.number == versions[-1].number - 1
        prompt = words.plain("prompt.undo" if is_undo else "prompt.restore_version")
        tracks = plain_text(format_lines(words, timeline(draft, press.chat)[1]))
        others = press.other_buttons
        job = await self.prompt_job(press, f"{prompt}\n{tracks}", version=version.number, project=action.mark)
        return await self.send_prompt(press, job, "toast.undoing", others)

    async def _offer_variations(self, press: Press, action: OfferVariations) -> PressReply:
        await self._submitter.submit(press.update, JobKind.OFFER_VARIATIONS)
        return PressReply(buttons=press.other_buttons)

    async def _make_variations(self, press: Press, action: MakeVariations) -> PressReply:
        if not press.button_is_still_there:
            return OLD_BUTTON
        words = await self.words_for(press)
        job = await self.prompt_job(press, words.plain(f"variations.request_{action.aspect}"))
        if job is not None:
            payload = VariationsPayload(aspect=action.aspect)
            job = replace(job, kind=JobKind.VARIATIONS, payload=payload)
        return await self.send_prompt(press, job)

    async def _compare(self, press: Press, action: Compare) -> PressReply:
        _, version = await self._find(press, action)
        if version is None:
            return _GONE
        payload = ComparePayload(number=version.number, project=action.mark)
        await self._submitter.submit(press.update, JobKind.COMPARE, payload)
        return PressReply()

    async def _is_present(self, press: Press, mark: str) -> bool:
        """Return whether a mark stands for the chat's current project."""
        session_id = (await self._chats.get(press.chat)).session_id
        return session_id is not None and project_mark(session_id) == mark

    async def _find(self, press: Press, action: VersionButton) -> tuple[list[Version], Version | None]:
        """Return all versions of a project, and the one that a button is about."""
        versions = await self._chats.versions.all(press.chat, action.mark)
        number = int(action.number) if action.number.isdecimal() else -1
        return versions, version_at(versions, number)
