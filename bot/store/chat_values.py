"""Values in a chat's hash in Redis. There may be a million chats, so what can be is packed. Lifetimes: ``keys.py``."""

import base64
import re
from datetime import datetime
from typing import Any
from uuid import UUID

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PACKED_UUID = re.compile(r"~[A-Za-z0-9_-]{22}")


def to_stored(value: Any) -> str:
    """Return a field's value as it is stored: times in seconds, flags as digits, UUIDs packed."""
    match value:
        case bool():
            return str(int(value))
        case datetime():
            return str(int(value.timestamp()))
    text = str(value)
    if _UUID.fullmatch(text):
        return "~" + base64.urlsafe_b64encode(UUID(text).bytes).decode().rstrip("=")
    return "~" + text if text.startswith("~") else text


def from_stored(stored: str) -> str:
    """Return a stored value with its UUID whole; the rest is for the model to read."""
    if _PACKED_UUID.fullmatch(stored):
        return str(UUID(bytes=base64.urlsafe_b64decode(f"{stored[1:]}==")))
    return stored.removeprefix("~")
