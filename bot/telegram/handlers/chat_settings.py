"""The settings of a chat, each behind a button; its language also behind ``/language``."""

from telegram import Update

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import ChooseLanguage, Setting, ShowSettings, SwitchSetting
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.steps.show_settings import BACK, settings_view
from bot.telegram.handlers.button_presses import Press, PressReply, ShowView
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler
from bot.telegram.reading.addressing import chat_key_of, message_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.located_messages import View
from bot.words import Words, languages


class SettingsHandlers(HandlerFamily):
    """Handles ``/language``, and the buttons of the settings and of the list of languages."""

    def _handlers(self) -> Handlers:
        return [
            TextCommandHandler("language", self._language),
            self._on_press(self._choose, ChooseLanguage),
            self._on_press(self._show, ShowSettings),
            self._on_press(self._switch, SwitchSetting),
        ]

    async def _language(self, update: Update, context: Context) -> None:
        language = await self._submitter.chat_language(update, chat_key_of(message_of(update)))
        await self._submitter.reply(update, language_list(language))

    async def _choose(self, press: Press, action: ChooseLanguage) -> PressReply:
        if action.language not in languages():
            return await self.show_view(press, _show_list)
        await self.ensure_may_change_settings(press)
        await self._chats.update(press.chat, ChatFields(language=action.language))
        return PressReply("toast.saved", show=_show_list)

    async def _show(self, press: Press, action: ShowSettings) -> PressReply:
        return await self.show_view(press, self._view_of(press.chat))

    async def _switch(self, press: Press, action: SwitchSetting) -> PressReply:
        chat = await self._chats.get(press.chat)
        if action.setting is Setting.MEMBERS_MAY_CHANGE:
            # Only admins may let all members change settings: what is set counts for everything else.
            chat = chat.changed(members_may_change=False)
        await self.ensure_may_change_settings(press, chat)
        await self._chats.update(press.chat, ChatFields.model_validate({action.setting: action.on}))
        return PressReply("toast.saved", show=self._view_of(press.chat))

    def _view_of(self, key: ChatKey) -> ShowView:
        chats, cards = self._chats, self._cards

        async def show(words: Words) -> View:
            return settings_view(await chats.get(key), cards, words)

        return show


async def _show_list(words: Words) -> View:
    return language_list(words.language)


def language_list(current: str) -> LocalizedMessage:
    """Make the list of languages, as buttons with their own names, and the way to all settings."""
    names = {name: Words(name).plain("language.name") for name in languages()}
    buttons = [
        Button(text=f"✓ {own_name}" if name == current else own_name, action=ChooseLanguage(name))
        for name, own_name in names.items()
    ]
    return LocalizedMessage("language.choose", buttons=(*buttons, BACK))
