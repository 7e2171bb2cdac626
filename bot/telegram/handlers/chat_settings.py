"""The settings of a chat, all in one message; each is changed where it stands."""

from __future__ import annotations

from bot.chats.chats import Chat, Chats
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
from bot.words import Words

BACK = Button("button.settings", ShowSettings())
"""Leads from a list back to the settings that it took the place of."""


def show_settings(chats: Chats, cards: Cards) -> Step:
    """The step that answers ``/settings``."""

    async def step(attempt: Attempt) -> None:
        words = Words(attempt.job.language)
        await attempt.responder.send(
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
    # The wanted value: pressing twice is pressing once.
    return Button(f"button.settings_{name}_{_on(on)}", action(not on))


def _on(value: bool) -> str:
    return "on" if value else "off"
