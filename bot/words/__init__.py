"""The texts that people read and the phrases that they write, in every language with a catalogue."""

from bot.words.phrases import PhraseAction, action_for
from bot.words.session_language import session_language
from bot.words.texts import Html, UnknownText, Words, bounded, language_of, languages
from bot.words.video_requests import asks_for_generation, names_format, names_format_or_length

__all__ = [
    "Html",
    "PhraseAction",
    "UnknownText",
    "Words",
    "action_for",
    "asks_for_generation",
    "bounded",
    "language_of",
    "languages",
    "names_format",
    "names_format_or_length",
    "session_language",
]
