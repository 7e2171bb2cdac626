"""Reading JSON that nobody promised anything about: each function takes any value and never raises."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

MAX_TEXT_CHARS = 100_000


def parse(document: str | bytes) -> Any:
    """Parse a JSON document; ``None`` for what is none, or is nested too deep to read."""
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """Give an object as it is, one written as a string parsed, anything else as an empty one."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = parse(value)
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Give a list as it is, an object's values as a list, anything else as an empty one."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def first(source: Mapping[str, Any], keys: Iterable[str]) -> Any:
    """Give the first value that is there and is not null."""
    for key in keys:
        value = source.get(key)
        if value is not None:
            return value
    return None


def text(value: object) -> str | None:
    """Give a string, trimmed and fit for UTF-8, or ``None`` when there is none or it is blank.

    Numbers become their digits (ids come either way).
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if isinstance(value, int) and abs(value) >= 10**20:
        return None
    return whole(str(value)[:MAX_TEXT_CHARS]).strip() or None


def whole(value: str) -> str:
    """Join halves of surrogate pairs, which JSON can hold and UTF-8 can't; replace those that stand alone."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def number(value: object) -> float | None:
    """Give a finite number, also one written as a string (``"35"``, ``"35%"``)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip().removesuffix("%")[:40]
    elif not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def integer(value: object) -> int | None:
    """Give a whole number; ``None`` when it is absent or absurd."""
    found = number(value)
    return None if found is None or abs(found) > 2**53 else int(found)


def positive(value: object) -> int | None:
    """Give a whole number above zero."""
    found = integer(value)
    return found if found is not None and found > 0 else None


def text_at(source: Mapping[str, Any], *keys: str) -> str | None:
    """Give the first text under one of the keys."""
    return next((found for key in keys if (found := text(source.get(key)))), None)


def number_at(source: Mapping[str, Any], *keys: str) -> float | None:
    """Give the first number under one of the keys."""
    return next((found for key in keys if (found := number(source.get(key))) is not None), None)
