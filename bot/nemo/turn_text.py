"""The text of the agent's answer: each part once, in order, without the meaningless final apology."""

import re
from dataclasses import dataclass

from bot.nemo import lenient_json as read
from bot.nemo.events import AgentText, Completeness, Event, ToolCall, ToolResult

MAX_CHARS = 200_000
"""Limit of one answer's text; the rest is dropped."""

MAX_BLOCKS = 100
"""Paragraphs of one answer; later ones join the last, so that each event costs the same."""

MIN_CUMULATIVE_CHARS = 3
"""A longer partial text that begins with the text before it repeats that; "ha" may well follow "ha"."""

APOLOGY_CHARS = 500
"""How near its end a text is searched for an apology: reading all of a long one for each event takes seconds."""

_SORRY = (
    r"(?:[\W_]|sorry|apologi[sz]e|apologies|unfortunately|oops|however|but|it|that|and|for|the|my|so|very|really|seems"
    r"|looks|like|appears|inconvenience|trouble|note|please|just|i['’]?m|i(?= (?:am|apologi[sz]e)\b)|am)*+"
)
_NO_REPORT = (
    r"(?:(?!\b(?:so|and|but|instead),? (?:I|we)\b|\b(?:missing|skipped|left out|instead)\b"
    r"|(?:\bnot|n['’]t) (?:be |been )?(?:add|appl|includ|plac)"
    r"|[.!]\s+(?:I|we)(?:['’]ve|\s+have)?\s+(?!apologi|am\b|was\b|could|can|recommend|suggest|encounter)\w).){0,300}\Z"
)
"""The rest of an apology: what was done about the issue is worth reading."""
_NO_REPORT_ZH = r"(?=\Z|[\s，,。.!！;；])(?:(?!所以|因此|于是|已|并|没有|没能|缺).){0,150}\Z"
_APOLOGY = re.compile(
    rf"(?:^|(?<=[.!?。！？…)\n])|,(?= (?:but|though|however)\b)|(?<=\w)(?=\s+I(?:['’]ve)?\s+encountered)){_SORRY}"
    r"\b(?:I|we)(?:['’]ve|\s+have|\s+seem\s+to\s+have|\s+also)?\s+"
    r"(?:encounter(?:ed)?|r[au]n\s+into|hit|experienced|faced)\s+(?:a|an|some|the)?\s*(?:temporary|transient)\s+"
    rf"(?:issue|problem|error|glitch|hiccup|difficult)\w*{_NO_REPORT}"
    r"|(?:^|(?<=[.!?。！？…，,\s]))(?:抱歉|很抱歉|对不起|不好意思|很遗憾|但是?|不过|似乎|好像|看起来|我|系统|刚才|[，,\s⚠️])*+"
    rf"(?:遇到|碰到|出现|发生)了?(?:一个|一些|一点|点)?(?:临时|暂时|短暂)性?的?(?:问题|故障|错误|状况|异常){_NO_REPORT_ZH}",
    re.IGNORECASE | re.DOTALL,
)
_NO_WORDS = re.compile(r"[\s\d.·…:-]*")
"""Numbers and dots alone, such as those that keep a stream alive."""


@dataclass(slots=True)
class _Block:
    text: str
    author: str
    open: bool  # more partial texts may follow, or the complete one
    unmarked: bool = False

    @property
    def is_noise(self) -> bool:
        return self.unmarked and _NO_WORDS.fullmatch(self.text) is not None


class TurnText:
    """Collects the texts of one agent turn.

    Partial texts are joined, and replaced by the complete text that repeats them. If the server does not mark its
    texts, one that repeats or contains everything since the last tool counts as complete, any other as partial.
    """

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._chars = 0

    def add(self, event: Event) -> bool:
        """Add an event.

        Returns:
            Whether the text may have changed.
        """
        match event:
            case AgentText(text, completeness, author) if text:
                if self._chars + len(text) > 2 * MAX_CHARS:
                    return False
                self._chars += len(text)
                self._add_text(text, completeness, author)
                return not text.isspace()
            case ToolCall() | ToolResult():
                for block in self._blocks:
                    # Unmarked texts before and after a tool are paragraphs; a marked partial text is still
                    # to be completed.
                    block.open = block.open and not block.unmarked
        return False

    @property
    def blocks(self) -> tuple[str, ...]:
        """The paragraphs, such as the texts before and after a tool ran."""
        texts = [read.join_surrogates(block.text).strip() for block in self._blocks if not block.is_noise]
        texts = [text for text in texts if text and read.data_in(text) is None]
        if texts and (apology := _APOLOGY.search(texts[-1], max(0, len(texts[-1]) - APOLOGY_CHARS))):
            before = texts[-1][: apology.start()].rstrip()
            if before:
                texts[-1] = before
            elif len(texts) > 1:
                texts.pop()
        return tuple(texts)

    @property
    def text(self) -> str:
        """The whole text so far; empty if there is none."""
        return "\n\n".join(self.blocks)[:MAX_CHARS]

    def _add_text(self, text: str, completeness: Completeness, author: str) -> None:
        current = next((b for b in reversed(self._blocks) if b.open and b.author == author), None)
        if completeness is Completeness.UNMARKED:
            current = current or next((b for b in reversed(self._blocks) if b.open), None)
            self._add_unmarked(text, author, current)
        elif completeness is Completeness.PARTIAL:
            if current is None:
                self._append(_Block(text, author, open=True))
            elif MIN_CUMULATIVE_CHARS < len(current.text) < len(text) and text.startswith(current.text):
                current.text = text  # Some servers repeat everything in each partial text.
            else:
                current.text += text
        elif current is not None and _repeats(text, current.text):
            current.text, current.open = text, False
        else:
            if current is not None:
                current.open = False
            self._append_new(text, author, is_open=False)

    def _append(self, block: _Block) -> None:
        if len(self._blocks) < MAX_BLOCKS:
            self._blocks.append(block)
        else:
            self._blocks[-1].text += f"\n\n{block.text}"

    def _append_new(self, text: str, author: str, *, is_open: bool) -> None:
        # Servers may send the same event in two forms, one that goes on, or all texts around the tools once more.
        last = self._blocks[-1].text.strip() if self._blocks else ""
        if not is_open and len(last) > MIN_CUMULATIVE_CHARS and text.strip().startswith(last):
            self._blocks[-1].text = text
        elif text.strip() != last and not self._is_whole(text):
            self._append(_Block(text, author, is_open, unmarked=is_open))

    def _is_whole(self, text: str) -> bool:
        if len(text) < sum(len(block.text.strip()) for block in self._blocks):
            return False  # The comparison takes time.
        return "".join(text.split()) == "".join("".join(block.text.split()) for block in self._blocks)

    def _add_unmarked(self, text: str, author: str, current: _Block | None) -> None:
        if current is None:
            self._append_new(text, author, is_open=True)
        elif len(text.strip()) > 3 and _repeats(text, current.text):
            # Shorter ones are partial: "ha" may well follow "ha". The block stays open: the next text may
            # contain this one too.
            current.text = text
            current.open = current.unmarked
        else:
            current.text += _joint(current.text, text) + text


def _repeats(complete: str, partial: str) -> bool:
    if 2 * len(complete) < len(partial):
        return False  # Comparing thousands of small pieces with all of the text would take quadratic time.
    complete, partial = complete.strip(), partial.strip()
    is_start = read.join_surrogates(complete).startswith(read.join_surrogates(partial))
    return is_start or complete.split() == partial.split()


def _joint(before: str, after: str) -> str:
    """Return a line end between unmarked paragraphs; parts of one sentence bring their own spaces."""
    return "\n" if before.endswith((".", "!", "?", ":")) and "A" <= after[0] <= "Z" else ""
