"""The agent's answer put together: each text once, in order, without the apology that means nothing."""

import re
from dataclasses import dataclass

from bot.nemo import read
from bot.nemo.events import Event, Text, TextPart, ToolCall, ToolResult

MAX_CHARS = 200_000
"""Of one turn's text. What comes after it is dropped."""

_APOLOGY = re.compile(
    r"(?:^|\s)(?:sorry[,.!]?\s+)?I(?:'ve|’ve| have)?\s+encountered\s+a\s+temporary\s+issue.{0,300}\Z",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(slots=True)
class _Block:
    text: str
    author: str
    open: bool  # pieces may follow, or their repetition
    unmarked: bool = False


class TurnText:
    """Collects the texts of one turn.

    Pieces are joined; the whole that repeats them takes their place. Where the server does not mark its
    texts, one that repeats or contains all that was said since the last tool counts as the whole, any
    other as a piece.
    """

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._chars = 0

    def add(self, event: Event) -> bool:
        """Take in an event.

        Returns:
            Whether the text may have changed.
        """
        match event:
            case Text(text, part, author) if text:
                if self._chars + len(text) > 2 * MAX_CHARS:
                    return False
                self._chars += len(text)
                self._add_text(text, part, author)
                return True
            case ToolCall() | ToolResult():
                for block in self._blocks:
                    # What a server says around its tools are paragraphs; marked pieces still wait for
                    # their whole.
                    block.open = block.open and not block.unmarked
        return False

    @property
    def blocks(self) -> tuple[str, ...]:
        """The texts, each complete in itself, such as what was said before and after a tool ran."""
        texts = [read.whole(block.text).strip() for block in self._blocks]
        texts = [text for text in texts if text]
        if texts and (found := _APOLOGY.search(texts[-1])):
            kept = texts[-1][: found.start()].rstrip()
            if kept:
                texts[-1] = kept
            elif len(texts) > 1:
                texts.pop()
        return tuple(texts)

    @property
    def text(self) -> str:
        """All of it, as it stands now; empty when nothing was said."""
        return "\n\n".join(self.blocks)[:MAX_CHARS]

    @property
    def failed_politely(self) -> bool:
        """Whether all that was said is "I encountered a temporary issue"."""
        blocks = self.blocks
        found = _APOLOGY.search(blocks[0]) if len(blocks) == 1 else None
        return found is not None and not blocks[0][: found.start()].strip()

    def _add_text(self, text: str, part: TextPart, author: str) -> None:
        current = next((b for b in reversed(self._blocks) if b.open and b.author == author), None)
        if part is TextPart.UNMARKED:
            current = current or next((b for b in reversed(self._blocks) if b.open), None)
            self._add_unmarked(text, author, current)
        elif part is TextPart.PIECE:
            if current is None:
                self._blocks.append(_Block(text, author, open=True))
            else:
                current.text += text
        elif current is not None and _repeats(text, current.text):
            current.text, current.open = text, False
        else:
            if current is not None:
                current.open = False
            self._append_whole(text, author)

    def _append_whole(self, text: str, author: str) -> None:
        # The same event in two shapes.
        if not self._blocks or self._blocks[-1].text.strip() != text.strip():
            self._blocks.append(_Block(text, author, open=False))

    def _add_unmarked(self, text: str, author: str, current: _Block | None) -> None:
        if current is None:
            last = self._blocks[-1].text.strip() if self._blocks else None
            if last != text.strip():
                self._blocks.append(_Block(text, author, open=True, unmarked=True))
        elif len(text.strip()) > 3 and _repeats(text, current.text):
            # Shorter ones are pieces: "ha" may well follow "ha". Stays open: the next may contain this one
            # too.
            current.text = text
            current.open = current.unmarked
        else:
            current.text += _joint(current.text, text) + text


def _repeats(whole: str, pieces: str) -> bool:
    whole, pieces = whole.strip(), pieces.strip()
    return read.whole(whole).startswith(read.whole(pieces)) or whole.split() == pieces.split()


def _joint(before: str, after: str) -> str:
    """Part the sentences of a server that sends paragraphs; pieces of one bring their own blanks."""
    return "\n" if before.endswith((".", "!", "?", ":")) and "A" <= after[0] <= "Z" else ""
