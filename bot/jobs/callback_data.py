"""Packs what a button does into Telegram's 64 bytes of callback data."""

from dataclasses import fields
from typing import get_type_hints

from bot.jobs.buttons import ButtonAction

VERSION = "1"
"""The first field of all callback data, so that a later release recognizes the buttons of an older one."""

MAX_PACKED_BYTES = 64  # the Bot API's limit for callback data

ACTIONS: dict[str, type[ButtonAction]] = {action.name: action for action in ButtonAction.__subclasses__()}


def pack(action: ButtonAction) -> str:
    """Return the callback data of a button.

    Raises:
        ValueError: The data would be longer than Telegram allows.
    """
    values = (getattr(action, field.name) for field in fields(action))
    parts = [str(int(value)) if isinstance(value, bool) else value for value in values]
    data = ":".join((VERSION, action.name, *parts))
    if len(data.encode()) > MAX_PACKED_BYTES:
        raise ValueError("too long for callback data")
    return data


def unpack(data: str | None) -> ButtonAction | None:
    """Parse callback data; return ``None`` for data that no release has written."""
    version, _, rest = (data or "").partition(":")
    name, _, packed = rest.partition(":")
    action = ACTIONS.get(name)
    if version != VERSION or action is None or not _may_be_sent(rest):
        return None
    types = get_type_hints(action)
    names = [field.name for field in fields(action)]
    values = packed.split(":", len(names) - 1) if names and packed else []
    given = zip(names, values, strict=False)
    try:
        return action(*(value == "1" if types[name] is bool else value for name, value in given))
    except TypeError:
        return None  # A field is missing.


def _may_be_sent(data: str) -> bool:
    """Return whether a button can have this data; a forged press may bring any."""
    try:
        return len(data.encode()) <= MAX_PACKED_BYTES
    except UnicodeEncodeError:  # Half of a surrogate pair.
        return False
