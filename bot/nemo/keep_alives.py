"""Signs of life in the agent's stream that say nothing else."""

import re
from collections.abc import Mapping
from typing import Any

_NAMES = r"heart[-_ ]?beat|keep[-_ ]?alive|ping|pong|warming_up"
_WORD = re.compile(rf"\W*(?:{_NAMES})[\W_\d]*|\d{{9,}}(?:\.\d+)?", re.IGNORECASE)
"""A name, with a number behind it; or a time alone."""
_BESIDE = re.compile(r"type|event|kind|id|ts|time|timestamp|seq|sequence|count|status", re.IGNORECASE)


def is_keep_alive(word: str) -> bool:
    """Return whether a word, such as an event's type or all of its data, is a keep-alive; a number may follow."""
    return len(word) <= 60 and _WORD.fullmatch(word) is not None


def is_keep_alive_object(source: Mapping[str, Any]) -> bool:
    """Return whether an object says by one of its own keys that it is a keep-alive."""
    others = [key for key in source if not is_keep_alive(key)]
    return len(others) < len(source) and all(map(_BESIDE.fullmatch, others))
