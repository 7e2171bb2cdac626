"""Find and normalize entities of a text as Telegram does.

Offsets and lengths count UTF-16 code units, as everywhere in Telegram.
"""

import re
from typing import Any

from bot.sandbox.botapi.errors import bad_request

Entity = dict[str, Any]

MAX_TEXT = 4096
MAX_CAPTION = 1024

_FOUND = (
    ("mention", re.compile(r"(?<![\w/@.])@[a-zA-Z]\w{3,31}\b")),
    ("hashtag", re.compile(r"(?<![\w#&/])#(?=[^\W\d_]|\d*[^\W\d_]|_)\w{1,256}(?!\w)")),
    ("cashtag", re.compile(r"(?<![\w$])\$[A-Z]{3,8}(?!\w)")),
    ("bot_command", re.compile(r"(?<![\w/<>])/[a-zA-Z0-9_]{1,64}(?:@[a-zA-Z]\w{2,31})?(?![\w/])", re.ASCII)),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{2,24}\b", re.ASCII)),
    (
        "url",
        re.compile(
            r"(?<![\w@/.])(?:(?:https?|ftp|tg|ton)://[^\s<>\"'«»“”]+"
            r"|(?:[a-z0-9-]+\.)+(?:com|org|net|io|me|tv|ai|app|dev|cn|ru|de|be|co|uk|info|xyz)\b"
            r"(?::\d+)?(?:/[^\s<>\"'«»“”]*)?)",
            re.IGNORECASE,
        ),
    ),
    ("phone_number", re.compile(r"(?<![\w+])\+\d(?:[ ()-]?\d){8,13}(?!\w)")),
)
_CLOSED = frozenset({"code", "pre", "text_link", "text_mention", "url", "email", "mention", "bot_command"})
"""Entities that no others are found inside of."""

_PRIORITY = ("pre", "code", "blockquote", "expandable_blockquote", "text_link", "text_mention")


def utf16_len(text: str) -> int:
    """Return the length in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def marked(text: str, entity: Entity) -> str:
    """Return the part of a text that an entity is about."""
    units = text.encode("utf-16-le")[2 * entity["offset"] :]
    return units[: 2 * entity["length"]].decode("utf-16-le")


def find_entities(text: str) -> list[Entity]:
    """Return the entities that Telegram finds in plain text: commands, mentions, links and so on."""
    entities: list[Entity] = []
    taken: list[tuple[int, int]] = []
    order = {"url": 0, "email": 1}
    for kind, pattern in sorted(_FOUND, key=lambda pair: order.get(pair[0], 2)):
        for match in pattern.finditer(text):
            start, end = match.span()
            if kind == "url":
                end = start + len(match[0].rstrip(".,;:!?)]}…。，、"))
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            taken.append((start, end))
            entities.append(
                {"type": kind, "offset": utf16_len(text[:start]), "length": utf16_len(text[start:end])}
            )
    return sort_entities(entities)


def sort_entities(entities: list[Entity]) -> list[Entity]:
    """Sort entities as Telegram does: by start, the longer first."""

    def key(entity: Entity) -> tuple[int, int, int]:
        kind = entity["type"]
        rank = _PRIORITY.index(kind) if kind in _PRIORITY else len(_PRIORITY)
        return entity["offset"], -entity["length"], rank

    return sorted(entities, key=key)


def normalize(text: str, given: list[Entity]) -> tuple[str, list[Entity]]:
    """Return a text as Telegram stores it: trimmed, with the given entities and those that it finds itself.

    Args:
        text: The text without its markup.
        given: Entities from the markup or the request.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", " ")
    stripped = text.strip(" \t\n\u200b\u2003\u3000\v\f")
    cut = utf16_len(text[: text.find(stripped)]) if stripped else 0
    length = utf16_len(stripped)
    entities = []
    for entity in given:
        start = max(0, entity["offset"] - cut)
        end = min(length, entity["offset"] + entity["length"] - cut)
        if end > start:
            entities.append({**entity, "offset": start, "length": end - start})
    closed = [entity for entity in entities if entity["type"] in _CLOSED]
    entities += [
        entity
        for entity in find_entities(stripped)
        if not any(
            entity["offset"] < other["offset"] + other["length"]
            and other["offset"] < entity["offset"] + entity["length"]
            for other in closed
        )
    ]
    return stripped, sort_entities(_merged(entities))


def _merged(entities: list[Entity]) -> list[Entity]:
    """Join neighboring entities of the same style, as Telegram does."""
    merged: list[Entity] = []
    for entity in sorted(entities, key=lambda entity: entity["offset"]):
        for other in merged:
            rest = {name: value for name, value in entity.items() if name not in {"offset", "length"}}
            same = {name: value for name, value in other.items() if name not in {"offset", "length"}} == rest
            end = other["offset"] + other["length"]
            if same and entity["type"] in _JOINED and entity["offset"] <= end:
                other["length"] = max(end, entity["offset"] + entity["length"]) - other["offset"]
                break
        else:
            merged.append(dict(entity))
    return merged


_JOINED = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
_GIVEN = frozenset(
    [
        "mention",
        "hashtag",
        "cashtag",
        "bot_command",
        "url",
        "email",
        "phone_number",
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "blockquote",
        "expandable_blockquote",
        "code",
        "pre",
        "text_link",
        "text_mention",
        "custom_emoji",
        "date_time",
    ]
)
_FIELDS = ("url", "user", "language", "custom_emoji_id", "unix_time", "date_time_format")


def check_entities(given: Any) -> list[Entity]:
    """Return the valid entities of a request.

    Raises:
        ApiError: The value is no list of entities.
    """
    if given is None:
        return []
    if not isinstance(given, list):
        raise bad_request("can't parse entities: expected an Array")
    entities = []
    for entity in given:
        if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
            raise bad_request("can't parse entities: expected an Object of type MessageEntity")
        if entity["type"] not in _GIVEN:
            raise bad_request("can't parse entities: unsupported type specified")
        offset, length = entity.get("offset"), entity.get("length")
        if not isinstance(offset, int) or not isinstance(length, int):
            raise bad_request('can\'t parse entities: field "offset" must be of type Number')
        if length > 0 and offset >= 0:
            extra = {name: entity[name] for name in _FIELDS if name in entity}
            entities.append({"type": entity["type"], "offset": offset, "length": length, **extra})
    return entities
