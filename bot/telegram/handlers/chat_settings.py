"""The settings of a chat, all in one message; each is changed by its button."""

from __future__ import annotations

from bot.chats.chats import Chat, ChatChanges, Chats
from bot.jobs.buttons import (
    ChooseLanguage,
    ChooseSkill,
    SetAutoExport,
    SetReplaceResults,
    SetSendAsFile,
    ShowSettings,
)
from bot.jobs.messages import Button, ListMessage, LocalizedMessage
from bot.jobs.worker.runner import Attempt, Step
from bot.skills import Cards
from bot.telegram.handlers.button_presses import NOT_YOURS, Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily
from bot.telegram.handlers.permissions import asker_of
from bot.telegram.sending.pressed_messages import View
from bot.words import Words

BACK = Button("button.settings", ShowSettings())
"""Leads from a list back to the settings."""


class SettingsHandlers(HandlerFamily):
    """Handles the buttons of the settings."""

    def register(self) -> None:
        """Add the handlers."""
        self.on_press(self._press, ShowSettings, SetAutoExport, SetSendAsFile, SetReplaceResults)

    async def _press(
        self, press: Press, action: ShowSettings | SetAutoExport | SetSendAsFile | SetReplaceResults
    ) -> PressReply:
        if not await self._permissions.may_change(press.update, asker_of(press.message)):
            return NOT_YOURS
        chats, cards = self._submitter.chats, self._submitter.cards
        changes: ChatChanges = {}
        match action:
            case SetAutoExport(on):
                changes = {"auto_export": on}
            case SetSendAsFile(on):
                changes = {"send_as_file": on}
            case SetReplaceResults(on):
                changes = {"replace_results": on}
        if changes:
            await chats.update(press.chat, **changes)

        async def show(words: Words) -> View:
            return settings_view(await chats.get(press.chat), cards, words)

        return PressReply("toast.saved" if changes else "", show=show)


def show_settings(chats: Chats, cards: Cards) -> Step:
    """Make the step that answers ``/settings``."""

    async def step(attempt: Attempt) -> None:
        words = Words(attempt.job.language)
        await attempt.responder.send(
            "settings", settings_view(await chats.get(attempt.job.chat), cards, words)
        )

    return step


def settings_view(chat: Chat, cards: Cards, words: Words) -> ListMessage:
    """List a chat's settings, with a button to change each.

    Args:
        chat: The chat with its settings.
        cards: The skill cards.
        words: The words of the reader's language.
    """
    card = cards.active(chat.skill, words.language)
    if chat.language is None and not chat.key.is_private:
        language = LocalizedMessage("settings.language_each")
    else:
        language = LocalizedMessage("settings.language", {"name": words.plain("language.name")})
    lines = (
        LocalizedMessage(f"settings.auto_export_{_on(chat.auto_export)}"),
        LocalizedMessage(f"settings.send_as_file_{_on(chat.send_as_file)}"),
        LocalizedMessage(f"settings.replace_{_on(chat.replace_results)}"),
        language,
        LocalizedMessage("settings.skill", {"emoji": card.emoji, "name": card.display_name}),
    )
    buttons = (
        _switch(SetAutoExport, "auto", on=chat.auto_export),
        _switch(SetSendAsFile, "file", on=chat.send_as_file),
        _switch(SetReplaceResults, "replace", on=chat.replace_results),
        Button("button.language", ChooseLanguage()),
        Button("button.skill", ChooseSkill()),
    )
    return ListMessage(LocalizedMessage("settings.heading"), lines, buttons)


def _switch(
    action: type[SetAutoExport | SetSendAsFile | SetReplaceResults], name: str, *, on: bool
) -> Button:
    # The button holds the wanted value, so that pressing it twice is pressing it once.
    return Button(f"button.settings_{name}_{_on(on)}", action(not on))


def _on(value: bool) -> str:
    return "on" if value else "off"
