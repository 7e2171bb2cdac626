"""Reads a card's file within limits: its front matter and its body, or the line of a problem."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from frontmatter.default_handlers import YAMLHandler

from bot.skills.mojibake import repair
from bot.words import bounded

_MAX_FILE_BYTES = 256 * 1024
_MAX_FRONT_MATTER_CHARS = 16 * 1024


class Unreadable(Exception):
    """A card's file can't be used."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CardFile:
    """The two parts of a card."""

    front: dict[str, object]  # the front matter's keys; empty if there is none
    body: str  # the Markdown below it
    lines: tuple[str, ...]  # the whole file's lines

    def line_of(self, prefix: str) -> int:
        """Return the number of the first line that starts with the prefix, from 1; 1 if none does."""
        return next((n for n, line in enumerate(self.lines, 1) if line.startswith(prefix)), 1)


def read_card_file(path: Path) -> CardFile:
    """Read the two parts of a card.

    Raises:
        Unreadable: The file is not text, too long, or its front matter is not plain YAML.
    """
    text = _read_text(path)
    stripped = text.strip()
    first_line = text[: len(text) - len(text.lstrip())].count("\n") + 1
    lines = tuple(text.split("\n"))
    handler = YAMLHandler()
    if not handler.detect(stripped):
        return CardFile({}, stripped, lines)
    try:
        front, body = handler.split(stripped)
    except ValueError:
        raise Unreadable(first_line, "the front matter is not closed with ---") from None
    if len(front) > _MAX_FRONT_MATTER_CHARS:
        raise Unreadable(first_line, "the front matter is too long")
    return CardFile(_load_yaml(front, first_line), body.strip(), lines)


def _read_text(path: Path) -> str:
    try:
        if not path.is_file():
            raise Unreadable(1, "not a regular file")
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Unreadable(1, error.strerror or "can't be read") from error
    if len(raw) > _MAX_FILE_BYTES:
        raise Unreadable(1, f"more than {_MAX_FILE_BYTES // 1024} kB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(raw[: error.start].count(b"\n") + 1, "not UTF-8") from error
    return repair(text.replace("\r\n", "\n").replace("\r", "\n"))


def _load_yaml(front: str, first_line: int) -> dict[str, object]:
    try:
        loaded = yaml.load(front, Loader=_BoundedLoader)  # noqa: S506 - a SafeLoader that accepts even less
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        raise Unreadable(first_line + line, f"not YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise Unreadable(first_line, f"not YAML: {bounded(str(error), 120)}") from error
    except RecursionError as error:
        raise Unreadable(first_line, "not YAML: nested too deeply") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise Unreadable(first_line + 1, "the front matter is not a table of keys")
    return {str(key): value for key, value in loaded.items()}


class _BoundedLoader(yaml.SafeLoader):
    """Loads plain YAML without aliases, by which a few lines could expand to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # a gap in its stubs
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", mark)
        return super().compose_node(parent, index)
