"""Show the skill cards, or the active one with its examples as buttons."""

import re
from typing import Final

import structlog

from bot.chats.chats import Chats
from bot.jobs.buttons import ChooseSkill, RunExample
from bot.jobs.messages import AgentMessage, Button, ListMessage, LocalizedMessage
from bot.jobs.payloads import SkillPayload
from bot.jobs.worker.attempt import Attempt
from bot.nemo.errors import NemoError
from bot.projects.projects import Project, Projects
from bot.skills import SkillCard, SkillCards, card_mark, example_mark
from bot.words import Words, bounded

LIST: Final = "list"
CARD: Final = "card"
START: Final = "start"
"""What a job of this kind shows: every card, the active one, or the active one with how to begin."""

log = structlog.get_logger(__name__)

MOST_CARDS: Final = 20  # cards listed in one message; the others are reached by their name
_LINE_CHARS: Final = 120
_LABEL_CHARS: Final = 60
_MESSAGE_CHARS: Final = 4096

# Characters with a meaning in Markdown; the converter escapes "<" itself.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|>~])")


class ShowSkills:
    """Answer ``/skill`` and ``/start``."""

    name = "show_skills"

    def __init__(self, cards: SkillCards, chats: Chats, projects: Projects) -> None:
        self._cards = cards
        self._chats = chats
        self._projects = projects

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
        await attempt.responder.send("skill", view)
        if shown == START and await self._projects.operator_token.usable() is not None:
            await self._connect(attempt)

    async def _connect(self, attempt: Attempt) -> None:
        """Open the project ahead: on the operator's account that takes nothing that is scarce."""
        try:
            await self._projects.call(attempt.job, _opened)
        except NemoError as error:
            # The first request tells, and tries again.
            log.warning("start.not_connected", error=type(error).__name__)


async def _opened(project: Project) -> None:
    """Do nothing more with an open project."""


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
