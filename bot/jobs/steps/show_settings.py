"""Show the settings of a chat, all in one message; each is changed by its button."""

from bot.chats.chats import Chat, Chats
from bot.jobs.buttons import (
    ChooseLanguage,
    ListSkills,
    SetAutoExport,
    SetMembersMayChange,
    SetReplaceResults,
    SetSendAsFile,
    SetShrinkResults,
)
from bot.jobs.buttons import ShowSettings as ShowSettingsButton
from bot.jobs.messages import Button, ListMessage, LocalizedMessage
from bot.jobs.worker.attempt import Attempt
from bot.skills import SkillCards
from bot.words import Words

BACK = Button("button.settings", ShowSettingsButton())  # leads from a list back to the settings


class ShowSettings:
    """Answer ``/settings``."""

    name = "show_settings"

    def __init__(self, chats: Chats, cards: SkillCards) -> None:
        self._chats = chats
        self._cards = cards

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        chat, words = await self._chats.get(attempt.job.chat), Words(attempt.job.language)
        await attempt.responder.send("settings", settings_view(chat, self._cards, words))


def settings_view(chat: Chat, cards: SkillCards, words: Words) -> ListMessage:
    """List a chat's settings, with a button to change each."""
    card = cards.active(chat.skill, words.language)
    if chat.language is None and not chat.key.is_private:
        language = LocalizedMessage("settings.language_each")
    else:
        language = LocalizedMessage("settings.language", {"name": words.plain("language.name")})
    lines = [
        LocalizedMessage(f"settings.auto_export_{_on(chat.auto_export)}"),
        LocalizedMessage(f"settings.send_as_file_{_on(chat.send_as_file)}"),
        LocalizedMessage(f"settings.shrink_{_on(chat.shrink_results)}"),
        LocalizedMessage(f"settings.replace_{_on(chat.replace_results)}"),
        language,
        LocalizedMessage("settings.skill", {"emoji": card.emoji, "name": card.display_name}),
    ]
    buttons = [
        _switch(SetAutoExport, "auto", on=chat.auto_export),
        _switch(SetSendAsFile, "file", on=chat.send_as_file),
        _switch(SetShrinkResults, "shrink", on=chat.shrink_results),
        _switch(SetReplaceResults, "replace", on=chat.replace_results),
        Button("button.language", ChooseLanguage()),
        Button("button.skill", ListSkills()),
    ]
    if not chat.key.is_private:
        lines.append(LocalizedMessage(f"settings.members_{_on(chat.members_may_change)}"))
        buttons.append(_switch(SetMembersMayChange, "members", on=chat.members_may_change))
    return ListMessage(LocalizedMessage("settings.heading"), tuple(lines), tuple(buttons))


def _switch(
    action: type[SetAutoExport | SetSendAsFile | SetShrinkResults | SetReplaceResults | SetMembersMayChange],
    name: str,
    *,
    on: bool,
) -> Button:
    # The button holds the wanted value, so that pressing it twice is pressing it once.
    return Button(f"button.settings_{name}_{_on(on)}", action(not on))


def _on(value: bool) -> str:
    return "on" if value else "off"
