"""Skill cards in a chat: the list, a card's greeting with its examples as buttons, and what a card refuses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from telegram import Bot, InlineKeyboardMarkup
from telegram.constants import MessageLimit

from bot.chats.chats import Chats
from bot.jobs.buttons import ChooseSkill, RunExample, RunSuggestion
from bot.jobs.messages import AgentMessage, Button, ListMessage, LocalizedMessage
from bot.jobs.next_steps import next_step
from bot.jobs.payloads import SkillPayload
from bot.jobs.worker.runner import Attempt, Step
from bot.skills import LINK_PREFIX, Card, Cards, card_mark, example_mark
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.markdown import to_pieces
from bot.telegram.sending.rate_limiter import SendPriority
from bot.words import Words, bounded

LIST: Final = "list"
CARD: Final = "card"
START: Final = "start"
"""What a job of this kind shows: every card, the active one, or that with how everything begins."""

MOST_CARDS: Final = 20
"""Listed in one message; the others are reached by their name."""

_LINE_CHARS: Final = 120
_LABEL_CHARS: Final = 60

# What means something in Markdown; "<" is the converter's own business.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|>~])")


def show_skills(cards: Cards, chats: Chats) -> Step:
    """The step that answers ``/skill`` and ``/start``."""

    async def step(attempt: Attempt) -> None:
        chosen = (await chats.get(attempt.job.chat)).skill
        words = Words(attempt.job.language)
        match attempt.job.payload_as(SkillPayload).view:
            case "list":
                view: ListMessage | AgentMessage = list_view(cards, chosen, words)
            case shown:
                start = (
                    ("skill.start" if attempt.job.chat.is_private else "skill.start_in_group")
                    if shown == START
                    else ""
                )
                view = card_view(cards.active(chosen, words.language), words, start=start)
        await attempt.responder.send("skill", view)

    return step


async def draw_card(
    bot: Bot,
    telegram_calls: TelegramCalls,
    cards: Cards,
    words: Words,
    name: str,
    chat_id: int,
    message_id: int,
) -> None:
    """Let a message show the card that was chosen on it."""
    view = card_view(cards.active(name, words.language), words)
    piece = to_pieces(view.markdown)[0]
    await telegram_calls.call(
        chat_id,
        lambda chat: bot.edit_message_text(
            piece.text,
            chat_id=chat,
            message_id=message_id,
            entities=piece.entities,
            reply_markup=keyboard(view.buttons, words),
        ),
        repeatable=True,
        urgency=SendPriority.ANSWER,
    )


def list_view(cards: Cards, chosen: str | None, words: Words) -> ListMessage:
    """Every card in a line, with a button to choose it."""
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


def card_view(card: Card, words: Words, *, start: str = "") -> AgentMessage:
    """A card's greeting, with a button for each example that sends it.

    Args:
        card: In the chat's language.
        words: Of that language.
        start: The text that follows it, which tells how everything begins.
    """
    # A greeting is bounded, so this fits into one message with room to spare.
    paragraphs = [f"**{_escaped(f'{card.emoji} {card.display_name}')}**", card.greeting]
    if start:
        paragraphs.append(words.plain(start))
    if card.examples:
        paragraphs.append(words.plain("skill.try"))
    buttons = tuple(
        Button(
            text=bounded(example, _LABEL_CHARS),
            action=RunExample(example_mark(card.name, example)),
        )
        for example in card.examples
    )
    return AgentMessage("\n\n".join(paragraphs)[: MessageLimit.MAX_TEXT_LENGTH], buttons)


def card_of_start(arguments: Sequence[str] | None) -> str | None:
    """The card that a link ``t.me/<bot>?start=skill_<name>`` leads to, as the link has it."""
    if not arguments or not arguments[0].startswith(LINK_PREFIX):
        return None
    return arguments[0].removeprefix(LINK_PREFIX)


def prompt_behind(action: RunExample | RunSuggestion, cards: Cards, words: Words) -> str | None:
    """Return the words that a button sends; ``None`` when what it offered is no longer there."""
    if isinstance(action, RunExample):
        return cards.example(action.mark)
    suggestion = next_step(action.suggestion)
    return None if suggestion is None else words.plain(suggestion.prompt)


def without_button(markup: InlineKeyboardMarkup | None, data: str | None) -> InlineKeyboardMarkup:
    """A keyboard without one of its buttons."""
    rows = markup.inline_keyboard if markup is not None else ()
    kept = [[button for button in row if button.callback_data != data] for row in rows]
    return InlineKeyboardMarkup([row for row in kept if row])


def _one_line(description: str) -> str:
    return bounded(" ".join(description.split()), _LINE_CHARS)


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
