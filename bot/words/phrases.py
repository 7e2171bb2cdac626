"""What people say instead of a command: ``导出``, ``send me the video, please``.

The phrases stand in ``phrases.toml`` beside this file. Only a message that is nothing but such a phrase
means an action; "export-ready colours, please" is a request for the agent.
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files


class PhraseAction(StrEnum):
    """What the bot does by itself, without asking the agent."""

    EXPORT = "export"
    CREDITS = "credits"
    STATUS = "status"
    UPLOAD = "upload"
    NEW = "new"
    HELP = "help"
    CANCEL = "cancel"
    SETTINGS = "settings"


MAX_PHRASE_CHARS = 80
"""A longer message is a request, whatever it says."""


@dataclass(frozen=True, slots=True)
class _Phrases:
    actions: dict[str, PhraseAction]
    polite: re.Pattern[str]


def action_for(text: str) -> PhraseAction | None:
    """The action that a message stands for, or None when it is for the agent.

    Args:
        text: The whole message as it was written, in any language.
    """
    if len(text) > MAX_PHRASE_CHARS:
        return None
    said = _normal(text)
    phrases = _phrases()
    while said:
        if said in phrases.actions:
            return phrases.actions[said]
        shorter = phrases.polite.sub("", said, count=1).strip()
        if shorter == said:
            return None
        said = shorter
    return None


# Punctuation may stand before, after and between sentences; inside a word or around a quotation it means
# something, and then the message is no bare phrase.
_EDGES = ".,!?;:~…。，！？；：、～ \n\t"
_PAUSES = re.compile(r"[,!?;，、]+\s+|[,!?;，、](?=[^\x00-\x7f])|\s+")


def _normal(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    visible = "".join(c for c in folded if unicodedata.category(c) not in ("So", "Sk", "Cf", "Mn"))
    return _PAUSES.sub(" ", visible.strip(_EDGES)).strip(_EDGES)


@cache
def _phrases() -> _Phrases:
    table = tomllib.loads((files("bot.words") / "phrases.toml").read_text("utf-8"))
    actions = {
        _normal(phrase): PhraseAction(name) for name, said in table["actions"].items() for phrase in said
    }
    before = "|".join(_bounded(word, r"{}\s+") for word in _longest_first(table["polite"]["before"]))
    after = "|".join(_bounded(word, r"\s+{}") for word in _longest_first(table["polite"]["after"]))
    return _Phrases(actions, re.compile(f"^(?:{before})|(?:{after})$"))


def _longest_first(words: list[str]) -> list[str]:
    return sorted(words, key=len, reverse=True)


def _bounded(word: str, latin: str) -> str:
    """Chinese is written without spaces; a Latin word ends where a space is."""
    escaped = re.escape(word)
    return latin.format(escaped) if word.isascii() else rf"\s*{escaped}\s*"
