"""Short names of cards and examples, for links and buttons.

A button's data has 64 bytes, and a card's name alone may have as many characters. So buttons carry digests of the name
and of an example's text; the button of an example that has changed since finds nothing.
"""

import hashlib
import re
from typing import Final

LINK_PREFIX: Final = "skill_"  # the prefix of a card's ``start`` parameter in ``t.me/<bot>?start=…``

# https://core.telegram.org/bots/features#deep-linking: at most 64 of these characters.
_LINK_CHARS = 64 - len(LINK_PREFIX)
_NOT_IN_LINKS = re.compile(r"[^A-Za-z0-9_-]")

_MARK_CHARS = 12


def link_name(name: str) -> str:
    """Return a card's name as used in links."""
    return _NOT_IN_LINKS.sub("_", name)[:_LINK_CHARS]


def card_mark(name: str) -> str:
    """Return the digest that identifies a card in a button."""
    return _digest(name)


def example_mark(name: str, example: str) -> str:
    """Return the digests that identify one of a card's examples in a button."""
    return f"{_digest(name)}.{_digest(example)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK_CHARS]
