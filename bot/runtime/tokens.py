"""API tokens in what people write."""

import re
import unicodedata
from typing import Final

# Also right behind a command, where the space was forgotten.
_NEMO_TOKEN: Final = re.compile(r"nmv_[\w-]{8,}")

# As @BotFather writes them: the bot's ID and 35 characters.
_BOT_TOKEN: Final = re.compile(r"(?<!\d)\d{6,12}:[\w-]{35}(?![\w-])", re.ASCII)

# Not seen between the characters of a token, which messengers and web pages put there to break long words.
_INVISIBLE: Final = ("Cf", "Mn", "Me")
_FILLERS: Final = "\u115f\u1160"


def token_in(text: str) -> str | None:
    """Return NemoVideo's API token that stands in a text, with or without a command."""
    found = _NEMO_TOKEN.search(_visible(text))
    return found[0] if found else None


def has_bot_token(text: str) -> bool:
    """Return whether the token of a Telegram bot stands in a text."""
    return _BOT_TOKEN.search(_visible(text)) is not None


def has_token(text: str) -> bool:
    """Return whether either token stands in a text."""
    return token_in(text) is not None or has_bot_token(text)


def _visible(text: str) -> str:
    """Return a text as it is read: without what is not seen, and in the plain forms of wide or styled characters."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text)
    return "".join(c for c in plain if c not in _FILLERS and unicodedata.category(c) not in _INVISIBLE)
