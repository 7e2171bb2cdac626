"""The agent believes that it talks to someone with a screen; this takes that talk out of its answers.

What counts as such talk, and what it means, stands in tables, see :mod:`bot.words.screen_table`. The unit taken
out is the smallest that speaks of the screen: a clause, a sentence, a list's line. Text is only ever taken out,
nothing is put in or changed, so what is said about the content stays word for word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.words.screen_table import Row, ScreenAction, table

__all__ = ["ScreenAction", "Translated", "translate"]


@dataclass(frozen=True, slots=True)
class Translated:
    """An answer as a chat should read it.

    Args:
        text: What is left; empty when all of it was about the screen.
        actions: What it told to do there.
        edits: For :attr:`Action.EDIT`, what can be sent to the agent instead, in the answer's own words.
    """

    text: str
    actions: frozenset[ScreenAction] = frozenset()
    edits: tuple[str, ...] = ()


MAX_CLAUSE_CHARS = 300
"""A longer clause is left as it is: no instruction is that long, and the patterns' time stays bounded."""

MAX_EDIT_CHARS = 300
MAX_EDITS = 5

MAX_PASSES = 8
"""Taking something out brings other words together, rarely more than once."""


def translate(text: str) -> Translated:
    """Take out what speaks of a screen, and name what it means.

    Example: ``translate("I trimmed the clip to 5 s, and you can click Export.").text == "I trimmed the clip to 5 s."``

    An unfinished sentence at the end, of an answer that is still coming, may stay until it is complete. Lines of
    code, quotations and clauses with a web address are left alone.

    Args:
        text: The agent's words, Markdown.
    """
    lowered = text.casefold()
    rows = [row for row in table().rows if any(word in lowered for word in row.words)]
    if not rows:
        return Translated(text)
    found = _Found()
    for _ in range(MAX_PASSES):
        shorter = _taken_out(text, rows, found)
        if shorter == text:
            break
        text = shorter
    return Translated(text, frozenset(found.actions), tuple(found.edits[:MAX_EDITS]))


@dataclass(slots=True)
class _Found:
    actions: set[ScreenAction] = field(default_factory=set)
    edits: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Sentence:
    text: str
    masked: str
    left: str


@dataclass(slots=True)
class _Line:
    text: str
    prefix: str = ""
    sentences: list[_Sentence] = field(default_factory=list)

    @property
    def gone(self) -> bool:
        return bool(self.sentences) and not _MEANT.search("".join(s.left for s in self.sentences))

    @property
    def item(self) -> bool:
        return bool(self.prefix.strip()) and not self.heading

    @property
    def heading(self) -> bool:
        return self.prefix.lstrip().startswith("#")


@dataclass(frozen=True, slots=True)
class _Clause:
    text: str
    probe: str
    after: str  # what parts it from the next one


# Quotations and names: what stands in them is not the agent speaking. A button's name is one too.
_QUOTED = re.compile(
    r"`[^`\n]{1,200}`|\"[^\"\n]{1,200}\"|“[^”\n]{1,200}”|(?<!\w)[‘'][^’'\n]{1,80}[’'](?!\w)|「[^」\n]{1,200}」"
    r"|『[^』\n]{1,200}』|《[^》\n]{1,200}》|«[^»\n]{1,200}»|\[[^\]\n]{1,80}\]|【[^】\n]{1,80}】"
)
_MASK = "■"
_PARENTHESES = re.compile(r"\s?(?:\(([^()\n]{1,300})\)|（([^（）\n]{1,300})）)")
_HIDDEN = "▢"
_ADDRESS = re.compile(r"https?://|\bwww\.", re.IGNORECASE)
_MARKUP = re.compile(r"[*_~▢]+")
_MEANT = re.compile(r"\w|[^\x00-\u2fff\u3000-\u303f\ufe00-\uffff]")  # a letter, a digit, an emoji
_FENCE = re.compile(r"\s*(?:```|~~~)")
_PREFIX = re.compile(
    r"\s{0,40}(?:>\s?){0,5}"
    r"(?:(?:[-+*•·‣▪◦–]|\d{1,3}[.)]|#{1,6})\s+|\d{1,3}[、．]\s?|\d\ufe0f?\u20e3\s?|[①-⑳]\s?"
    r"|(?:\*\*)?step \d{1,2}(?:\*\*)?[:.]\s?|第[一二三四五六七八九十]步[：:，]?)?",
    re.IGNORECASE,
)
_CLOSERS = r"[\"'”’」』）)*_]{0,6}"
_EMOJI = "[\U0001f000-\U0001faff☀-➿\ufe0f\u200d]"  # at a sentence's end they belong to it
_END = re.compile(
    rf"(?:(?<!e\.g)(?<!i\.e)(?<!vs)(?<!approx)(?:[.!?]{{1,10}}|…{{1,6}}){_CLOSERS}(?:\s+|$)"
    rf"|[。！？]{{1,10}}{_CLOSERS}\s*)(?:{_EMOJI}{{1,12}}\s*)?"
)
_TERMINAL = re.compile(rf"[.!?。！？…:：]{{0,10}}{_CLOSERS}\s{{0,20}}(?:{_EMOJI}{{1,12}}\s{{0,20}})?$")


def _taken_out(text: str, rows: Sequence[Row], found: _Found) -> str:
    lines = _lines(text)
    before_gone = False
    for line in lines:
        for sentence in line.sentences:
            sentence.left = _left_of(sentence, rows, found, before_gone)
            before_gone = not sentence.left
        if not line.sentences and line.text.strip():
            before_gone = False
    if all(s.left == s.text for line in lines for s in line.sentences):
        return text
    _drop_leads(lines)
    return _joined(lines)


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
    # A sentence may end inside the quotation marks.
    tail = 2 if quoted[-2] in ".!?。！？" else 0
    return _MASK * (len(quoted) - tail) + quoted[len(quoted) - tail :]


def _left_of(sentence: _Sentence, rows: Sequence[Row], found: _Found, before_gone: bool) -> str:
    text, masked = sentence.text, sentence.masked
    if before_gone and table().follows.search(_probe(masked)) and not _ADDRESS.search(text):
        return ""
    for match in reversed(list(_PARENTHESES.finditer(masked))):
        inside = _Sentence(text[match.start() : match.end()], match.group(1) or match.group(2), "")
        whole = _Clause(inside.text, _probe(inside.masked), "")
        if _is_screen_talk(whole, rows, found):
            text, masked = (s[: match.start()] + s[match.end() :] for s in (text, masked))
    masked = _PARENTHESES.sub(lambda m: _HIDDEN * len(m.group()), masked)
    clauses, terminal = _clauses(text, masked)
    gone = [_is_screen_talk(clause, rows, found) for clause in clauses]
    if not any(gone):
        return text
    _take_dependents(clauses, gone)
    return _rejoined(clauses, gone, terminal)


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
    return _Clause(text[start:end], _probe(masked[start:end]), after)


def _probe(masked: str) -> str:
    """A clause as the patterns see it: no case, no markup, each quotation one sign, single spaces."""
    if len(masked) > MAX_CLAUSE_CHARS:
        return ""
    plain = _MARKUP.sub("", masked.casefold().replace("’", "'"))
    plain = re.sub(f"{_MASK}+", _MASK, " ".join(plain.split()))
    return re.sub(rf"^[^\w{_MASK}]+", "", plain)


def _is_screen_talk(clause: _Clause, rows: Sequence[Row], found: _Found) -> bool:
    if _ADDRESS.search(clause.text) or table().content.search(clause.probe):
        return False
    matched = [
        row
        for row in rows
        if row.pattern.search(clause.probe) and not (row.unless and row.unless.search(clause.probe))
    ]
    named = _named(clause) if any(row.named for row in matched) else None
    for row in matched:
        action = named if row.named and named else row.action
        if action:
            found.actions.add(action)
        if action is ScreenAction.EDIT:
            edit = _edit_of(clause.text)
            if edit not in found.edits:
                found.edits.append(edit)
    return bool(matched)


def _named(clause: _Clause) -> ScreenAction | None:
    lowered = clause.text.casefold()
    return next((action for pattern, action in table().names if pattern.search(lowered)), None)


def _edit_of(clause: str) -> str:
    words = _MARKUP.sub("", clause).strip()
    for pattern in table().before_edit:
        words = pattern.sub("", words, count=1).strip() or words
    return words[:MAX_EDIT_CHARS]


def _take_dependents(clauses: Sequence[_Clause], gone: list[bool]) -> None:
    """Take along the clauses that say nothing without the ones that go."""
    known = table()
    last = len(clauses) - 1
    for at in range(last - 1, -1, -1):
        label = clauses[at].after.strip() in (":", "：") and len(clauses[at].probe.split()) <= 4
        if gone[at + 1] and (label or known.opens.search(clauses[at].probe)):
            gone[at] = True
    opens = [known.opens.search(clause.probe) is not None for clause in clauses]
    continues = [known.continues.search(clause.probe) is not None for clause in clauses]
    for at in range(1, last + 1):
        of_the_next = opens[at] and at < last and not gone[at + 1] and not continues[at + 1]
        if gone[at - 1] and not of_the_next and (opens[at] or continues[at]):
            gone[at] = True


def _rejoined(clauses: Sequence[_Clause], gone: Sequence[bool], terminal: str) -> str:
    left = ""
    last_kept = None
    for at, clause in enumerate(clauses):
        if gone[at]:
            continue
        left += (clauses[at - 1].after if last_kept is not None else "") + clause.text
        last_kept = at
    if not _MEANT.search(left):
        return ""
    if last_kept != len(clauses) - 1:
        left = left.rstrip()
        terminal = terminal.replace(":", "").replace("：", "")
    left += terminal
    # A bold passage that lost its beginning or end is plain.
    return left.replace("**", "") if left.count("**") % 2 else left


def _drop_leads(lines: Sequence[_Line]) -> None:
    """Take out what only led to something that is gone: a question, a list's opening line, a heading."""
    leads = table().leads
    for at in range(len(lines) - 1, -1, -1):
        # A line that is left ends every search from above, so all searches together read each line once.
        if lines[at].gone or not lines[at].sentences:
            continue
        below_gone = _is_gone_below(lines, at)
        for sentence in reversed(lines[at].sentences):
            if below_gone and sentence.left == sentence.text and leads.search(_probe(sentence.masked)):
                sentence.left = ""
            below_gone = not sentence.left
        opening = lines[at].text.strip().rstrip("*_ ").endswith((":", "："))
        if (opening or lines[at].heading) and not lines[at].gone and _is_gone_below(lines, at):
            _drop_opening(lines[at])


def _is_gone_below(lines: Sequence[_Line], at: int) -> bool:
    """Whether all that a line can lead to was taken out: the next line, a whole list, a heading's part."""
    gone = 0
    for line in lines[at + 1 :]:
        if not line.text.strip():
            continue
        if gone and not lines[at].heading and not line.item:
            return True
        if not line.gone or line.heading:
            return gone > 0 and line.heading
        gone += 1
    return gone > 0


def _drop_opening(line: _Line) -> None:
    if line.heading:
        for sentence in line.sentences:
            sentence.left = ""
        return
    sentence = line.sentences[-1]
    clauses, _ = _clauses(sentence.left, _QUOTED.sub(_mask, sentence.left))
    sentence.left = _rejoined(clauses, [False] * (len(clauses) - 1) + [True], "")


def _joined(lines: Sequence[_Line]) -> str:
    shown: list[str] = []
    dropped = False
    for line in lines:
        if line.gone:
            dropped = True
            continue
        blank = not line.text.strip()
        if dropped and blank and (not shown or not shown[-1].strip()):
            continue
        text = line.text
        if any(s.left != s.text for s in line.sentences):
            text = (line.prefix + "".join(s.left for s in line.sentences)).rstrip()
        shown.append(text)
        dropped = dropped and blank
    return "\n".join(shown).strip()
