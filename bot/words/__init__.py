"""The words people read and the words they say, in every language that has a catalogue."""

from bot.words.phrases import PhraseAction, action_for
from bot.words.texts import Html, UnknownText, Words, bounded, language_of, languages, nemo_language

__all__ = [
    "Html",
    "PhraseAction",
    "UnknownText",
    "Words",
    "action_for",
    "bounded",
    "language_of",
    "languages",
    "nemo_language",
]
