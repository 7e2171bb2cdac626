"""Show the skill cards, or the active one with its examples as buttons."""

import re
from collections.abc import Iterator
from typing import Final

from bot.chats.chats import Chats
from bot.jobs.buttons import ChooseSkill, ListSkills, RunExample, ShowSkill, TrySample
from bot.jobs.messages import AgentMessage, Button, ListMessage, LocalizedMessage
from bot.jobs.payloads import SkillPayload, SkillView
from bot.jobs.worker.attempt import Attempt
from bot.skills.cards import SkillCard, SkillCards, card_mark, example_mark
from bot.words import Words, bounded

"""What a job of this kind shows: every card, the active one, or how to begin with its examples."""

CARDS_PER_PAGE: Final = 10
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
        chosen = (await self._chats.get(attempt.job.chat)).skill
        words = Words(attempt.job.language)
        shown = attempt.job.payload_as(SkillPayload).view
        if shown is SkillView.LIST:
            return await attempt.responder.send("skill", list_view(self._cards, chosen, words))
        card = self._cards.active(chosen, words.language)
        view = card_view(card, words)
        if shown is SkillView.START:
            view = start_view(card, words, is_private=attempt.job.chat.is_private)
        return await attempt.responder.send("skill", view)


def list_view(cards: SkillCards, chosen: str | None, words: Words, page: int = 1) -> ListMessage:
    """List a page of the cards, each in a line, with a button to choose it.

    Args:
        cards: All cards.
        chosen: The name of the card that the chat chose.
        words: The words of the reader's language.
        page: The page, from 1; the last one if there are fewer by now.
    """
    active = cards.active(chosen).name
    every = cards.in_language(words.language)
    pages = -(-len(every) // CARDS_PER_PAGE)
    page = min(max(page, 1), pages)
    shown = every[(page - 1) * CARDS_PER_PAGE : page * CARDS_PER_PAGE]
    lines = [
        LocalizedMessage(
            "skill.line_active" if card.name == active else "skill.line",
            {
                "emoji": card.emoji,
                "name": card.display_name,
                "about": bounded(" ".join(card.description.split()), _LINE_CHARS),
            },
        )
        for card in shown
    ]
    if pages > 1:
        lines.append(LocalizedMessage("skill.page", {"page": page, "pages": pages}))
    buttons = [
        Button(
            text=bounded(f"{card.emoji} {card.display_name}", _LABEL_CHARS),
            action=ChooseSkill(card_mark(card.name)),
        )
        for card in shown
    ]
    if page > 1:
        buttons.append(Button("button.previous_page", ListSkills(str(page - 1))))
    if page < pages:
        buttons.append(Button("button.next_page", ListSkills(str(page + 1))))
    return ListMessage(LocalizedMessage("skill.choose"), tuple(lines), tuple(buttons))


def start_view(card: SkillCard, words: Words, *, is_private: bool) -> AgentMessage:
    """Say how to begin, with a button for each example of the active card and one that tries the sample clip.

    Args:
        card: The card in the reader's language.
        words: The words of that language.
        is_private: Whether it is for a private chat; in groups bots see little but commands.
    """
    greeting = _greeting(card, words) if is_private else words.plain("skill.start_in_group")
    buttons = (*_examples(card), Button("button.try_sample", TrySample()))
    return AgentMessage(f"{greeting}\n\n{words.plain('skill.try')}", buttons)


def card_view(card: SkillCard, words: Words) -> AgentMessage:
    """Show a card's greeting, and what is usual with it, with a button for each example that sends it.

    Args:
        card: The card in the reader's language.
        words: The words of that language.
    """
    # A greeting and tips are bounded, so this fits into one message.
    paragraphs = [_heading(card), _greeting(card, words), "\n".join(_usual(card, words))]
    if card.tips:
        tips = (f"- {tip}" for tip in card.tips)
        paragraphs.append("\n".join((f"**{words.plain('skill.tips')}**", *tips)))
    if card.examples:
        paragraphs.append(words.plain("skill.try"))
    buttons = _examples(card)
    if card.details:
        buttons += (Button("button.skill_details", ShowSkill(with_details=True, mark=card_mark(card.name))),)
    return AgentMessage("\n\n".join(paragraphs)[:_MESSAGE_CHARS], buttons)


def details_view(card: SkillCard) -> AgentMessage:
    """Show what else there is to know about a card, with a button that leads back to it."""
    back = Button("button.back", ShowSkill(with_details=False, mark=card_mark(card.name)))
    return AgentMessage(f"{_heading(card)}\n\n{card.details}", (back,))


def _greeting(card: SkillCard, words: Words) -> str:
    return card.greeting or words.plain("skill.greeting", name=card.display_name)


def _examples(card: SkillCard) -> tuple[Button, ...]:
    return tuple(
        Button(text=bounded(example, _LABEL_CHARS), action=RunExample(example_mark(card.name, example)))
        for example in card.examples
    )


def _usual(card: SkillCard, words: Words) -> Iterator[str]:
    """Yield lines with usual times, the size limit and the best formats."""
    if card.usual_times_s is not None:
        shortest, longest = map(words.duration, card.usual_times_s)
        yield words.plain("skill.usual_times", shortest=shortest, longest=longest)
    limit = words.size(card.size_limit_bytes)
    if card.best_kinds:
        yield words.plain("skill.files_best", limit=limit, kinds=card.best_formats)
    else:
        yield words.plain("skill.files", limit=limit)


def _heading(card: SkillCard) -> str:
    escaped = _MARKDOWN.sub(r"\\\1", f"{card.emoji} {card.display_name}")
    return f"**{escaped}**"
