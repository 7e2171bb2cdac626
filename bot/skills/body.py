"""Finds in a card's body what its front matter lacks, by heuristics: cards are written by many people.

Bodies are untrusted: the number of lines and their length are limited.
"""

import re
from typing import Final

from bot.words import bounded

NEMO_KINDS: Final = (
    "mp4", "mov", "avi", "webm", "mkv", "jpg", "png", "gif", "webp", "mp3", "wav", "m4a", "aac"
)  # fmt: skip
"""The kinds of files that NemoVideo accepts, by their usual extension."""

KIND_ALIASES: Final = {"jpeg": "jpg", "m4v": "mp4", "text": "txt"}

DEFAULT_SIZE_LIMIT_BYTES: Final = 500 * 1024**2

MAX_EXAMPLES = 6
_MAX_TEXT_CHARS = 1000
_MAX_LABEL_CHARS = 200
_MAX_LINES = 2000
_MAX_LINE_CHARS = 1000
_MAX_SIZE_LIMIT_BYTES = 4 * 1024**3

_HEADING = re.compile(r"#{1,6}[ \t]+(.+)")
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+(.+)")
_VERSION = re.compile(r"[^\w\n]{0,8}version[^\w\n]{1,8}v?(\d[\w.+-]{0,31})", re.IGNORECASE)
_TRY = re.compile(
    r"try (?:saying|asking|these|it|this)|things to (?:try|say)|(?:example|sample)s?\b"
    r"|what (?:you can|to) say"
    r"|试着说|试试|可以这样说|这样说|示例|例子",
    re.IGNORECASE,
)
_SIZE = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)\s?(MB|MiB|GB|GiB|M|G)(?![A-Za-z/])", re.IGNORECASE)
_ABOUT_SIZE = re.compile(r"max|limit|up to|larg|size|at most|under|最大|上限|不超过|以内|大小", re.IGNORECASE)
_ABOUT_KINDS = re.compile(
    r"format|file types?|accept|support|\btakes?\b|best with|格式|支持|文件类型", re.IGNORECASE
)
_MEDIA = (
    (re.compile(r"\bvideos?\b|视频", re.IGNORECASE), NEMO_KINDS[:5]),
    (re.compile(r"\b(?:images?|photos?|pictures?)\b|图片|照片", re.IGNORECASE), NEMO_KINDS[5:9]),
    (re.compile(r"\b(?:audio|sounds?|music)\b|音频|声音", re.IGNORECASE), NEMO_KINDS[9:]),
)
_ABOUT_UPLOADS = re.compile(r"upload|input|source|上传", re.IGNORECASE)
_ABOUT_RESULTS = re.compile(r"export|output|render|deliver|导出|输出|渲染", re.IGNORECASE)
_BEST = re.compile(r"\bbest\b|最佳|最好|最适合", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“「『](.+?)[\"”」』]")
_EMOJI = re.compile(r"[\U0001F300-\U0001FAFF\u2600-\u27BF]\ufe0f?")


def emoji(body: str) -> str:
    """Return the first emoji of the first heading, or an empty text."""
    match = _EMOJI.search(_first_heading(body))
    return match.group() if match else ""


def version(body: str) -> str:
    """Return the number in a line such as ``Version: 1.2.0``, or an empty text."""
    return next((match.group(1) for match in map(_VERSION.match, _lines(body)) if match), "")


def greeting(body: str) -> str:
    """Return the first quote."""
    quote: list[str] = []
    for line in _lines(body):
        if line.startswith(">"):
            quote.append(line[1:].strip())
        elif quote:
            break
    return bounded_text("\n".join(quote).strip().strip('"“”'))


def first_paragraph(body: str) -> str:
    """Return the first lines of running text."""
    paragraph: list[str] = []
    for line in _lines(body):
        is_text = bool(line.strip()) and not line.startswith(("#", ">", "-", "*", "|", "`", "<"))
        if is_text:
            paragraph.append(line.strip())
        elif paragraph:
            break
    return bounded_text("\n".join(paragraph))


def examples(body: str) -> tuple[str, ...]:
    """Return the items of the first list below a line such as "Try saying"."""
    lines = iter(_lines(body))
    for line in lines:
        if not _TRY.search(line) or _ITEM.match(line):
            continue
        items = []
        for following in lines:
            item = _ITEM.match(following)
            if item is not None:
                items.append(_example(item.group(1)))
            elif following.strip() and not (items and following.startswith(" ")):
                break
        if result := tuple(example for example in items if example)[:MAX_EXAMPLES]:
            return result
    return ()


def size_limit_bytes(body: str) -> int:
    """Return the size limit of files; NemoVideo's usual limit if the body has none."""
    for line in _lines(body):
        size = _SIZE.search(line)
        is_of_results = _ABOUT_RESULTS.search(line) and not _ABOUT_UPLOADS.search(line)
        if size and _ABOUT_SIZE.search(line) and not is_of_results:
            factor = 1024**3 if size.group(2).upper().startswith("G") else 1024**2
            return max(1024**2, min(int(float(size.group(1)) * factor), _MAX_SIZE_LIMIT_BYTES))
    return DEFAULT_SIZE_LIMIT_BYTES


def kinds(body: str) -> tuple[str, ...]:
    """Return the formats in lines about accepted files, followed by all others if only the best are named.

    A card that mentions videos, images or audio without one of their formats accepts all of these: better to pass on a
    file that NemoVideo refuses than to refuse one that it accepts.
    """
    named: list[str] = []
    is_best = False
    for line in _lines(body):
        if not _ABOUT_KINDS.search(line) or _ABOUT_RESULTS.search(line):
            continue
        words = (KIND_ALIASES.get(w, w) for w in re.findall(r"[a-z0-9]+", line.lower()))
        here = [w for w in words if w in NEMO_KINDS or w == "txt"]
        if len(here) < 2 and not named:
            continue
        named += here
        is_best = is_best or bool(_BEST.search(line))
        for mention, extensions in _MEDIA:
            if mention.search(line) and not set(extensions) & set(named):
                named += extensions
    if not named or is_best:
        named += NEMO_KINDS
    return tuple(dict.fromkeys(named))


def one_line(value: object) -> str:
    """Return a short text as one line, also from a number: YAML reads a bare ``1.0`` as one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return bounded(" ".join(str(value).split()), _MAX_LABEL_CHARS)


def bounded_text(value: object) -> str:
    """Return a text of limited length; an empty one for anything but a text."""
    return bounded(value.strip(), _MAX_TEXT_CHARS) if isinstance(value, str) else ""


def _lines(body: str) -> list[str]:
    return [line[:_MAX_LINE_CHARS] for line in body.split("\n", _MAX_LINES)[:_MAX_LINES]]


def _first_heading(body: str) -> str:
    return next((match.group(1) for match in map(_HEADING.match, _lines(body)) if match), "")


def _example(item: str) -> str:
    quoted = _QUOTED.search(item)
    return one_line(re.sub(r"[*_`]{1,3}", "", quoted.group(1) if quoted else item))
