"""Finds in a card's body what its front matter lacks, by heuristics: cards are written by many people.

Bodies are untrusted: the number of lines and their length are limited.
"""

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

from bot.media.kinds import CONTENT_TYPES
from bot.skills.mojibake import repair
from bot.words import bounded

NEMO_KINDS: Final = tuple(CONTENT_TYPES)
"""The kinds of files that NemoVideo accepts, by their usual extension: videos, images, audio."""

KIND_ALIASES: Final = {"jpeg": "jpg", "m4v": "mp4", "text": "txt"}

DEFAULT_SIZE_LIMIT_BYTES: Final = 500 * 1024**2

MAX_EXAMPLES = 6
_MAX_TEXT_CHARS = 1000
_MAX_LABEL_CHARS = 200
_MAX_LINES = 2000
_MAX_LINE_CHARS = 1000
_MAX_SIZE_LIMIT_BYTES = 4 * 1024**3
# A smaller size is that of something else, such as a result for a messenger.
_MIN_SIZE_LIMIT_BYTES = 20 * 1024**2

HEADING = re.compile(r"#{1,6}[ \t]+(.+)")
ITEM = re.compile(r"[ \t]*(?:(?:[-*+•]|\d{1,3}[.)])[ \t]+){1,3}(.+)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|(?<=##))([^#\s].*?)(?:[ \t]+#+)?[ \t]*")
_SETEXT = re.compile(r" {0,3}(?:={3,}|-{3,})[ \t]*")
_SETEXT_TEXT = re.compile(r" {0,3}[^\s#>|`*+<-].{0,80}")
_BOLD_HEADING = re.compile(r"^\s*(\*\*|__)([^*_]{2,60}?)[:：]?\1[:：]?\s*$")
_FENCES = ("```", "~~~")
_ROW = re.compile(r"[ \t]*\|[ \t]*([^|]+)")
_RULE = re.compile(r"[ \t]*\|[ \t]*:?-+")
_CHECKBOX = re.compile(r"^\[[ xX]\][ \t]+")
_VERSION = re.compile(r"[^\w\n]{0,8}version[^\w\n]{1,8}v?(\d[\w.+-]{0,31})", re.IGNORECASE)
_TRY = re.compile(
    r"try (?:saying|asking|these|it|this)|things to (?:try|say)|(?:example|sample)s?\b"
    r"|what (?:you can|to) say|(?:prompt|request|idea)s to try"
    r"|试着说|试试|尝试说|可以这样说|这样说|示例|例子|試試|試著說|範例"
    r"|prueba (?:a )?deci|\bejemplos?\b|\bexemp(?:le|lo)s?\b|\bbeispiele?\b|^#+ 例$|예시|пример",
    re.IGNORECASE,
)
_SIZE = r"(\d{1,3},\d{3}|\d{1,5}(?:\.\d{1,3})?)\s?(MB|MiB|megabytes?|GB|GiB|gigabytes?|M|G|兆)(?![A-Za-z/])"
_LIMIT_BEFORE = (
    r"(?:\bmax(?:imum)?\b\.?|\blimit|\bup to\b|\bat most\b|\bno (?:larger|bigger|more) than\b"
    r"|\b(?:(?:must|should|has to|have to) be|keep (?:\w+ ){1,3})\s?(?:under|below|less than|smaller than)\b"
    r"|\bas large as\b|\bm[aá]xim[oa]\b|最大|最多|上限|不超过|限制)"
)
_LIMIT_BEHIND = r"(?:max(?:imum)?\b|at most\b|limit|or (?:less|smaller)\b|以内|以下|上限)"
_REFUSED = r"(?:is|are|get|will be) (?:rejected|refused|not (?:accepted|supported|allowed))"
_SIZE_LIMITS = (
    re.compile(rf"{_LIMIT_BEFORE}[^.。\d]{{0,40}}{_SIZE}", re.IGNORECASE),
    re.compile(rf"{_SIZE}\W{{0,3}}(?:per file |file )?(?:{_LIMIT_BEHIND}|{_REFUSED})", re.IGNORECASE),
)
_NO_FILES = re.compile(r"\b(?:rate|storage|memory|ram|disk|bandwidth)\b|内存|存储|磁盘|带宽", re.IGNORECASE)
_ABOUT_KINDS = re.compile(
    r"format|(?:file|image|photo|video|audio) types?|accept|support|\btakes?\b|best with|stick to"
    r"|格式|支持|文件类型",
    re.IGNORECASE,
)
_OF_ONE_MEDIUM = re.compile(
    r"\b(?:images?|photos?|pictures?|videos?|audio) (?:file )?(?:types?|formats?|files?|inputs?|uploads?)\b"
    r"|\bsupported (?:images?|photos?|pictures?|videos?|audio)\b"
    r"|(?:图片|照片|视频|音频)(?:文件)?(?:格式|类型)",
    re.IGNORECASE,
)
_MEDIA = (
    (re.compile(r"\bvideos?\b|视频", re.IGNORECASE), NEMO_KINDS[:5]),
    (re.compile(r"\b(?:images?|photos?|pictures?)\b|图片|照片", re.IGNORECASE), NEMO_KINDS[5:9]),
    (re.compile(r"\b(?:audio|sounds?|music)\b|音频|声音", re.IGNORECASE), NEMO_KINDS[9:]),
)
_ABOUT_UPLOADS = re.compile(r"upload|input|source|上传", re.IGNORECASE)
ABOUT_RESULTS = re.compile(r"export|output|render|deliver|导出|输出|渲染", re.IGNORECASE)
_BEST = re.compile(r"\bbest\b|\bsmoothest\b|\bstick to\b|最佳|最好|最适合|建议使用", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)|[。！？]")
_COMMA = re.compile(r"[,，、|]")
_MIN_SEARCH_COMMAS = 3  # in a text without a sentence, from which on it is a list of search words
_QUOTED = re.compile(r"[\"“「『](.+?)[\"”」』]")
_EMOJI = re.compile(r"[\U0001F300-\U0001FAFF\u2600-\u27BF]\ufe0f?")


def emoji(body: str) -> str:
    """Return the first emoji of the first heading, or an empty text."""
    match = _EMOJI.search(_first_heading(body))
    return match.group() if match else ""


def version(body: str) -> str:
    """Return the number in a line such as ``Version: 1.2.0``, or an empty text."""
    return next((match.group(1) for match in map(_VERSION.match, card_lines(body)) if match), "")


def greeting(body: str) -> str:
    """Return the first quote, unless it is an example; an empty text where it is a list of search words."""
    quote: list[str] = []
    for line in card_lines(body):
        if line.startswith(">"):
            quote.append(line[1:].strip())
        elif quote or (line.startswith("##") and _TRY.search(line)):
            break
    text = "\n".join(quote).strip().strip('"“”')
    is_sentence = _SENTENCE_END.search(text) or len(_COMMA.findall(text)) < _MIN_SEARCH_COMMAS
    return bounded_text(text) if is_sentence else ""


def first_paragraph(body: str) -> str:
    """Return the first lines of running text."""
    paragraph: list[str] = []
    for line in card_lines(body):
        is_text = bool(line.strip()) and not line.startswith(("#", ">", "-", "*", "|", "`", "<"))
        if is_text:
            paragraph.append(line.strip())
        elif paragraph:
            break
    return bounded_text("\n".join(paragraph))


def examples(body: str) -> tuple[str, ...]:
    """Return the items of the first list below a line such as "Try saying", or what stands below "Example" headings."""
    lines = card_lines(body)
    for number, line in enumerate(lines):
        if _TRY.search(line) and not ITEM.match(line):
            items = [_example(item) for item in _items_below(lines[number + 1 :])]
            if result := tuple(example for example in items if example)[:MAX_EXAMPLES]:
                return result
    return _examples_in_prose(lines)


def size_limit_bytes(body: str) -> int:
    """Return the size limit of files; NemoVideo's usual limit if the body has none."""
    for line in card_lines(body):
        is_of_results = ABOUT_RESULTS.search(line) and not _ABOUT_UPLOADS.search(line)
        if is_of_results or _NO_FILES.search(line):
            continue
        for size in (match for pattern in _SIZE_LIMITS for match in pattern.finditer(line)):
            factor = 1024**3 if size.group(2).upper().startswith("G") else 1024**2
            limit = int(float(size.group(1).replace(",", "")) * factor)
            if limit > _MIN_SIZE_LIMIT_BYTES:
                return min(limit, _MAX_SIZE_LIMIT_BYTES)
    return DEFAULT_SIZE_LIMIT_BYTES


def has_size(line: str) -> bool:
    """Return whether a line tells the size limit of files."""
    return any(pattern.search(line) for pattern in _SIZE_LIMITS)


def best_kinds(body: str) -> tuple[str, ...]:
    """Return the formats that the card works best with; none if it names none."""
    for line in card_lines(body):
        best = _BEST.search(line)
        if best and _ABOUT_KINDS.search(line) and len(named := _named_kinds(line)) > 1:
            return tuple(dict.fromkeys(named))
    return ()


def kinds(body: str) -> tuple[str, ...]:
    """Return the formats in lines about accepted files, followed by all others if only the best are named.

    A card that mentions videos, images or audio without one of their formats accepts all of these, and "supported image
    types" tell nothing of the other media: better to pass on a file that NemoVideo refuses than to refuse one that it
    accepts.
    """
    named = list(best_kinds(body))
    is_whole = not named  # whether all that it takes is named
    is_general = False
    for line in card_lines(body):
        if not _ABOUT_KINDS.search(line) or ABOUT_RESULTS.search(line):
            continue
        here = _named_kinds(line)
        if len(here) < 2 and not named:
            continue
        named += here
        is_general = is_general or not _OF_ONE_MEDIUM.search(line)
        for mention, extensions in _MEDIA:
            if mention.search(line) and not set(extensions) & set(named):
                named += extensions
    if not named or not is_whole:
        named += NEMO_KINDS
    elif not is_general:
        for _, extensions in _MEDIA:
            named += () if set(extensions) & set(named) else extensions
    return tuple(dict.fromkeys(named))


def one_line(value: object) -> str:
    """Return a short text as one line, also from a number: YAML reads a bare ``1.0`` as one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return bounded(" ".join(repair(str(value)).split()), _MAX_LABEL_CHARS)


def bounded_text(value: object) -> str:
    """Return a text of limited length; an empty one for anything but a text."""
    return bounded(repair(value).strip(), _MAX_TEXT_CHARS) if isinstance(value, str) else ""


def card_lines(body: str) -> list[str]:
    """Return the lines of a body, within limits, with all headings as ``## …``."""
    lines: list[str] = []
    is_code = False
    for line in body.split("\n", _MAX_LINES)[:_MAX_LINES]:
        line = line[:_MAX_LINE_CHARS].rstrip("\r")
        is_code ^= line.lstrip().startswith(_FENCES)
        is_below_text = bool(lines) and _SETEXT_TEXT.fullmatch(lines[-1]) and not any(lines[-2:-1])
        if is_code and line.startswith("#"):
            line = f" {line}"  # a comment
        elif not is_code and (heading := _ATX.fullmatch(line)):
            line = f"{heading.group(1)} {heading.group(2)}"
        elif not is_code and is_below_text and _SETEXT.fullmatch(line):
            line = f"## {lines.pop().strip()}"
        lines.append(line)
    if not any(map(HEADING.match, lines)):
        lines = [_BOLD_HEADING.sub(r"## \2", line) for line in lines]
    return lines


def section_items(lines: list[str]) -> list[str]:
    """Return the items of lists, and the first cells of tables, below their heads."""
    found = [_item_of(line) for line in lines]
    return [
        item for item, line in zip(found, [*lines[1:], ""], strict=True) if item and not _RULE.match(line)
    ]


def _item_of(line: str) -> str:
    match = ITEM.match(line)
    if match is None and not _RULE.match(line):
        match = _ROW.match(line)
    return _CHECKBOX.sub("", match.group(1)).strip() if match else ""


def _items_below(lines: list[str]) -> Iterator[str]:
    """Yield the items of the list, the quote, the code or the table that begins at once."""
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    block = list(takewhile(lambda line: line.strip(), lines[first:]))
    if block and block[0].startswith(_FENCES):
        yield from takewhile(lambda line: not line.startswith(_FENCES), lines[first + 1 :])
        return
    if len(block) > 1 and block[0].startswith((">", "|")):
        marked = [line for line in block if line.startswith((">", "|"))]
        yield from section_items(marked) or (line[1:].strip() for line in marked)
        return
    is_list = False
    for line in lines:
        item = ITEM.match(line)
        if item is not None:
            is_list = True
            yield _item_of(line)
        elif line.strip() and not (is_list and line.startswith(" ")):
            return


def _examples_in_prose(lines: list[str]) -> tuple[str, ...]:
    """Return what stands below headings such as "Example 1": quoted words, or else the first line of text."""
    found: list[str] = []
    for number, line in enumerate(lines):
        heading = HEADING.match(line)
        if heading is None or not _TRY.search(heading.group(1)):
            continue
        below = list(takewhile(lambda text: not HEADING.match(text), lines[number + 1 :]))
        text = [one for one in below if one.strip() and not one.startswith(("`", "|", "<"))]
        quoted = [match.group(1) for one in text for match in _QUOTED.finditer(one)]
        found += quoted or [one.strip().lstrip("> ") for one in text[:1]]
    return tuple(example for example in map(_example, found) if example)[:MAX_EXAMPLES]


def _named_kinds(line: str) -> list[str]:
    words = (KIND_ALIASES.get(word, word) for word in re.findall(r"[a-z0-9]+", line.lower()))
    return [word for word in words if word in NEMO_KINDS or word == "txt"]


def _first_heading(body: str) -> str:
    return next((match.group(1) for match in map(HEADING.match, card_lines(body)) if match), "")


def _example(item: str) -> str:
    quoted = _QUOTED.search(item)
    return one_line(re.sub(r"[*_`]{1,3}", "", quoted.group(1) if quoted else item))
