"""Commands and mentions of the bot in a text, with or without Telegram's entities.

Telegram ends both only at a character that can't belong to them, and counts Chinese letters as belonging: ``/edit把…``
and ``@bot请…`` come without an entity. So both end here at the last ASCII character that can belong to them, and before
digits that such letters follow: ``/edit3秒…``.
"""

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

EDIT = "edit"
"""The command whose words are a request."""

NEW = "new"
"""The command whose words, if it has any, are the first request in a new project."""

ALIASES = {"stop": "cancel", "lang": "language", "menu": "help", "commands": "help"}
"""Names that people try, and the commands that they mean."""

# Bidirectional marks, joiners and the like, which keyboards and copied texts bring along.
_INVISIBLE = r"\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"

# Where a name ends though digits follow: they count what the letters behind them name.
_COUNT = r"\d+(?u:[^\W\d_a-z])"

# A path such as /home/ann/clip.mp4 or \Users\ann\clip.mp4 isn't a command, nor is \title{…} of LaTeX. Chinese keyboards
# have a slash and an @ of full width, and 、 where others have the slash; a backslash is a slip.
_COMMAND = re.compile(
    rf"[{_INVISIBLE}]*(?P<written>[/\\、](?P<name>[a-z0-9_]{{1,32}}?)(?:@(?P<bot>[a-z]\w{{2,31}}?))?)"
    rf"(?:(?![\w/\\{{])|(?={_COUNT}))",
    re.ASCII | re.IGNORECASE,
)

# Chinese keyboards also have letters of full width.
_NARROW = str.maketrans(
    {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F) if chr(code).isalpha() or chr(code) in "/@_"}
)

# The punctuation between a command or a mention and the words behind it: not the sign or the point of a number.
_PUNCTUATION = re.compile(rf"(?:[\s,;:!?，。；：！？、…～·—，،؛؟۔{_INVISIBLE}]|[-–](?=\s)|\.(?!\d))*")

_AS_WORDS = re.compile(rf"[{_INVISIBLE}]*[/\\、](?:{EDIT}_?(?=[a-z]{{2}}))?", re.IGNORECASE)

_NEAREST = 0.6  # how alike a name has to be, from 0 to 1; difflib's own default
MISTYPED = 0.8  # how alike it is with two letters swapped, or with one too many or too few


@dataclass(frozen=True, slots=True)
class Command:
    """A command at the beginning of a text."""

    name: str  # its name in small letters, without the slash; of an alias the command that it stands for
    written: str  # as it was written, with the slash
    bot: str  # the bot that it names, as written; empty if it names none
    words: str  # the text behind it, without leading punctuation

    def is_for(self, username: str) -> bool:
        """Return whether it is for the bot of this name."""
        return not self.bot or self.bot.lower() == username.lower()


def find_command(text: str, username: str = "") -> Command | None:
    """Return the command that a text begins with, also behind a mention of the bot; ``None`` if there is none.

    Args:
        text: The text.
        username: The bot's; empty where no mention may precede the command.
    """
    if username and (mention := _mention(username).match(text.translate(_NARROW))) is not None:
        text = _without_punctuation(text[mention.end() :])
    match = _COMMAND.match(text.translate(_NARROW))
    if match is None:
        return None
    name = match["name"].lower()
    return Command(
        ALIASES.get(name, name),
        match["written"],
        match["bot"] or "",
        _without_punctuation(text[match.end() :]),
    )


def nearest_command(name: str, known: Collection[str], likeness: float = _NEAREST) -> str | None:
    """Return the known command that an unknown one was probably meant to be; ``None`` if none is like it.

    Args:
        name: The unknown command's name.
        known: The names of the known ones.
        likeness: How alike the names have to be, from 0 to 1.
    """
    # Words that were written right behind a command belong to its name: /editmake it shorter.
    begun = [one for one in known if name.startswith(one)]
    if begun:
        return max(begun, key=len)
    found = difflib.get_close_matches(name, [*known, *ALIASES], 1, likeness)
    return ALIASES.get(found[0], found[0]) if found else None


def as_words(text: str) -> str:
    """Return a text whose unknown command belongs to its words: ``/trim to 5 s``, or ``/edittrim it``."""
    begin = _AS_WORDS.match(text.translate(_NARROW))
    return text[begin.end() :] if begin else text


def mentions(text: str, username: str) -> bool:
    """Return whether a text mentions the bot."""
    return _mention(username).search(text.translate(_NARROW)) is not None


def without_mention(text: str, username: str) -> str:
    """Return a text without its first mention of the bot.

    Punctuation after the mention goes too if the text begins with the mention; else it belongs to what is before it.
    """
    match = _mention(username).search(text.translate(_NARROW))
    if match is None:
        return text.strip()
    before, after = text[: match.start()], text[match.end() :]
    if not before.strip():
        return _without_punctuation(after).strip()
    # One space where there were two, and none before the colon of "hey @bot: cut it".
    punctuation_follows = _without_punctuation(after) != after
    return ((before.rstrip() if punctuation_follows else before) + after).strip()


def _without_punctuation(text: str) -> str:
    return _PUNCTUATION.sub("", text, count=1)


@cache
def _mention(username: str) -> re.Pattern[str]:
    # An address such as me@bot.com isn't a mention.
    return re.compile(
        rf"[{_INVISIBLE}]*(?<![\w@./])@{re.escape(username)}(?:(?!\w)|(?={_COUNT}))", re.ASCII | re.IGNORECASE
    )
