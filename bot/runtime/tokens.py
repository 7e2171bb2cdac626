"""API tokens in what people write."""

import re
from typing import Final

# Also right behind a command, where the space was forgotten.
_NEMO_TOKEN: Final = re.compile(r"nmv_[\w-]{8,}")

# As @BotFather writes them: the bot's ID and 35 characters.
_BOT_TOKEN: Final = re.compile(r"(?<!\d)\d{6,12}:[\w-]{35}(?![\w-])", re.ASCII)


def token_in(text: str) -> str | None:
    """Return NemoVideo's API token that stands in a text, with or without a command."""
    found = _NEMO_TOKEN.search(text)
    return found[0] if found else None


def has_bot_token(text: str) -> bool:
    """Return whether the token of a Telegram bot stands in a text."""
    return _BOT_TOKEN.search(text) is not None


def has_token(text: str) -> bool:
    """Return whether either token stands in a text."""
    return token_in(text) is not None or has_bot_token(text)
