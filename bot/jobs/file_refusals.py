"""What is too much, or of a wrong kind, for the active card or for Telegram: in words for the chat."""

from __future__ import annotations

from bot.jobs.buttons import ShowLink
from bot.jobs.messages import Button, Bytes, LocalizedMessage
from bot.skills import Card


def kind_refused(name: str, card: Card) -> LocalizedMessage:
    """A file of a kind that NemoVideo takes and this card does not."""
    return LocalizedMessage(
        "error.file_type_card",
        {"name": name, "skill": card.display_name, "kinds": " ".join(card.file_kinds)},
    )


def size_limit(most: int, card: Card) -> int:
    """Bytes of the largest file that is taken: the smaller of the setting's and the card's."""
    return min(most, card.size_limit_bytes)


def size_refused(most: int, card: Card) -> LocalizedMessage:
    """A file over that limit."""
    limit = Bytes(size_limit(most, card))
    if card.size_limit_bytes < most:
        return LocalizedMessage("error.file_too_large_card", {"skill": card.display_name, "limit": limit})
    return LocalizedMessage("error.file_too_large", {"limit": limit})


def telegram_refused(size: int | None, limit: int) -> LocalizedMessage:
    """A file over what Telegram's cloud gives out to bots, with the ways around it.

    Args:
        size: Bytes, where Telegram tells.
        limit: Bytes.
    """
    browser = Button("button.upload_in_browser", ShowLink())
    told = Bytes(size) if size else LocalizedMessage("size.more_than", {"size": Bytes(limit)})
    return LocalizedMessage(
        "error.file_too_large_telegram", {"size": told, "limit": Bytes(limit)}, (browser,)
    )
