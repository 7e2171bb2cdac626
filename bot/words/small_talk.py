"""Small talk: greetings, thanks and emoji that are a whole message and ask for nothing."""

import unicodedata
from enum import StrEnum
from functools import cache

from bot.words.phrases import fold


class SmallTalk(StrEnum):
    """Kinds of small talk."""

    HELLO = "hello"
    THANKS = "thanks"
    EMOJI = "emoji"


_WORDS = {
    SmallTalk.HELLO: (
        "hi", "hello", "hey", "hi there", "hello there", "hey there", "good morning", "good evening",
        "你好", "您好", "嗨", "哈喽", "你好呀", "早上好", "晚上好", "在吗",
    ),
    SmallTalk.THANKS: (
        "thanks", "thank you", "thx", "ty", "thanks a lot", "thank you so much", "thank you very much", "many thanks",
        "谢谢", "谢谢你", "多谢", "感谢", "谢啦", "谢了", "非常感谢",
    ),
}  # fmt: skip

_EMOJI = ("So", "Sk", "Cf", "Mn", "Me", "Zs")
"""Unicode categories of emoji and of what joins, colours and separates them."""


def small_talk(text: str) -> SmallTalk | None:
    """Return the kind of small talk that a whole message is; ``None`` if it may ask for something."""
    is_emoji = any(unicodedata.category(c) == "So" for c in text)
    if is_emoji and all(unicodedata.category(c) in _EMOJI or c.isspace() for c in text):
        return SmallTalk.EMOJI
    return _table().get(fold(text))


@cache
def _table() -> dict[str, SmallTalk]:
    return {fold(words): kind for kind, variants in _WORDS.items() for words in variants}
