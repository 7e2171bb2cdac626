"""Addresses that stand in a text's entities only: behind words, or written without a scheme."""

from collections.abc import Sequence

from telegram import MessageEntity

_SCHEMES = ("http://", "https://", "tg://")
"""What links to media and to messages begin with; others, such as mailto:, are no links for a request."""

_PERSON = "tg://user"
"""Links to people, which older clients write for mentions."""


def with_addresses(text: str, entities: Sequence[MessageEntity]) -> str:
    """Return a text in which every address of its entities is written out, so that it is read like any other.

    Args:
        text: The text.
        entities: Its entities; their offsets count UTF-16 units.
    """
    data = text.encode("utf-16-le")
    # From the last to the first, so that the offsets of the others stay right.
    for entity in sorted(entities, key=lambda one: one.offset, reverse=True):
        start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
        written = data[start:end].decode("utf-16-le", "ignore")
        address = _address(entity, written)
        if not address or address == written:
            continue
        # Words that look like an address may lie about it.
        is_instead = entity.type == MessageEntity.URL or "://" in written
        before, after = data[: start if is_instead else end], data[end:]
        space = "" if not after or after.decode("utf-16-le", "ignore")[:1].isspace() else " "
        data = before + f"{'' if is_instead else ' '}{address}{space}".encode("utf-16-le") + after
    return data.decode("utf-16-le", "replace")


def entities_within(entities: Sequence[MessageEntity], start: int, length: int) -> list[MessageEntity]:
    """Return the entities inside a piece of a text, with the offsets that they have in it.

    Args:
        entities: Those of the whole text.
        start: Where the piece begins, in UTF-16 units.
        length: Its length in UTF-16 units.
    """
    return [
        MessageEntity(one.type, one.offset - start, one.length, url=one.url)
        for one in entities
        if start <= one.offset and one.offset + one.length <= start + length
    ]


def _address(entity: MessageEntity, written: str) -> str:
    if entity.url:
        is_link = entity.url.lower().startswith(_SCHEMES) and not entity.url.lower().startswith(_PERSON)
        return entity.url if is_link else ""
    # With a path: Telegram also takes "clip.mov" for a link.
    if entity.type == MessageEntity.URL and "://" not in written and "/" in written:
        return f"https://{written}"
    return ""
