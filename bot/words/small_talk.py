"""Small talk: greetings, thanks and emoji that are a whole message and ask for nothing.

The words are in each language's ``actions.toml``, as patterns like those of actions.
"""

import unicodedata
from enum import StrEnum

from bot.words.phrases import small_talk_in


class SmallTalk(StrEnum):
    """Kinds of small talk."""

    HELLO = "hello"
    THANKS = "thanks"
    EMOJI = "emoji"


_EMOJI = ("So", "Sk", "Cf", "Mn", "Me", "Zs")
"""Unicode categories of emoji and of what joins, colours and separates them."""


def small_talk(text: str) -> SmallTalk | None:
    """Return the kind of small talk that a whole message is; ``None`` if it may ask for something."""
    is_emoji = any(unicodedata.category(c) == "So" for c in text)
    if is_emoji and all(unicodedata.category(c) in _EMOJI or c.isspace() for c in text):
        return SmallTalk.EMOJI
    kind = small_talk_in(text)
    return None if kind is None else SmallTalk(kind)
