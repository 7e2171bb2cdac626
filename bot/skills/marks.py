"""Short names of cards and examples, for links and for buttons.

A button's data has 64 bytes, and a card's name alone may have as many characters. So buttons carry digests: of
the name, and of an example's very words, by which an example that has changed since is told from another one.
"""

import hashlib
import re
from typing import Final

LINK_PREFIX: Final = "skill_"
"""What ``t.me/<bot>?start=…`` begins with when it leads to a card."""

# https://core.telegram.org/bots/features#deep-linking: 64 characters at most, of these.
_LINK_CHARS = 64 - len(LINK_PREFIX)
_NOT_IN_LINKS = re.compile(r"[^A-Za-z0-9_-]")

_MARK_CHARS = 12


def link_name(name: str) -> str:
    """A card's name as it stands in a link."""
    return _NOT_IN_LINKS.sub("_", name)[:_LINK_CHARS]


def card_mark(name: str) -> str:
    """What a button carries for a card."""
    return _digest(name)


def example_mark(name: str, example: str) -> str:
    """What a button carries for one of a card's examples."""
    return f"{_digest(name)}.{_digest(example)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK_CHARS]
