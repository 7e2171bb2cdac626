"""The buttons of the settings, each of which changes one."""

from bot.chats.chats import ChatFields
from bot.jobs.buttons import (
    SetAutoExport,
    SetReplaceResults,
    SetSendAsFile,
    SetShrinkResults,
    ShowSettings,
)
from bot.jobs.steps.show_settings import settings_view
from bot.telegram.handlers.button_presses import Press, PressReply, not_yours
from bot.telegram.handlers.handler_family import HandlerFamily
from bot.telegram.handlers.permissions import asker_of
from bot.telegram.sending.pressed_messages import View
from bot.words import Words


class SettingsHandlers(HandlerFamily):
    """Handles the buttons of the settings."""

    def register(self) -> None:
        """Add the handlers."""
        self.on_press(
            self._press, ShowSettings, SetAutoExport, SetSendAsFile, SetShrinkResults, SetReplaceResults
        )

    async def _press(
        self,
        press: Press,
        action: ShowSettings | SetAutoExport | SetSendAsFile | SetShrinkResults | SetReplaceResults,
    ) -> PressReply:
        if not await self._permissions.may_change(press.update, asker_of(press.message)):
            return not_yours(press.update, asker_of(press.message))
        chats, cards = self._submitter.chats, self._submitter.cards
        changes: ChatFields | None = None
        match action:
            case SetAutoExport(on):
                changes = ChatFields(auto_export=on)
            case SetSendAsFile(on):
                changes = ChatFields(send_as_file=on)
            case SetShrinkResults(on):
                changes = ChatFields(shrink_results=on)
            case SetReplaceResults(on):
                changes = ChatFields(replace_results=on)
        if changes is not None:
            await chats.update(press.chat, changes)

        async def show(words: Words) -> View:
            return settings_view(await chats.get(press.chat), cards, words)

        return PressReply("toast.saved" if changes else "", show=show)
