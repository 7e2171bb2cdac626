"""The buttons of the settings, each of which changes one."""

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import (
    SetAutoExport,
    SetMembersMayChange,
    SetReplaceResults,
    SetSendAsFile,
    SetShrinkResults,
    ShowSettings,
)
from bot.jobs.steps.show_settings import settings_view
from bot.telegram.handlers.button_presses import Press, PressReply, ShowView, not_yours
from bot.telegram.handlers.handler_family import HandlerFamily
from bot.telegram.handlers.permissions import asker_of
from bot.telegram.sending.pressed_messages import View
from bot.words import Words


class SettingsHandlers(HandlerFamily):
    """Handles the buttons of the settings."""

    def register(self) -> None:
        """Add the handlers."""
        self.on_press(self._show, ShowSettings)
        self.on_press(
            self._change,
            SetAutoExport,
            SetSendAsFile,
            SetShrinkResults,
            SetReplaceResults,
            SetMembersMayChange,
        )

    async def _show(self, press: Press, action: ShowSettings) -> PressReply:
        if not await self._permissions.may_change(press.update, asker_of(press.message)):
            return not_yours(press.update, asker_of(press.message))
        return PressReply(show=self._view_of(press.chat))

    async def _change(
        self,
        press: Press,
        action: SetAutoExport | SetSendAsFile | SetShrinkResults | SetReplaceResults | SetMembersMayChange,
    ) -> PressReply:
        chats = self._submitter.chats
        chat = await chats.get(press.chat)
        if isinstance(action, SetMembersMayChange):
            chat = chat.model_copy(update={"members_may_change": False})  # Opening them is up to admins.
        if not await self._permissions.may_change_settings(press.update, chat):
            return PressReply("toast.admins_only")
        match action:
            case SetAutoExport(on):
                changes = ChatFields(auto_export=on)
            case SetSendAsFile(on):
                changes = ChatFields(send_as_file=on)
            case SetShrinkResults(on):
                changes = ChatFields(shrink_results=on)
            case SetReplaceResults(on):
                changes = ChatFields(replace_results=on)
            case SetMembersMayChange(on):
                changes = ChatFields(members_may_change=on)
        await chats.update(press.chat, changes)
        return PressReply("toast.saved", show=self._view_of(press.chat))

    def _view_of(self, key: ChatKey) -> ShowView:
        chats, cards = self._submitter.chats, self._submitter.cards

        async def show(words: Words) -> View:
            return settings_view(await chats.get(key), cards, words)

        return show
