"""Inline buttons: what they carry, and how they are drawn."""

from __future__ import annotations

import unicodedata
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

HALF_ROW_COLUMNS = 20
"""What can be read of a button beside another one on a phone, in the widths of a Latin letter."""


class ButtonAction(StrEnum):
    """What pressing a button does; the value stands in its callback data."""

    CANCEL = "cancel"  # argument: job id
    RETRY = "retry"  # argument: job id
    STRIP = "strip"  # argument: kind of track and job id
    KEEP = "keep"  # argument: job id
    OFFER = "offer"  # argument: job id, whose answer offered an edit
    EDITED = "edited"  # argument: id of the job that offered an edited request as a new one
    EXPORT = "export"
    CREDITS = "credits"
    STATUS = "status"
    NEW = "new"
    LINK = "link"  # begins a project where there is none
    LANGUAGE = "language"  # argument: its catalogue; none shows them all
    SKILL = "skill"  # argument: mark of the card to choose; none shows them all
    EXAMPLE = "example"  # argument: mark of the example that is sent as a request
    NEXT = "next"  # argument: name of the next step that is sent as a request
    SETTINGS = "settings"
    FORGET = "forget"
    AUTO_EXPORT = "auto"  # argument, as of the next two: 1 or 0
    SEND_AS_FILE = "file"
    REPLACE_RESULTS = "replace"


@dataclass(frozen=True, slots=True)
class ButtonPress:
    """A pressed button, read back."""

    action: ButtonAction
    argument: str


def pack_button(action: str, argument: str = "") -> str:
    """Callback data of a button, within Telegram's 64 bytes.

    Raises:
        ValueError: It would be longer.
    """
    data = f"{VERSION}:{action}:{argument}"
    if len(data.encode()) > InlineKeyboardButtonLimit.MAX_CALLBACK_DATA:
        raise ValueError("too long for callback data")
    return data


def unpack_button(data: str | None) -> ButtonPress | None:
    """Read callback data; ``None`` for what no release of ours has written."""
    version, _, rest = (data or "").partition(":")
    action, _, argument = rest.partition(":")
    try:
        return ButtonPress(ButtonAction(action), argument) if version == VERSION else None
    except ValueError:
        return None


def keyboard(buttons: Sequence[Button], words: Words) -> InlineKeyboardMarkup | None:
    """Draw buttons, two in a row where both can be read on a phone."""
    drawn = [
        InlineKeyboardButton(_label(button, words), url=button.url)
        if button.url
        else InlineKeyboardButton(
            _label(button, words), callback_data=pack_button(button.action, button.argument)
        )
        for button in buttons
    ]
    rows: list[list[InlineKeyboardButton]] = []
    for button in drawn:
        fits = bool(rows) and len(rows[-1]) < PER_ROW and not any(map(_is_wide, (*rows[-1], button)))
        if fits:
            rows[-1].append(button)
        else:
            rows.append([button])
    return InlineKeyboardMarkup(rows) if rows else None


def _is_wide(button: InlineKeyboardButton) -> bool:
    columns = (2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in button.text)
    return sum(columns) > HALF_ROW_COLUMNS


def _label(button: Button, words: Words) -> str:
    return button.text or words.plain(button.label)
