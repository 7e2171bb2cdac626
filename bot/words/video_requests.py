"""Whether a request asks for a new video, which costs more credits than an edit: by its words, in either language."""

import re
from typing import Final

_GENERATION: Final = re.compile(
    r"\b(?:generate|create|make|produce|render|give)\s+(?:me\s+|us\s+)?"
    r"(?:an?|another|one|two|three|some|new|\d+(?:[- ]?(?:s|sec|seconds?|minutes?))?)\b"
    r"(?:(?!\b(?:music|track|song|sound|audio|voice\w*|title|caption\w*|subtitle\w*|text|cover|thumbnail|transition\w*)\b)"
    r"[^.!?\n]){0,80}?"
    r"\b(?:video|clip|movie|film|animation|footage|b-?roll|scene)s?\b"
    r"|\b(?:text|image|photo)[- ]to[- ]video\b"
    r"|\banimate\b",
    re.IGNORECASE,
)
_GENERATION_ZH: Final = re.compile(
    r"(?:生成|制作|创作|做|拍|来)(?:出)?(?:一|两|几|\d)?"
    r"(?:(?!音乐|配乐|字幕|标题|配音|音效|封面|文字|转场)[^。！？\n]){0,30}?(?:视频|短片|影片|动画|片段|镜头)"
    r"(?!.{0,12}(?:音乐|配乐|字幕|标题|配音|音效|封面|文字|转场))"
)


_FORMAT: Final = re.compile(
    r"\d\s*[:：x×]\s*\d|\b(?:vertical|portrait|landscape|square|wide(?:screen)?)\b|[竖横]|方形|正方",
    re.IGNORECASE,
)
_NUMBER: Final = (
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty"
    r"|sixty|ninety)"
)
_LENGTH: Final = re.compile(
    rf"(?:{_NUMBER})[\s-]*(?:s\b|secs?\b|seconds?\b|mins?\b|minutes?\b)|\b(?:an?|half|quarter)[\s-](?:an?\s)?minute\b"
    r"|[\d一二两三四五六七八九十百半]\s*(?:秒|分钟|分半)",
    re.IGNORECASE,
)
_BESIDE: Final = re.compile(r"\b(?:please|and)\b|[屏版的吧]", re.IGNORECASE)


def names_format_or_length(text: str) -> bool:
    """Return whether a request names the format or the length of its video."""
    return names_format(text) or bool(_LENGTH.search(text))


def names_format(text: str) -> bool:
    """Return whether a request names the format of its video."""
    return bool(_FORMAT.search(text))


def names_only_format_or_length(text: str) -> bool:
    """Return whether a message is nothing but a format or a length, such as ``16:9, 10 s`` or ``横屏10秒``."""
    rest = _BESIDE.sub("", _LENGTH.sub("", _FORMAT.sub("", text)))
    return names_format_or_length(text) and not any(c.isalpha() for c in rest)


def asks_for_generation(text: str) -> bool:
    """Return whether a request most likely makes the agent generate a video."""
    return bool(_GENERATION.search(text) or _GENERATION_ZH.search(text))
