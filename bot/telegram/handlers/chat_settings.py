"""The buttons of the settings, each of which changes one."""

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import Setting, ShowSettings, SwitchSetting
from bot.jobs.steps.show_settings import settings_view
from bot.telegram.handlers.button_presses import OLD_BUTTON, Press, PressReply, ShowView
from bot.telegram.handlers.handler_family import HandlerFamily
from bot.telegram.sending.pressed_messages import View
from bot.words import Words


class SettingsHandlers(HandlerFamily):
    """Handles the buttons of the settings."""

    def register(self) -> None:
        """Add the handlers."""
        self.on_press(self._show, ShowSettings)
        self.on_press(self._switch, SwitchSetting)

    async def _show(self, press: Press, action: ShowSettings) -> PressReply:
        await self.ensure_may_change_view(press)
        return PressReply(show=self._view_of(press.chat))

    async def _switch(self, press: Press, action: SwitchSetting) -> PressReply:
        if action.setting not in set(Setting):
            return OLD_BUTTON
        chats = self._submitter.chats
        chat = await chats.get(press.chat)
        if action.setting == Setting.MEMBERS_MAY_CHANGE:
            chat = chat.model_copy(update={"members_may_change": False})  # Opening them is up to admins.
        await self.ensure_may_change_settings(press, chat)
        await chats.update(press.chat, ChatFields.model_validate({action.setting: action.on}))
        return PressReply("toast.saved", show=self._view_of(press.chat))

    def _view_of(self, key: ChatKey) -> ShowView:
        chats, cards = self._submitter.chats, self._submitter.cards

        async def show(words: Words) -> View:
            return settings_view(await chats.get(key), cards, words)

        return show
