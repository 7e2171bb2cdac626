"""Phrases that people write instead of a command: ``导出``, ``send me the video, please``.

The phrases are in ``phrases.toml`` beside this file. A message has to be nothing but such a phrase: "export-ready
colours, please" is a request for the agent.
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files


class PhraseAction(StrEnum):
    """What the bot does itself, without asking the agent."""

    EXPORT = "export"
    CREDITS = "credits"
    STATUS = "status"
    UPLOAD = "upload"
    NEW = "new"
    HELP = "help"
    CANCEL = "cancel"
    SETTINGS = "settings"


MAX_PHRASE_CHARS = 80  # a longer message is always a request


@dataclass(frozen=True, slots=True)
class _Phrases:
    actions: dict[str, PhraseAction]
    polite: re.Pattern[str]


def action_for(text: str) -> PhraseAction | None:
    """Return the action that a message asks for, or None if it is for the agent."""
    if len(text) > MAX_PHRASE_CHARS:
        return None
    phrase = normalize(text)
    phrases = _phrases()
    while phrase:
        if phrase in phrases.actions:
            return phrases.actions[phrase]
        shorter = phrases.polite.sub("", phrase, count=1).strip()
        if shorter == phrase:
            return None
        phrase = shorter
    return None


# Punctuation is ignored before, after and between sentences. Inside a word or around a quotation it has a meaning, and
# the message is no bare phrase.
_EDGES = ".,!?;:~…。，！？；：、～ \n\t"
_PAUSES = re.compile(r"[,!?;，、]+\s+|[,!?;，、](?=[^\x00-\x7f])|\s+")


def normalize(text: str) -> str:
    """Return a text without case, emoji, and punctuation around its sentences."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    visible = "".join(c for c in folded if unicodedata.category(c) not in ("So", "Sk", "Cf", "Mn"))
    return _PAUSES.sub(" ", visible.strip(_EDGES)).strip(_EDGES)


@cache
def _phrases() -> _Phrases:
    table = tomllib.loads((files("bot.words") / "phrases.toml").read_text("utf-8"))
    actions = {
        normalize(phrase): PhraseAction(name)
        for name, variants in table["actions"].items()
        for phrase in variants
    }
    before = "|".join(_word_pattern(word, r"{}\s+") for word in _longest_first(table["polite"]["before"]))
    after = "|".join(_word_pattern(word, r"\s+{}") for word in _longest_first(table["polite"]["after"]))
    return _Phrases(actions, re.compile(f"^(?:{before})|(?:{after})$"))


def _longest_first(words: list[str]) -> list[str]:
    return sorted(words, key=len, reverse=True)


def _word_pattern(word: str, latin: str) -> str:
    """Return the pattern of a word: a Latin word ends at a space, Chinese is written without spaces."""
    escaped = re.escape(word)
    return latin.format(escaped) if word.isascii() else rf"\s*{escaped}\s*"
