"""The buttons of the settings, each of which changes one."""

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import Setting, ShowSettings, SwitchSetting
from bot.jobs.steps.show_settings import settings_view
from bot.telegram.handlers.button_presses import OLD_BUTTON, Press, PressReply, ShowView
from bot.telegram.handlers.handler_family import HandlerFamily, on_press
from bot.telegram.sending.pressed_messages import View
from bot.words import Words


class SettingsHandlers(HandlerFamily):
    """Handles the buttons of the settings."""

    @on_press
    async def _show(self, press: Press, action: ShowSettings) -> PressReply:
        return await self.show_view(press, self._view_of(press.chat))

    @on_press
    async def _switch(self, press: Press, action: SwitchSetting) -> PressReply:
        if action.setting not in set(Setting):
            return OLD_BUTTON
        chat = await self._chats.get(press.chat)
        if action.setting == Setting.MEMBERS_MAY_CHANGE:
            chat = chat.model_copy(update={"members_may_change": False})  # Opening them is up to admins.
        await self.ensure_may_change_settings(press, chat)
        await self._chats.update(press.chat, ChatFields.model_validate({action.setting: action.on}))
        return PressReply("toast.saved", show=self._view_of(press.chat))

    def _view_of(self, key: ChatKey) -> ShowView:
        chats, cards = self._chats, self._cards

        async def show(words: Words) -> View:
            return settings_view(await chats.get(key), cards, words)

        return show
