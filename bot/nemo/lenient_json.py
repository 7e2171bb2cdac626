"""Lenient reading of JSON values: every function takes any value and never raises."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

MAX_TEXT_CHARS = 100_000
MAX_NUMBER = 2**53  # no amount or time is larger, and what counts with them takes no more

_FENCE = re.compile(r"^```\w*\s")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def parse(document: str | bytes) -> Any:
    """Parse a JSON document; return ``None`` if it is invalid or nested too deep."""
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return None


def parse_several(document: str) -> list[Any]:
    """Parse JSON documents that follow one another; return none of them if one is invalid."""
    found: list[Any] = []
    at, decoder = 0, json.JSONDecoder()
    try:
        while at < len(document):
            value, end = decoder.raw_decode(document, at)
            found.append(value)
            while document[end : end + 1].isspace():
                end += 1
            at = end
    except (ValueError, RecursionError):
        return []
    return found


def data_in(words: str) -> dict[str, Any] | list[Any] | None:
    """Return the object or list that a text is, also one in a code block; ``None`` for a text with words of its own."""
    document = _FENCE.sub("", words.strip().removesuffix("```")).strip()
    is_whole = (document[:1], document[-1:]) in (("{", "}"), ("[", "]"))
    value = parse(document) if is_whole else None
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return value
    return value if isinstance(value, dict) and value else None


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object, also one given as a JSON string; an empty one for anything else."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = parse(value)
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a list, or an object's values; an empty list for anything else."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def first_of(source: Mapping[str, Any], keys: Iterable[str]) -> Any:
    """Return the first value under one of the keys that is not null."""
    for key in keys:
        value = source.get(key)
        if value is not None:
            return value
    return None


def in_snake_case(name: str) -> str:
    """Return a name as ADK writes it, also one in camel case or with hyphens."""
    return _CAMEL.sub("_", name).lower().replace("-", "_")


def _lowered(key: str) -> str:
    return key.lower() if key.isupper() else key[:1].lower() + key[1:]


def with_lower_keys(value: Any, depth: int = 10) -> Any:
    """Return a value with keys as ADK writes them, where a server writes them with a capital."""
    if isinstance(value, dict) and depth:
        return {_lowered(key): with_lower_keys(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list) and depth:
        return [with_lower_keys(item, depth - 1) for item in value]
    return value


def snake_keys(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object with its own keys in snake case; of two that become one, the one written so."""
    return {**{in_snake_case(key): value for key, value in source.items()}, **source}


def text(value: object) -> str | None:
    """Return a string, trimmed and fit for UTF-8; ``None`` for a blank one and for anything else.

    Whole numbers become strings: ids come either way.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if isinstance(value, int) and abs(value) >= 10**20:
        return None
    return join_surrogates(str(value)[:MAX_TEXT_CHARS]).strip() or None


def join_surrogates(value: str) -> str:
    """Join surrogate pairs, which JSON can hold and UTF-8 can't, and replace single surrogates."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def number(value: object) -> float | None:
    """Return a number of up to 2**53 either way, also one given as a string (``"35"``, ``"35%"``)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip().removesuffix("%")[:40]
    elif not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if abs(result) <= MAX_NUMBER else None


def integer(value: object) -> int | None:
    """Return a whole number."""
    result = number(value)
    return None if result is None else int(result)


def positive(value: object) -> int | None:
    """Return a whole number above zero."""
    result = integer(value)
    return result if result is not None and result > 0 else None


def text_at(source: Mapping[str, Any], *keys: str) -> str | None:
    """Return the first text under one of the keys."""
    return next((value for key in keys if (value := text(source.get(key)))), None)


def number_at(source: Mapping[str, Any], *keys: str) -> float | None:
    """Return the first number under one of the keys."""
    return next((value for key in keys if (value := number(source.get(key))) is not None), None)
