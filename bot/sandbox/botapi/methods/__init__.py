"""The methods of the Bot API. Importing this package registers them all."""

from bot.sandbox.botapi.context import METHODS
from bot.sandbox.botapi.methods import (
    administration,
    chats,
    editing,
    forwarding,
    inline,
    others,
    profile,
    receiving,
    refused,
    sending,
    topics,
)

__all__ = [
    "METHODS",
    "administration",
    "chats",
    "editing",
    "forwarding",
    "inline",
    "others",
    "profile",
    "receiving",
    "refused",
    "sending",
    "topics",
]
