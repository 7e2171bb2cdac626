"""Show the settings of a chat, all in one message; each is changed by its button."""

from bot.chats.chats import Chat, Chats
from bot.jobs.buttons import ChooseLanguage, ListSkills, Setting, ShowBrand, SwitchSetting
from bot.jobs.buttons import ShowSettings as ShowSettingsButton
from bot.jobs.messages import Button, ListMessage, LocalizedMessage
from bot.jobs.worker.attempt import Attempt
from bot.skills.cards import SkillCards
from bot.words import Words

BACK = Button("button.settings", ShowSettingsButton())  # leads from a list back to the settings


class ShowSettings:
    """Answer ``/settings``."""

    name = "show_settings"

    def __init__(self, chats: Chats, cards: SkillCards) -> None:
        self._chats = chats
        self._cards = cards

    async def __call__(self, attempt: Attempt) -> None:
        chat, words = await self._chats.get(attempt.job.chat), Words(attempt.job.language)
        await attempt.responder.send("settings", settings_view(chat, self._cards, words))


def settings_view(chat: Chat, cards: SkillCards, words: Words) -> ListMessage:
    """List a chat's settings, with a button to change each."""
    card = cards.active(chat.skill, words.language)
    if chat.language is None and not chat.key.is_private:
        language = LocalizedMessage("settings.language_each")
    else:
        language = LocalizedMessage("settings.language", {"name": words.plain("language.name")})
    switches = (
        Setting.AUTO_EXPORT,
        Setting.SEND_AS_FILE,
        Setting.SHRINK_RESULTS,
        Setting.REPLACE_RESULTS,
    )
    lines = [
        *(_line(one, chat) for one in switches),
        language,
        LocalizedMessage("settings.skill", {"emoji": card.emoji, "name": card.display_name}),
    ]
    buttons = [
        *(_switch(one, chat) for one in switches),
        Button("button.language", ChooseLanguage()),
        Button("button.skill", ListSkills()),
        Button("button.brand", ShowBrand()),
    ]
    if not chat.key.is_private:
        lines.append(_line(Setting.MEMBERS_MAY_CHANGE, chat))
        buttons.append(_switch(Setting.MEMBERS_MAY_CHANGE, chat))
    return ListMessage(LocalizedMessage("settings.heading"), tuple(lines), tuple(buttons))


def _line(setting: Setting, chat: Chat) -> LocalizedMessage:
    return LocalizedMessage(f"settings.{setting}_{'on' if getattr(chat, setting) else 'off'}")


def _switch(setting: Setting, chat: Chat) -> Button:
    is_on = bool(getattr(chat, setting))
    # The button holds the wanted value, so that pressing it twice is pressing it once.
    return Button(f"button.settings_{setting}_{'on' if is_on else 'off'}", SwitchSetting(not is_on, setting))
