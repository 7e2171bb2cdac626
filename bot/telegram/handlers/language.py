"""Choosing the language of a chat: ``/language``, and the buttons with its list."""

from telegram import Update

from bot.chats.chats import ChatFields
from bot.jobs.buttons import ChooseLanguage
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.steps.show_settings import BACK
from bot.telegram.handlers.button_presses import Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily, on_command, on_press
from bot.telegram.reading.addressing import chat_key_of, message_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.pressed_messages import View
from bot.words import Words, languages


class LanguageHandlers(HandlerFamily):
    """Handles ``/language`` and its buttons."""

    @on_command("language")
    async def _language(self, update: Update, context: Context) -> None:
        language = await self._submitter.language_in(update, chat_key_of(message_of(update)))
        await self._submitter.reply(update, language_list(language))

    @on_press
    async def _choose(self, press: Press, action: ChooseLanguage) -> PressReply:
        if action.language not in languages():
            return await self.show_view(press, _show_list)
        await self.ensure_may_change_settings(press)
        await self._chats.update(press.chat, ChatFields(language=action.language))
        return PressReply("toast.saved", show=_show_list)


async def _show_list(words: Words) -> View:
    return language_list(words.language)


def language_list(current: str) -> LocalizedMessage:
    """Make the list of languages, as buttons with their own names, and the way to all settings."""
    buttons = [_language_button(name, current) for name in languages()]
    return LocalizedMessage("language.choose", buttons=(*buttons, BACK))


def _language_button(name: str, current: str) -> Button:
    own_name = Words(name).plain("language.name")
    return Button(text=f"✓ {own_name}" if name == current else own_name, action=ChooseLanguage(name))
