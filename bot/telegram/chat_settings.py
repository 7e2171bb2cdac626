"""The settings of a chat, all in one message; each is changed where it stands."""

from __future__ import annotations

from collections.abc import Callable

from bot.chats.chats import Chat, ChatChanges, Chats
from bot.jobs.ports import Button, Notice, Report
from bot.jobs.runner import Run, Step
from bot.skills import Cards
from bot.telegram.buttons import Action
from bot.words import Words

SWITCHES: dict[Action, Callable[[bool], ChatChanges]] = {
    Action.AUTO_EXPORT: lambda on: {"auto_export": on},
    Action.SEND_AS_FILE: lambda on: {"send_as_file": on},
    Action.REPLACE_RESULTS: lambda on: {"replace_results": on},
}
"""What the buttons that are on or off change of a chat."""

BACK = Button("button.settings", Action.SETTINGS)
"""Leads from a list back to the settings that it took the place of."""


def show_settings(chats: Chats, cards: Cards) -> Step:
    """The step that answers ``/settings``."""

    async def step(run: Run) -> None:
        words = Words(run.job.language)
        await run.front.say("settings", settings_view(await chats.get(run.job.chat), cards, words))

    return step


def settings_view(chat: Chat, cards: Cards, words: Words) -> Report:
    """What holds in a chat, with a button to change each.

    Args:
        chat: As it is now.
        cards: The skill cards.
        words: Of the language in which this is told.
    """
    card = cards.active(chat.skill, words.language)
    if chat.language is None and not chat.key.is_private:
        language = Notice("settings.language_each")
    else:
        language = Notice("settings.language", {"name": words.plain("language.name")})
    lines = (
        Notice(f"settings.auto_export_{_on(chat.auto_export)}"),
        Notice(f"settings.send_as_file_{_on(chat.send_as_file)}"),
        Notice(f"settings.replace_{_on(chat.replace_results)}"),
        language,
        Notice("settings.skill", {"emoji": card.emoji, "name": card.display_name}),
    )
    buttons = (
        _switch(Action.AUTO_EXPORT, "auto", on=chat.auto_export),
        _switch(Action.SEND_AS_FILE, "file", on=chat.send_as_file),
        _switch(Action.REPLACE_RESULTS, "replace", on=chat.replace_results),
        Button("button.language", Action.LANGUAGE),
        Button("button.skill", Action.SKILL),
    )
    return Report(Notice("settings.heading"), lines, buttons)


def _switch(action: Action, name: str, *, on: bool) -> Button:
    # The wanted value: pressing twice is pressing once.
    return Button(f"button.settings_{name}_{_on(on)}", action, "0" if on else "1")


def _on(value: bool) -> str:
    return "on" if value else "off"
