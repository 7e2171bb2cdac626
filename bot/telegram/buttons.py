"""Inline buttons: what they carry, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import InlineKeyboardButtonLimit

from bot.jobs.ports import Button
from bot.words import Words

VERSION = "1"
"""First field of all callback data, so that a later release knows the buttons of an older one."""

PER_ROW = 2


class Action(StrEnum):
    """What pressing a button does; the value stands in its callback data."""

    CANCEL = "cancel"  # argument: job id
    RETRY = "retry"  # argument: job id
    EXPORT = "export"
    CREDITS = "credits"
    STATUS = "status"
    NEW = "new"
    AUTO_EXPORT = "auto"  # argument: 1 or 0, the wanted value: pressing twice is pressing once


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed button, read back."""

    action: Action
    argument: str


def pack(action: str, argument: str = "") -> str:
    """Callback data of a button, within Telegram's 64 bytes.

    Raises:
        ValueError: It would be longer.
    """
    data = f"{VERSION}:{action}:{argument}"
    if len(data.encode()) > InlineKeyboardButtonLimit.MAX_CALLBACK_DATA:
        raise ValueError("too long for callback data")
    return data


def unpack(data: str | None) -> Press | None:
    """Read callback data; ``None`` for what no release of ours has written."""
    version, _, rest = (data or "").partition(":")
    action, _, argument = rest.partition(":")
    try:
        return Press(Action(action), argument) if version == VERSION else None
    except ValueError:
        return None


def keyboard(buttons: Sequence[Button], words: Words) -> InlineKeyboardMarkup | None:
    """Draw buttons, two in a row."""
    drawn = [
        InlineKeyboardButton(words.plain(button.label), url=button.url)
        if button.url
        else InlineKeyboardButton(
            words.plain(button.label), callback_data=pack(button.action, button.argument)
        )
        for button in buttons
    ]
    rows = [drawn[start : start + PER_ROW] for start in range(0, len(drawn), PER_ROW)]
    return InlineKeyboardMarkup(rows) if rows else None
