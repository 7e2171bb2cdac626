"""The texts that people read and the phrases that they write, in every language with a catalogue."""

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
