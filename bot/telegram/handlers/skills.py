"""Skill cards in a chat: redrawing a message with the chosen card, and the prompts behind buttons."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import Bot, InlineKeyboardMarkup

from bot.jobs.buttons import RunExample, RunSuggestion
from bot.jobs.next_steps import next_step
from bot.jobs.steps.show_skills import card_view
from bot.skills import LINK_PREFIX, Cards
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.markdown import to_pieces
from bot.words import Words


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
    )


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
