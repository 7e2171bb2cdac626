"""Removes instructions for a screen from the agent's answers: the agent assumes that people see its web page.

Tables define what counts as such screen talk and what it means, see :mod:`bot.words.screen_table`. The smallest unit
is removed: a clause, a sentence, or a list item. Nothing is added or changed, so that what the agent says about the
content stays word for word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.words.phrases import simplified
from bot.words.screen_table import Row, ScreenAction, table

__all__ = ["CleanedAnswer", "ScreenAction", "remove_screen_talk"]


@dataclass(frozen=True, slots=True)
class CleanedAnswer:
    """An answer without screen talk."""

    text: str  # the remaining text; empty if all of it was screen talk
    actions: frozenset[ScreenAction] = frozenset()  # what the removed instructions stand for
    edits: tuple[str, ...] = ()  # for ``EDIT``, the instructions in the agent's own words, to be sent to it
    buttons: tuple[str, ...] = ()  # names of buttons that stand for nothing: pressing is a word to the agent


MAX_CLAUSE_CHARS = 300
"""A longer clause is kept: no instruction is that long, and matching takes limited time."""

MAX_EDIT_CHARS = 300
MAX_EDITS = 5
MAX_BUTTONS = 3
MAX_BUTTON_CHARS = 60

MAX_PASSES = 8  # a removal joins other words, which may be screen talk then; rarely more than once


def remove_screen_talk(text: str) -> CleanedAnswer:
    """Remove screen talk from an answer, and return what it stands for.

    Example: ``remove_screen_talk("I trimmed it, and you can click Export.").text == "I trimmed it."``

    The last sentence of an answer that is still being streamed may stay until it is complete. Code, quotations and
    clauses with a web address are kept.
    """
    lowered = simplified(text.casefold())
    rows = [row for row in table().rows if any(word in lowered for word in row.words)]
    if not rows:
        return CleanedAnswer(text)
    removed = _Removed()
    for _ in range(MAX_PASSES):
        shorter = _remove(text, rows, removed)
        if shorter == text:
            break
        text = shorter
    return CleanedAnswer(
        text,
        frozenset(removed.actions),
        tuple(removed.edits[:MAX_EDITS]),
        tuple(removed.buttons[:MAX_BUTTONS]),
    )


@dataclass(slots=True)
class _Removed:
    actions: set[ScreenAction] = field(default_factory=set)
    edits: list[str] = field(default_factory=list)
    buttons: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Sentence:
    text: str
    masked: str
    rest: str


@dataclass(slots=True)
class _Line:
    text: str
    prefix: str = ""
    sentences: list[_Sentence] = field(default_factory=list)

    @property
    def is_removed(self) -> bool:
        return bool(self.sentences) and not _CONTENT.search("".join(s.rest for s in self.sentences))

    @property
    def is_item(self) -> bool:
        return bool(self.prefix.strip()) and not self.is_heading

    @property
    def is_heading(self) -> bool:
        return self.prefix.lstrip().startswith("#")


@dataclass(frozen=True, slots=True)
class _Clause:
    text: str
    normalized: str
    after: str  # the separator before the next one


# Quotations and names, such as those of buttons: their content is not the agent's own speech.
_QUOTED = re.compile(
    r"`[^`\n]{1,200}`|\"[^\"\n]{1,200}\"|“[^”\n]{1,200}”|(?<!\w)[‘'][^’'\n]{1,80}[’'](?!\w)|「[^」\n]{1,200}」"
    r"|『[^』\n]{1,200}』|《[^》\n]{1,200}》|«[^»\n]{1,200}»|\[[^\]\n]{1,80}\]|【[^】\n]{1,80}】"
)
_MASK = "■"
_PARENTHESES = re.compile(r"\s?(?:\(([^()\n]{1,300})\)|（([^（）\n]{1,300})）)")
_HIDDEN = "▢"
_ADDRESS = re.compile(r"https?://|\bwww\.", re.IGNORECASE)
_MARKUP = re.compile(r"[*_~▢]+")
_CONTENT = re.compile(r"\w|[^\x00-\u2fff\u3000-\u303f\ufe00-\uffff]")  # a letter, a digit, an emoji
_FENCE = re.compile(r"\s*(?:```|~~~)")
_PREFIX = re.compile(
    r"\s{0,40}(?:>\s?){0,5}"
    r"(?:(?:[-+*•·‣▪◦–]|\d{1,3}[.)]|#{1,6})\s+|\d{1,3}[、．]\s?|\d\ufe0f?\u20e3\s?|[①-⑳]\s?"
    r"|(?:\*\*)?step \d{1,2}(?:\*\*)?[:.]\s?|第[一二三四五六七八九十]步[：:，]?)?",
    re.IGNORECASE,
)
_CLOSERS = r"[\"'”’」』）)*_]{0,6}"
_EMOJI = "[\U0001f000-\U0001faff☀-➿\ufe0f\u200d]"  # at the end of a sentence they belong to it
_PICTURES = re.compile(_EMOJI)
_END = re.compile(
    rf"(?:(?<!e\.g)(?<!i\.e)(?<!vs)(?<!approx)(?:[.!?]{{1,10}}|…{{1,6}}){_CLOSERS}(?:\s+|$)"
    rf"|[。！？]{{1,10}}{_CLOSERS}\s*)(?:{_EMOJI}{{1,12}}\s*)?"
)
_TERMINAL = re.compile(rf"[.!?。！？…:：]{{0,10}}{_CLOSERS}\s{{0,20}}(?:{_EMOJI}{{1,12}}\s{{0,20}})?$")


def _remove(text: str, rows: Sequence[Row], removed: _Removed) -> str:
    lines = _lines(text)
    previous_removed = False
    for line in lines:
        for sentence in line.sentences:
            sentence.rest = _rest_of(sentence, rows, removed, previous_removed)
            previous_removed = not sentence.rest
        if not line.sentences and line.text.strip():
            previous_removed = False
    if all(s.rest == s.text for line in lines for s in line.sentences):
        return text
    _remove_leads(lines)
    return _join_lines(lines)


def _lines(text: str) -> list[_Line]:
    lines = []
    fenced = False
    for raw in text.split("\n"):
        line = _Line(raw)
        fence = _FENCE.match(raw) is not None
        fenced ^= fence
        if not fenced and not fence and raw.strip():
            match = _PREFIX.match(raw)
            line.prefix = match.group() if match else ""
            line.sentences = _sentences(raw[len(line.prefix) :])
        lines.append(line)
    return lines


def _sentences(body: str) -> list[_Sentence]:
    masked = _QUOTED.sub(_mask, body)
    sentences = []
    start = 0
    for match in _END.finditer(_PARENTHESES.sub(lambda m: _HIDDEN * len(m.group()), masked)):
        sentences.append((start, match.end()))
        start = match.end()
    if start < len(body):
        sentences.append((start, len(body)))
    return [_Sentence(body[a:b], masked[a:b], body[a:b]) for a, b in sentences]


def _mask(match: re.Match[str]) -> str:
    quoted = match.group()
    # A sentence may end inside of quotation marks.
    tail = 2 if quoted[-2] in ".!?。！？" else 0
    return _MASK * (len(quoted) - tail) + quoted[len(quoted) - tail :]


def _rest_of(sentence: _Sentence, rows: Sequence[Row], removed: _Removed, previous_removed: bool) -> str:
    text, masked = sentence.text, sentence.masked
    if previous_removed and table().follows.search(_normalize(masked)) and not _ADDRESS.search(text):
        return ""
    for match in reversed(list(_PARENTHESES.finditer(masked))):
        inside = _Sentence(text[match.start() : match.end()], match.group(1) or match.group(2), "")
        whole = _Clause(inside.text, _normalize(inside.masked), "")
        if _take_screen_talk(whole, rows, removed):
            text, masked = (s[: match.start()] + s[match.end() :] for s in (text, masked))
    masked = _PARENTHESES.sub(lambda m: _HIDDEN * len(m.group()), masked)
    clauses, terminal = _clauses(text, masked)
    is_removed = [_take_screen_talk(clause, rows, removed) for clause in clauses]
    if not any(is_removed):
        return text
    _remove_dependents(clauses, is_removed)
    return _rejoin(clauses, is_removed, terminal)


def _clauses(text: str, masked: str) -> tuple[list[_Clause], str]:
    end = _TERMINAL.search(masked)
    stop = end.start() if end else len(masked)
    clauses = []
    start = 0
    for match in table().breaks.finditer(masked, 0, stop):
        if match.start() > start:
            clauses.append(_clause(text, masked, start, match.start(), match.group()))
            start = match.end()
    clauses.append(_clause(text, masked, start, stop, ""))
    return clauses, text[stop:]


def _clause(text: str, masked: str, start: int, end: int, after: str) -> _Clause:
    return _Clause(text[start:end], _normalize(masked[start:end]), after)


def _normalize(masked: str) -> str:
    """Return a clause for matching: lower case, without markup and emoji, quotations and spaces as one character."""
    if len(masked) > MAX_CLAUSE_CHARS:
        return ""
    plain = _PICTURES.sub("", _MARKUP.sub("", simplified(masked.casefold()).replace("’", "'")))
    plain = re.sub(f"{_MASK}+", _MASK, " ".join(plain.split()))
    return re.sub(rf"^[^\w{_MASK}]+", "", plain)


def _take_screen_talk(clause: _Clause, rows: Sequence[Row], removed: _Removed) -> bool:
    """Return whether a clause talks about the screen, and add what it asks for to ``removed``."""
    if _ADDRESS.search(clause.text) or table().content.search(clause.normalized):
        return False
    matched = [
        row
        for row in rows
        if row.pattern.search(clause.normalized) and not (row.unless and row.unless.search(clause.normalized))
    ]
    action_of_button = _action_of_name(clause) if any(row.named for row in matched) else None
    for row in matched:
        action = action_of_button if row.named and action_of_button else row.action
        if action:
            removed.actions.add(action)
        if action is None and row.named:
            removed.buttons += (name for name in _buttons_of(clause) if name not in removed.buttons)
        if action is ScreenAction.EDIT:
            edit = _extract_edit(clause.text)
            if edit not in removed.edits:
                removed.edits.append(edit)
    return bool(matched)


def _buttons_of(clause: _Clause) -> list[str]:
    """Return the names of the buttons that a clause says to press: quotations, or a word for going on."""
    match = table().presses.search(clause.normalized)
    if match is None:
        return []
    name = next(word for word in match.groups() if word)
    if _MASK in name:
        before = clause.normalized.count(_MASK, 0, match.start(match.lastindex or 0))
        quoted = _QUOTED.findall(clause.text)[before : before + name.count(_MASK)]
        names = [one[1:-1].strip(" *_.!。！") for one in quoted]
    else:
        at = simplified(clause.text.casefold()).find(name)
        name = clause.text[at : at + len(name)] if at >= 0 else name
        names = [name[:1].upper() + name[1:]]
    return [one for one in names if 0 < len(one) <= MAX_BUTTON_CHARS and _CONTENT.search(one)]


def _action_of_name(clause: _Clause) -> ScreenAction | None:
    lowered = simplified(clause.text.casefold())
    return next((action for pattern, action in table().names if pattern.search(lowered)), None)


def _extract_edit(clause: str) -> str:
    words = _MARKUP.sub("", clause).strip()
    for pattern in table().before_edit:
        words = pattern.sub("", words, count=1).strip() or words
    return words[:MAX_EDIT_CHARS]


def _remove_dependents(clauses: Sequence[_Clause], is_removed: list[bool]) -> None:
    """Mark the clauses that mean nothing without those that are removed."""
    known = table()
    last = len(clauses) - 1
    for at in range(last - 1, -1, -1):
        label = clauses[at].after.strip() in (":", "：") and len(clauses[at].normalized.split()) <= 4
        if is_removed[at + 1] and (label or known.opens.search(clauses[at].normalized)):
            is_removed[at] = True
    opens = [known.opens.search(clause.normalized) is not None for clause in clauses]
    continues = [known.continues.search(clause.normalized) is not None for clause in clauses]
    for at in range(1, last + 1):
        of_the_next = opens[at] and at < last and not is_removed[at + 1] and not continues[at + 1]
        if is_removed[at - 1] and not of_the_next and (opens[at] or continues[at]):
            is_removed[at] = True


def _rejoin(clauses: Sequence[_Clause], is_removed: Sequence[bool], terminal: str) -> str:
    rest = ""
    last_kept = None
    for at, clause in enumerate(clauses):
        if is_removed[at]:
            continue
        rest += (clauses[at - 1].after if last_kept is not None else "") + clause.text
        last_kept = at
    if not _CONTENT.search(rest):
        return ""
    if last_kept != len(clauses) - 1:
        rest = rest.rstrip()
        terminal = terminal.replace(":", "").replace("：", "")
    rest += terminal
    # A bold passage that lost its start or end becomes plain.
    return rest.replace("**", "") if rest.count("**") % 2 else rest


def _remove_leads(lines: Sequence[_Line]) -> None:
    """Remove what only introduced something removed: a question, the line before a list, a heading."""
    leads = table().leads
    for at in range(len(lines) - 1, -1, -1):
        # A remaining line ends every search from above, so that all searches together read each line once.
        if lines[at].is_removed or not lines[at].sentences:
            continue
        next_removed = _is_removed_below(lines, at)
        for sentence in reversed(lines[at].sentences):
            if next_removed and sentence.rest == sentence.text and leads.search(_normalize(sentence.masked)):
                sentence.rest = ""
            next_removed = not sentence.rest
        opening = lines[at].text.strip().rstrip("*_ ").endswith((":", "："))
        if (opening or lines[at].is_heading) and not lines[at].is_removed and _is_removed_below(lines, at):
            _remove_opening(lines[at])


def _is_removed_below(lines: Sequence[_Line], at: int) -> bool:
    """Return whether all that a line can introduce was removed: the next line, a whole list, a heading's section."""
    count = 0
    for line in lines[at + 1 :]:
        if not line.text.strip():
            continue
        if count and not lines[at].is_heading and not line.is_item:
            return True
        if not line.is_removed or line.is_heading:
            return count > 0 and line.is_heading
        count += 1
    return count > 0


def _remove_opening(line: _Line) -> None:
    if line.is_heading:
        for sentence in line.sentences:
            sentence.rest = ""
        return
    sentence = line.sentences[-1]
    clauses, _ = _clauses(sentence.rest, _QUOTED.sub(_mask, sentence.rest))
    sentence.rest = _rejoin(clauses, [False] * (len(clauses) - 1) + [True], "")


def _join_lines(lines: Sequence[_Line]) -> str:
    result: list[str] = []
    dropped = False
    for line in lines:
        if line.is_removed:
            dropped = True
            continue
        blank = not line.text.strip()
        if dropped and blank and (not result or not result[-1].strip()):
            continue
        text = line.text
        if any(s.rest != s.text for s in line.sentences):
            text = (line.prefix + "".join(s.rest for s in line.sentences)).rstrip()
        result.append(text)
        dropped = dropped and blank
    return "\n".join(result).strip()
