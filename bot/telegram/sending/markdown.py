"""The agent's Markdown as Telegram messages: plain text with entities, split where it reads well.

telegramify-markdown converts, offline: nothing is fetched, no diagram is rendered, no code block becomes a file, and
tables become text as it lays them out. Its ``split_entities`` is not used: it breaks at line ends only, or else
anywhere, so that it tears sentences, short entities and joined emoji apart, keeps blank lines at the edges, and
ignores Telegram's limit of 100 entities.
"""

from __future__ import annotations

import bisect
import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from telegram import MessageEntity
from telegram.constants import MessageLimit

from bot.runtime.hosts import ascii_host, may_be_linked

if TYPE_CHECKING:
    from telegramify_markdown import MessageEntity as RawEntity

MAX_ANSWER_CHARS = 12_000
"""Longer answers are cut: three full messages are as much as anybody reads on a phone."""

MAX_PIECES = 4
"""Most messages of one answer, however few of its characters fit into each."""

MAX_NESTING = 6  # depth of lists and quotations; what is marked deeper is shown at this depth
MAX_FORMULA_MARKS = 200  # with more "$" in an answer none begins a formula: empty ones cost quadratic time
MAX_PIECE_UTF16 = int(MessageLimit.MAX_TEXT_LENGTH)
MAX_PIECE_ENTITIES = int(MessageLimit.MESSAGE_ENTITIES)

# What telegramify-markdown makes and every client shows. Custom emoji and mentions are left out: the former need a
# paid user name, and the agent has nobody to mention.
_PLAIN_TYPES = {
    MessageEntity.BOLD, MessageEntity.ITALIC, MessageEntity.UNDERLINE, MessageEntity.STRIKETHROUGH,
    MessageEntity.SPOILER, MessageEntity.CODE, MessageEntity.PRE, MessageEntity.BLOCKQUOTE,
    MessageEntity.EXPANDABLE_BLOCKQUOTE,
}  # fmt: skip

_NEVER_NESTED = {MessageEntity.BLOCKQUOTE, MessageEntity.EXPANDABLE_BLOCKQUOTE, MessageEntity.TEXT_LINK}

# Stand for "<", "|" and "$" during the conversion, which drops whatever looks like HTML with the text in it, and takes
# "a || b" for the start of a spoiler, which no agent writes. Private-use characters of one UTF-16 unit, so that no
# offset changes when they are put back; the last stands for a piece of code while the Markdown around it is repaired.
_LESS_THAN, _BAR, _DOLLAR, _CODE = "\ue03c", "\ue07c", "\ue024", "\ue060"
_STAND_INS = str.maketrans("", "", _LESS_THAN + _BAR + _DOLLAR + _CODE)
_BACK = str.maketrans({_LESS_THAN: "<", _BAR: "|", _DOLLAR: "$"})

# CommonMark sees no emphasis where a word touches it and punctuation stands inside, as in 把**《标题》**改大,
# which is how Chinese is written. A zero-width space at that edge is invisible, and doesn't count as punctuation.
_EMPHASIS = re.compile(r"(?<![*~\\])(\*{1,3}|~~)([^\s*~](?:[^*~\n]{0,300}?[^\s*~])?)\1(?![*~])")
_ZERO_WIDTH_SPACE = "\u200b"

# What people take for an address, at the beginning of a link's text.
_NAMED_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?((?:[\w-]+\.)+[^\W\d_]{2,}\b[^\s/?#]*)", re.IGNORECASE)
_ADDRESS = re.compile(r"<(https?://[^\s<>]+)>")
_NO_TABLE_ROW = re.compile(r"^(?![ \t>]*\|).*\|\|.*$", re.MULTILINE)
_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})(.*)")
_TICKS = re.compile(r"`+")
_LINE_ENDS = re.compile(r"(?<=\n)")

# Marks of lists and quotations at a line's beginning, and how far it is indented. The converter indents each level and
# begins a line for it: 12,000 characters "+ " became 4,682 messages, and blocked the event loop for 10 s.
_MARK = r"(?:>[ \t]*|(?:[-+*]|\d{1,9}[.)])[ \t]+)"
_NESTED = re.compile(rf"^([ \t]*{_MARK}{{{MAX_NESTING}}}){_MARK}+", re.MULTILINE)
_INDENTED = re.compile(rf"^[ \t]{{{4 * MAX_NESTING},}}", re.MULTILINE)

# They reverse text on the screen, and no language needs them in an answer.
_DIRECTION_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])

_JOINER = "\u200d"
_SKIN_TONES, _TAGS, _FLAG_LETTERS = range(0x1F3FB, 0x1F400), range(0xE0020, 0xE0080), range(0x1F1E6, 0x1F200)

# Where a message may end, best first: after a paragraph, a line, a sentence, a word.
_BREAKS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？；][”’」』）]*"),
    re.compile(r"\s+|[，、：]"),
)
# A break before this part of a message is used only if there is no later one of any kind.
_GOOD_FILL = 0.5


@dataclass(frozen=True, slots=True)
class Piece:
    """One message to send."""

    text: str  # at most 4096 UTF-16 units, never blank. To be sent alone if Telegram refuses the entities
    entities: tuple[MessageEntity, ...] = ()  # formatting of ``text``; offsets and lengths in UTF-16 units


def to_pieces(markdown: str, *, cut_note: str = "…", limit: int = MAX_PIECE_UTF16) -> tuple[Piece, ...]:
    """Turn an answer of the agent into messages.

    Args:
        markdown: The answer; untrusted.
        cut_note: Plain text at the end of an answer that is cut, in the chat's language.
        limit: The longest text of a message, in UTF-16 units.

    Returns:
        The messages in order; none if nothing in the answer is visible.
    """
    source, was_cut = _bounded(_clean(markdown[: 2 * MAX_ANSWER_CHARS]))
    converted, raw = _convert(_INDENTED.sub(" " * 4 * MAX_NESTING, _NESTED.sub(r"\1", source)))
    text, grew = _bounded(converted)
    entities = _usable(raw, converted)
    if was_cut or grew:
        text = f"{text.rstrip()}\n\n{cut_note}"
    return tuple(itertools.islice(_split(text, entities, limit), MAX_PIECES))


def _clean(markdown: str) -> str:
    # Half a surrogate pair can't be encoded, and Telegram refuses NUL and other control characters.
    encodable = (
        markdown.encode("utf-8", "replace")
        .decode("utf-8")
        .translate(_STAND_INS)
        .translate(_DIRECTION_CONTROLS)
    )
    unified = encodable.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in unified if c in "\n\t" or unicodedata.category(c) != "Cc")


def _bounded(text: str) -> tuple[str, bool]:
    if len(text) <= MAX_ANSWER_CHARS:
        return text, False
    head = text[:MAX_ANSWER_CHARS]
    for pattern in _BREAKS:
        ends = [match.end() for match in pattern.finditer(head, int(MAX_ANSWER_CHARS * 0.9))]
        if ends:
            return head[: ends[-1]], True
    return head, True


def _convert(source: str) -> tuple[str, list[RawEntity]]:
    from telegramify_markdown import RenderConfig, convert  # here: `bot.startup` imports it meanwhile

    config = RenderConfig.isolated()
    symbols = config.markdown_symbol
    symbols.heading_level_1 = symbols.heading_level_2 = symbols.heading_level_3 = symbols.heading_level_4 = ""
    symbols.unordered_list_item = "•"
    try:
        text, entities = convert(_mended(source), latex_escape=False, config=config)
    except Exception:
        # Whatever hostile text does to the converter, the text itself still arrives.
        return source, []
    for entity in entities:
        if entity.url is not None:
            entity.url = entity.url.translate(_BACK)
    return text.translate(_BACK), entities


def _mended(source: str) -> str:
    """Return Markdown that the converter reads correctly; code stays as it is."""
    masked, codes = _mask_code(source)
    masked = _ADDRESS.sub(r"\1", masked)
    masked = _EMPHASIS.sub(_add_clear_edges, masked)
    masked = _NO_TABLE_ROW.sub(lambda line: line[0].replace("||", _BAR * 2), masked)
    parts = masked.split(_CODE)
    whole = "".join(part + code for part, code in zip(parts, [*codes, ""], strict=True))
    if whole.count("$") > MAX_FORMULA_MARKS:
        whole = whole.replace("$", _DOLLAR)
    return whole.replace("<", _LESS_THAN)


def _mask_code(source: str) -> tuple[str, list[str]]:
    """Return the text with one character for each piece of code, and the pieces."""
    masked: list[str] = []
    codes: list[str] = []
    plain: list[str] = []
    fence, block = "", list[str]()
    for line in _LINE_ENDS.split(source):
        found = _FENCE.match(line)
        if fence:
            block.append(line)
            if found and found[1].startswith(fence) and not found[2].strip():
                masked.append(_CODE)
                codes.append("".join(block))
                fence, block = "", []
        elif found and "`" not in found[2]:
            masked.append(_mask_spans("".join(plain), codes))
            plain, fence, block = [], found[1], [line]
        else:
            plain.append(line)
    masked.append(_mask_spans("".join(plain), codes))
    if block:
        masked.append(_CODE)
        codes.append("".join(block))
    return "".join(masked), codes


def _mask_spans(text: str, codes: list[str]) -> str:
    """Mask code within lines: what is between two equally long runs of backticks."""
    runs = [(run.start(), run.end()) for run in _TICKS.finditer(text)]
    next_like: dict[int, int] = {}
    latest: dict[int, int] = {}
    for number in reversed(range(len(runs))):
        length = runs[number][1] - runs[number][0]
        if length in latest:
            next_like[number] = latest[length]
        latest[length] = number
    masked: list[str] = []
    position = number = 0
    while number < len(runs):
        start, end = runs[number]
        closing = next_like.get(number)
        if closing is None or "\n\n" in text[end : runs[closing][0]]:
            number += 1
            continue
        masked += [text[position:start], _CODE]
        position = runs[closing][1]
        codes.append(text[start:position])
        number = closing + 1
    masked.append(text[position:])
    return "".join(masked)


def _add_clear_edges(emphasis: re.Match[str]) -> str:
    mark, inner, source = emphasis[1], emphasis[2], emphasis.string
    before, after = (
        source[max(0, emphasis.start() - 1) : emphasis.start()],
        source[emphasis.end() : emphasis.end() + 1],
    )
    start = _ZERO_WIDTH_SPACE if _is_of_unspaced_script(before) and _is_punctuation(inner[0]) else ""
    end = _ZERO_WIDTH_SPACE if _is_of_unspaced_script(after) and _is_punctuation(inner[-1]) else ""
    return f"{mark}{start}{inner}{end}{mark}"


def _is_of_unspaced_script(character: str) -> bool:
    """Return whether a character belongs to a script without spaces; in others 2**(n)**3 isn't bold."""
    return character.isalnum() and unicodedata.east_asian_width(character) in "WF"


def _is_punctuation(character: str) -> bool:
    return character == _CODE or unicodedata.category(character)[0] in "PS"


def _usable(raw: list[RawEntity], text: str) -> list[MessageEntity]:
    units = text.encode("utf-16-le")
    entities: list[MessageEntity] = []
    ends: dict[str, int] = {}
    for entity in sorted(raw, key=lambda one: (one.offset, -one.length)):
        # Telegram allows neither a quotation in a quotation nor a link in a link; the outer one counts.
        if entity.type in _NEVER_NESTED and entity.offset < ends.get(entity.type, 0):
            continue
        ends[entity.type] = entity.offset + entity.length
        if entity.type in _PLAIN_TYPES:
            language = entity.language if entity.type == MessageEntity.PRE else None
            entities.append(MessageEntity(entity.type, entity.offset, entity.length, language=language))
        elif entity.type == MessageEntity.TEXT_LINK and entity.url:
            shown = units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode(
                "utf-16-le", "replace"
            )
            if _may_lead(shown, entity.url):
                entities.append(MessageEntity(entity.type, entity.offset, entity.length, url=entity.url))
    return entities


def _may_lead(text: str, url: str) -> bool:
    """Return whether a text may carry a link: if the text names a host, the link must lead there."""
    # Telegram refuses the whole message for one URL that it can't parse.
    if not may_be_linked(url):
        return False
    named = _NAMED_HOST.match(text.strip())
    return named is None or _host(f"//{named[1]}") == _host(url)


def _host(url: str) -> str:
    try:
        return ascii_host(urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _split(text: str, entities: list[MessageEntity], most: int) -> Iterator[Piece]:
    offsets = [0, *accumulate(2 if ord(c) > 0xFFFF else 1 for c in text)]
    inside = _inside_entities(entities, offsets, most)
    begins = [bisect.bisect_left(offsets, one.offset) for one in entities]
    code = [(one.offset, one.offset + one.length) for one in entities if one.type == MessageEntity.PRE]
    start = 0
    while start < len(text):
        # Code that continues in the next message keeps its indentation.
        in_code = any(first < offsets[start] < last for first, last in code)
        if text[start] == "\n" or (text[start].isspace() and not in_code):
            start += 1
            continue
        limit = bisect.bisect_right(offsets, offsets[start] + most) - 1
        surplus = bisect.bisect_left(begins, start) + MAX_PIECE_ENTITIES
        is_whole = start == 0 and limit >= len(text)
        good = start + (limit - start) * _GOOD_FILL
        if not is_whole and surplus < len(begins) and good < begins[surplus] < limit:
            # Telegram shows text after its hundredth entity as plain; but that is better than many short messages.
            limit = begins[surplus]
        end = len(text) if limit >= len(text) else _break_before(text, start, limit, inside)
        piece = _piece(text, start, end, entities, offsets)
        if piece is not None:
            yield piece
        start = end


def _inside_entities(entities: list[MessageEntity], offsets: list[int], most: int) -> set[int]:
    """Return every position that is inside an entity which would fit into one message."""
    inside: set[int] = set()
    for entity in entities:
        if entity.length <= most:
            first = bisect.bisect_left(offsets, entity.offset)
            last = bisect.bisect_left(offsets, entity.offset + entity.length)
            inside.update(range(first + 1, last))
    return inside


def _break_before(text: str, start: int, limit: int, inside: set[int]) -> int:
    """Return the best position in ``(start, limit]`` to end a message."""
    good = start + int((limit - start) * _GOOD_FILL)
    fallback = None
    for pattern in _BREAKS:
        ends = [m.end() for m in pattern.finditer(text, start + 1, limit) if m.end() not in inside]
        if ends and ends[-1] >= good:
            return ends[-1]
        if ends and fallback is None:
            fallback = ends[-1]
    for position in range(limit, good, -1):
        if position not in inside and _is_between_characters(text, position):
            return position
    if fallback is not None:
        return fallback
    free = next(
        (p for p in range(good, start, -1) if p not in inside and _is_between_characters(text, p)), None
    )
    # Entities overlap for longer than a message: one of them has to be cut.
    return limit if free is None else free


def _is_between_characters(text: str, position: int) -> bool:
    """Return whether a cut here leaves accents, flags, skin tones and joined emoji whole."""
    before, after = text[position - 1], text[position]
    if _JOINER in (before, after) or unicodedata.category(after)[0] == "M":
        return False
    if ord(after) in _SKIN_TONES or ord(after) in _TAGS:
        return False
    if ord(before) in _FLAG_LETTERS and ord(after) in _FLAG_LETTERS:
        letters = position - 1
        while letters > 0 and ord(text[letters - 1]) in _FLAG_LETTERS:
            letters -= 1
        return (position - letters) % 2 == 0
    return True


def _piece(
    text: str, start: int, end: int, entities: list[MessageEntity], offsets: list[int]
) -> Piece | None:
    body = text[start:end].rstrip()
    if not any(unicodedata.category(c)[0] in "LNPS" for c in body):
        return None
    first, last = offsets[start], offsets[start + len(body)]
    clipped = []
    for entity in entities:
        offset = max(entity.offset, first)
        length = min(entity.offset + entity.length, last) - offset
        if length > 0:
            clipped.append(
                MessageEntity(entity.type, offset - first, length, url=entity.url, language=entity.language)
            )
    clipped.sort(key=lambda entity: (entity.offset, -entity.length))
    return Piece(body, tuple(clipped[:MAX_PIECE_ENTITIES]))
