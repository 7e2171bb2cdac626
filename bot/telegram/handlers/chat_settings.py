"""The settings of a chat, all in one message; each is changed where it stands."""

from __future__ import annotations

from collections.abc import Callable

from bot.chats.chats import Chat, ChatFields, Chats
from bot.jobs.ports import Button, ListMessage, LocalizedMessage
from bot.jobs.worker.runner import Attempt, Step
from bot.skills import Cards
from bot.telegram.sending.keyboards import ButtonAction
from bot.words import Words

SWITCHES: dict[ButtonAction, Callable[[bool], ChatFields]] = {
    ButtonAction.AUTO_EXPORT: lambda on: ChatFields(auto_export=on),
    ButtonAction.SEND_AS_FILE: lambda on: ChatFields(send_as_file=on),
    ButtonAction.REPLACE_RESULTS: lambda on: ChatFields(replace_results=on),
}
"""What the buttons that are on or off change of a chat."""

BACK = Button("button.settings", ButtonAction.SETTINGS)
"""Leads from a list back to the settings that it took the place of."""


def show_settings(chats: Chats, cards: Cards) -> Step:
    """The step that answers ``/settings``."""

    async def step(attempt: Attempt) -> None:
        words = Words(attempt.job.language)
        await attempt.responder.say(
            "settings", settings_view(await chats.get(attempt.job.chat), cards, words)
        )

    return step


def settings_view(chat: Chat, cards: Cards, words: Words) -> ListMessage:
    """What holds in a chat, with a button to change each.

    Args:
        chat: As it is now.
        cards: The skill cards.
        words: Of the language in which this is told.
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
        _switch(ButtonAction.AUTO_EXPORT, "auto", on=chat.auto_export),
        _switch(ButtonAction.SEND_AS_FILE, "file", on=chat.send_as_file),
        _switch(ButtonAction.REPLACE_RESULTS, "replace", on=chat.replace_results),
        Button("button.language", ButtonAction.LANGUAGE),
        Button("button.skill", ButtonAction.SKILL),
    )
    return ListMessage(LocalizedMessage("settings.heading"), lines, buttons)


def _switch(action: ButtonAction, name: str, *, on: bool) -> Button:
    # The wanted value: pressing twice is pressing once.
    return Button(f"button.settings_{name}_{_on(on)}", action, "0" if on else "1")


def _on(value: bool) -> str:
    return "on" if value else "off"
