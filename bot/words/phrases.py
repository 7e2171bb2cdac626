"""What people write instead of a command: ``导出1080p MP4``, ``send me the final video, please``; and small talk.

Each language has a small grammar in ``locale/<language>/actions.toml``; together they apply to every message. A message
has to be nothing but an action: "export-ready colours, please" is a request for the agent.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from bot.words.texts import languages


class PhraseAction(StrEnum):
    """What the bot does itself, without asking the agent."""

    EXPORT = "export"
    CREDITS = "credits"
    STATUS = "status"
    UPLOAD = "upload"
    LINK = "link"
    NEW = "new"
    HELP = "help"
    CANCEL = "cancel"
    SETTINGS = "settings"
    VARY_MUSIC = "vary_music"
    VARY_TITLE = "vary_title"
    VARY_FORMAT = "vary_format"


class SmallTalk(StrEnum):
    """Greetings, thanks and emoji that are a whole message and ask for nothing."""

    HELLO = "hello"
    THANKS = "thanks"
    EMOJI = "emoji"


MAX_PHRASE_CHARS = 80  # a longer message is always a request

_LATEST = 16  # size of the cache: the handlers of forty commands parse the same message


@dataclass(frozen=True, slots=True)
class _Grammar:
    """Patterns with a group for each of their names.

    One pattern for each name would be compiled with all polite words again and again: 0.15 s for the first message.
    """

    actions: re.Pattern[str]
    commands: re.Pattern[str]
    small_talk: re.Pattern[str]
    output: re.Pattern[str]
    answer: re.Pattern[str]
    handover: re.Pattern[str]
    retry: re.Pattern[str]
    simplified: dict[int, int]


@lru_cache(_LATEST)
def action_for(text: str) -> PhraseAction | None:
    """Return the action that a message asks for, or None if it is for the agent."""
    if len(text) > MAX_PHRASE_CHARS:
        return None
    grammar, phrase = _grammar(), fold(text)
    if not phrase and re.search("[?？]", text):
        return PhraseAction.STATUS  # A lone "?" asks for it.
    if found := _name_of(grammar.actions, phrase):
        return PhraseAction(found)
    return next((action for action in _TYPED_WRONG if _is_slip_of(phrase, action)), None)


@lru_cache(_LATEST)
def command_for(text: str) -> str | None:
    """Return the command that a message asks for in words, of those that are no actions: ``history``, ``语言``."""
    if len(text) > MAX_PHRASE_CHARS:
        return None
    return _name_of(_grammar().commands, fold(text))


def small_talk(text: str) -> SmallTalk | None:
    """Return the kind of small talk that a whole message is; ``None`` if it may ask for something."""
    is_emoji = any(unicodedata.category(c) == "So" for c in text)
    if is_emoji and all(unicodedata.category(c) in (*_INVISIBLE, "Zs") or c.isspace() for c in text):
        return SmallTalk.EMOJI
    if len(text) > MAX_PHRASE_CHARS:
        return None
    name = _name_of(_grammar().small_talk, fold(text))
    return SmallTalk(name) if name else None


def is_bare_answer(text: str) -> bool:
    """Return whether a message is nothing but an answer, such as ``yes``, ``不要`` or ``2``."""
    return len(text) <= MAX_PHRASE_CHARS and _grammar().answer.fullmatch(fold(text)) is not None


def hands_over(text: str) -> bool:
    """Return whether words beside a file only hand it over, such as ``here it is`` or ``给你``."""
    return len(text) <= MAX_PHRASE_CHARS and _grammar().handover.fullmatch(fold(text)) is not None


def asks_to_retry(text: str) -> bool:
    """Return whether a message asks for nothing but another try, such as ``try again, please`` or ``重试``."""
    return len(text) <= MAX_PHRASE_CHARS and _grammar().retry.fullmatch(fold(text)) is not None


def says_nothing(text: str) -> bool:
    """Return whether a text has neither letters nor digits, such as ``.``; Hangul's blanks only count as letters."""
    return not any(c.isalnum() and c not in "\u115f\u1160\u3164\uffa0" for c in text)


def requested_output(text: str) -> tuple[str, ...]:
    """Return the resolutions and formats that a message for an export asks for: ``1080p``, ``mov``."""
    return tuple(dict.fromkeys(match.group() for match in _grammar().output.finditer(fold(text))))


_TYPED_WRONG = (
    PhraseAction.EXPORT,
    PhraseAction.CANCEL,
    PhraseAction.CREDITS,
    PhraseAction.STATUS,
    PhraseAction.SETTINGS,
)
"""Words that are an action even with two letters swapped, or with one too many or too few: ``cancle``."""


def _is_slip_of(phrase: str, word: str) -> bool:
    if not phrase.isalpha():
        return False
    if len(phrase) == len(word):
        return sorted(phrase) == sorted(word) and sum(a != b for a, b in zip(phrase, word, strict=True)) == 2
    longer, shorter = sorted((phrase, word), key=len, reverse=True)
    return len(longer) == len(shorter) + 1 and any(
        longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer))
    )


# Punctuation is ignored before, after and between sentences. Inside a word or around a quotation it has a meaning, and
# the message is no bare phrase.
_EDGES = ".,!?;:~…。，！？；：、～*_ \n\t"
_PAUSES = re.compile(
    r"[,!?;，、]+\s+|[,!?;，、](?=[^\x00-\x7f])|(?<=[^\x00-\x7f])[,!?;，、]|\.+\s+|[。…~～()]+|\s+[-–—]+\s+|\s+"
)
# Telegram's commands are ASCII; people write /取消 all the same.
_SLASH = re.compile(r"^\W*/(?=[^\x00-\x7f]|\s)")
_SMILEY = re.compile(r"\s[:;=]-?[)dp(]+$|\^_*\^$")
_INVISIBLE = ("So", "Sk", "Cf", "Mn", "Me")  # emoji with what belongs to them, zero-width characters


def fold(text: str) -> str:
    """Return a text in small letters and simplified characters, without blanks, apostrophes and emoji."""
    folded = _SLASH.sub("", unicodedata.normalize("NFKC", text).casefold())
    visible = "".join(c for c in folded if unicodedata.category(c) not in _INVISIBLE).strip()
    bare = _SMILEY.sub("", visible.strip(_EDGES)).strip(_EDGES)
    return simplified(re.sub("(?<=[a-z])['’´`](?=[a-z])", "", _PAUSES.sub("", bare)))


def simplified(text: str) -> str:
    """Return a text with simplified characters for the traditional ones that the tables of words know."""
    return text.translate(_grammar().simplified)


@cache
def _grammar() -> _Grammar:
    tables = [_read(language) for language in languages()]
    before = "|".join(table["polite"]["before"] for table in tables)
    after = "|".join(table["polite"]["after"] for table in tables)

    def politely(pattern: str) -> re.Pattern[str]:
        return _compile(f"(?:{before}){{0,5}}(?:{pattern})(?:{after}){{0,4}}")

    def compiled(kind: str) -> re.Pattern[str]:
        names = dict.fromkeys(name for table in tables for name in table[kind])
        groups = (
            f"(?P<{name}>{_any(pattern for table in tables for pattern in table[kind].get(name, ()))})"
            for name in names
        )
        return politely("|".join(groups))

    output = _any(table["parts"][name] for table in tables for name in ("resolution", "format"))
    characters = [table["characters"] for table in tables if "characters" in table]
    traditional, simplified = ("".join(c[name] for c in characters) for name in ("traditional", "simplified"))
    return _Grammar(
        compiled("actions"),
        compiled("commands"),
        compiled("small_talk"),
        _compile(output),
        _compile(_any(table["parts"]["answer"] for table in tables)),
        _compile(_any(table["parts"]["handover"] for table in tables)),
        politely(_any(table["parts"]["retry"] for table in tables)),
        str.maketrans(traditional, simplified),
    )


def _name_of(pattern: re.Pattern[str], phrase: str) -> str | None:
    match = pattern.fullmatch(phrase)
    return match.lastgroup if match else None


def _read(language: str) -> dict[str, Any]:
    """Read a language's grammar; ``<part>`` in a pattern is replaced by the part of that name."""
    table = tomllib.loads((files("bot.words") / "locale" / language / "actions.toml").read_text("utf-8"))
    parts: dict[str, str] = table["parts"]

    def expand(pattern: str) -> str:
        return re.sub(r"<(\w+)>", lambda match: f"(?:{expand(parts[match[1]])})", pattern)

    table["parts"] = {name: expand(pattern) for name, pattern in parts.items()}
    for kind in ("actions", "commands", "small_talk"):
        table[kind] = {name: [expand(p) for p in patterns] for name, patterns in table[kind].items()}
    return table


def _any(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which blanks don't count, and groups without a name are none."""
    return re.compile(re.sub(r"\((?!\?)", "(?:", "".join(pattern.split())))
