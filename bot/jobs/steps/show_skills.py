"""Show the skill cards, or the active one with its examples as buttons."""

import re
from typing import Final

from bot.chats.chats import Chats
from bot.jobs.buttons import ChooseSkill, RunExample
from bot.jobs.messages import AgentMessage, Button, ListMessage, LocalizedMessage
from bot.jobs.payloads import SkillPayload
from bot.jobs.worker.attempt import Attempt
from bot.skills import SkillCard, SkillCards, card_mark, example_mark
from bot.words import Words, bounded

LIST: Final = "list"
CARD: Final = "card"
START: Final = "start"
"""What a job of this kind shows: every card, the active one, or the active one with how to begin."""

MOST_CARDS: Final = 20  # cards listed in one message; the others are reached by their name
_LINE_CHARS: Final = 120
_LABEL_CHARS: Final = 60
_MESSAGE_CHARS: Final = 4096

# Characters with a meaning in Markdown; the converter escapes "<" itself.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|>~])")


class ShowSkills:
    """Answer ``/skill`` and ``/start``."""

    name = "show_skills"

    def __init__(self, cards: SkillCards, chats: Chats) -> None:
        self._cards = cards
        self._chats = chats

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        chosen = (await self._chats.get(attempt.job.chat)).skill
        words = Words(attempt.job.language)
        shown = attempt.job.payload_as(SkillPayload).view
        if shown == LIST:
            return await attempt.responder.send("skill", list_view(self._cards, chosen, words))
        start = ""
        if shown == START:
            start = "skill.start" if attempt.job.chat.is_private else "skill.start_in_group"
        view = card_view(self._cards.active(chosen, words.language), words, start=start)
        return await attempt.responder.send("skill", view)


def list_view(cards: SkillCards, chosen: str | None, words: Words) -> ListMessage:
    """List every card in a line, with a button to choose it."""
    active = cards.active(chosen).name
    every = cards.in_language(words.language)
    shown = every[:MOST_CARDS]
    lines = [
        LocalizedMessage(
            "skill.line_active" if card.name == active else "skill.line",
            {"emoji": card.emoji, "name": card.display_name, "about": _one_line(card.description)},
        )
        for card in shown
    ]
    if len(every) > len(shown):
        lines.append(LocalizedMessage("skill.more", {"n": len(every) - len(shown)}))
    buttons = [
        Button(
            text=bounded(f"{card.emoji} {card.display_name}", _LABEL_CHARS),
            action=ChooseSkill(card_mark(card.name)),
        )
        for card in shown
    ]
    return ListMessage(LocalizedMessage("skill.choose"), tuple(lines), tuple(buttons))


def card_view(card: SkillCard, words: Words, *, start: str = "") -> AgentMessage:
    """Show a card's greeting, with a button for each example that sends it.

    Args:
        card: The card in the reader's language.
        words: The words of that language.
        start: Key of the text about how to begin, which follows the greeting; empty for none.
    """
    # A greeting is bounded, so this fits into one message with room to spare.
    paragraphs = [f"**{_escaped(f'{card.emoji} {card.display_name}')}**", card.greeting]
    if start:
        paragraphs.append(words.plain(start))
    if card.examples:
        paragraphs.append(words.plain("skill.try"))
    buttons = tuple(
        Button(text=bounded(example, _LABEL_CHARS), action=RunExample(example_mark(card.name, example)))
        for example in card.examples
    )
    return AgentMessage("\n\n".join(paragraphs)[:_MESSAGE_CHARS], buttons)


def _one_line(description: str) -> str:
    return bounded(" ".join(description.split()), _LINE_CHARS)


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
