"""The language of a new project: by the person's words, or else by what their client says.

The language in which the bot writes to a chat is decided in ``telegram/handlers/job_submitter.py`` (``chat_language``).
"""

import re
from typing import Final

from bot.words.phrases import simplified

DEFAULT: Final = "en"

_LANGUAGE = re.compile(r"[a-z]{2,3}", re.ASCII)
_QUOTED = re.compile('["“「『].*?["”」』]', re.DOTALL)
_LINK = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_LATIN_WORD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z'’-]*(?![A-Za-z0-9])")  # not 1080p, not MP4
_HAN = re.compile("[\u3400-\u9fff]")
_KANA = re.compile("[\u3041-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7a3]")

MIN_CHARS: Final = 2
"""Characters of a script that tell a language; a single one may be a name or a sign."""


def session_language(text: str, code: str) -> str:
    """Return the ISO code of a project's language, such as ``de``, ``zh-CN`` or ``zh-TW``.

    Args:
        text: The request; empty if there is none.
        code: A BCP 47 tag, such as Telegram's ``language_code``.
    """
    language = _iso_code(code)
    written = _written_language(text)
    # Kanji alone look like Chinese; and whether it is Hong Kong or Taiwan is not in the words.
    if written is None or language.startswith(written) or (written == "zh" and language == "ja"):
        return language
    return _iso_code("zh-hant" if written == "zh" and simplified(text) != text else written)


def _written_language(text: str) -> str | None:
    """Return the language that a text is clearly written in by its script; what is in quotes may be a title."""
    text = _LINK.sub(" ", _QUOTED.sub(" ", text))
    latin_words = len(_LATIN_WORD.findall(text))
    counts = {name: len(pattern.findall(text)) for name, pattern in _SCRIPTS.items()}
    if max(MIN_CHARS, 2 * latin_words) > sum(counts.values()):
        return None
    # Japanese and Korean texts hold Chinese characters too.
    return next(name for name, count in counts.items() if count)


_SCRIPTS: Final = {"ja": _KANA, "ko": _HANGUL, "zh": _HAN}


def _iso_code(tag: str) -> str:
    parts = tag.replace("_", "-").lower().split("-")
    if parts[0] == "zh":
        region = next((part for part in parts[1:] if part in ("tw", "hk")), "tw" if "hant" in parts else "cn")
        return f"zh-{region.upper()}"
    return parts[0] if _LANGUAGE.fullmatch(parts[0]) else DEFAULT
