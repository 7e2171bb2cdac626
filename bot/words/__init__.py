"""The words people read and the words they say, in every language that has a catalogue."""

from bot.words.phrases import Action, action_for
from bot.words.texts import Html, UnknownText, Words, bounded, language_of, languages, nemo_language

__all__ = [
    "Action",
    "Html",
    "UnknownText",
    "Words",
    "action_for",
    "bounded",
    "language_of",
    "languages",
    "nemo_language",
]
