"""Inline keyboards made of buttons; ``jobs/buttons.py`` packs their actions into Telegram's 64 bytes."""

import unicodedata
from collections.abc import Callable, Sequence

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, SwitchInlineQueryChosenChat

from bot.jobs.buttons import pack
from bot.jobs.messages import Button
from bot.runtime.hosts import may_be_linked
from bot.words import Words

PER_ROW = 2

SHORT_PER_ROW, SHORT_COLUMNS = 3, 8
"""Three buttons stand in a row if none is wider than this."""

HALF_ROW_COLUMNS = 20
"""How much of a button can be read on a phone if another stands beside it, in widths of a Latin letter."""


def keyboard(
    buttons: Sequence[Button], words: Words, may_link: Callable[[str], bool] = may_be_linked
) -> InlineKeyboardMarkup | None:
    """Return an inline keyboard: rows of three short buttons, of two that can be read on a phone, or of one.

    Args:
        buttons: What is on it.
        words: The texts in the chat's language.
        may_link: Tells which addresses may stand behind a button; others are left out.
    """
    rows = in_rows([inline_button(one, words) for one in buttons if not one.url or may_link(one.url)])
    return InlineKeyboardMarkup(rows) if rows else None


def inline_button(button: Button, words: Words) -> InlineKeyboardButton:
    """Return a button as Telegram wants it."""
    return InlineKeyboardButton(
        _label(button, words),
        url=button.url or None,
        callback_data=pack(button.action) if button.action is not None else None,
        switch_inline_query_chosen_chat=_any_chat(button.share) if button.share else None,
        style=button.style or None,
    )


def in_rows(inline_buttons: Sequence[InlineKeyboardButton]) -> list[list[InlineKeyboardButton]]:
    """Return buttons in rows of three short ones, of two that can be read on a phone, or of one."""
    rows: list[list[InlineKeyboardButton]] = []
    for button in inline_buttons:
        row = (*rows[-1], button) if rows else ()
        most = SHORT_PER_ROW if all(_columns(one) <= SHORT_COLUMNS for one in row) else PER_ROW
        fits = bool(rows) and len(row) <= most and all(_columns(one) <= HALF_ROW_COLUMNS for one in row)
        if fits:
            rows[-1].append(button)
        else:
            rows.append([button])
    return rows


def _any_chat(query: str) -> SwitchInlineQueryChosenChat:
    return SwitchInlineQueryChosenChat(
        query, allow_user_chats=True, allow_bot_chats=False, allow_group_chats=True, allow_channel_chats=True
    )


def _columns(button: InlineKeyboardButton) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in button.text)


def _label(button: Button, words: Words) -> str:
    label = button.text or words.plain(button.label, **button.params)
    return f"✅ {label}" if button.is_chosen else label
