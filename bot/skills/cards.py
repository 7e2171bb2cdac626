"""Skill cards: what the bot is good at today, as Markdown files with YAML front matter.

A card is a ``SKILL.md`` as published for agent marketplaces. What its front matter lacks is found in the
body: a greeting as the first quote, a "Try saying" list, the size limit and the formats in a sentence. The
same words in another language stand beside it in ``SKILL.<language>.md``. Cards are other people's files:
everything read is bounded, and one that can't be read is reported and skipped.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Final

from bot.skills import body
from bot.skills.files import CardFile, Unreadable, read_card_file
from bot.skills.marks import card_mark, example_mark, link_name
from bot.words import bounded

DEFAULT_CARD: Final = "video-editing-ai-background"
BUILT_IN_DIR: Final = Path(__file__).parent / "cards"

INSTALL_DIRS: Final = (Path("~/.clawhub"), Path("~/.cursor/skills"))
"""Where marketplaces and editors put the cards that somebody installs."""

_LANGUAGE = "en"
_VERSION = "0.0.0"
_EMOJI = "🎬"

_MAX_CARDS = 200
_MAX_DEPTH = 4
_MAX_EMOJI_CHARS = 8

# Both go into HTTP headers; the name also into links (t.me/…?start=skill_<name>).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION_TEXT = re.compile(r"[\x21-\x7e]{1,32}")


@dataclass(frozen=True, slots=True)
class Card:
    """A skill card in one language.

    Args:
        name: Goes to NemoVideo as ``X-Skill-Source``; also the card's id.
        version: Goes to NemoVideo as ``X-Skill-Version``.
        display_name: What people read.
        description: One or two sentences, Markdown.
        emoji: Stands before the name.
        platform: Goes to NemoVideo as ``X-Skill-Platform``.
        greeting: How the bot introduces itself with this card, Markdown.
        examples: Requests to try, to be sent as they are.
        size_limit_bytes: The largest file that this skill takes.
        kinds: What files it takes, by extension; those it works best with first.
        body: The card's whole text, Markdown.
    """

    name: str
    version: str
    display_name: str
    description: str
    emoji: str
    platform: str
    greeting: str
    examples: tuple[str, ...]
    size_limit_bytes: int
    kinds: tuple[str, ...]
    body: str = field(repr=False)

    def takes(self, file_name: str) -> bool:
        """Whether a file of this name's kind is one that the card takes."""
        ending = PurePath(file_name).suffix.lower().lstrip(".")
        return body.KIND_ALIASES.get(ending, ending) in self.kinds

    @property
    def file_kinds(self) -> tuple[str, ...]:
        """The kinds of files that can be uploaded with it; a text file is a request and goes with every card."""
        return tuple(kind for kind in self.kinds if kind != "txt")

    @property
    def is_picky(self) -> bool:
        """Whether it leaves out kinds that NemoVideo takes."""
        return not set(body.NEMO_KINDS) <= set(self.kinds)


@dataclass(frozen=True, slots=True)
class CardProblem:
    """Why a card was skipped.

    Args:
        path: Its file.
        line: Where in the file, from 1.
        reason: In a few words.
    """

    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Cards:
    """All cards that could be read, and what is wrong with the others.

    Args:
        problems: Of those that could not.
        default: Name of the card for a chat that chose none.
    """

    problems: tuple[CardProblem, ...]
    default: str
    _by_name: Mapping[str, Mapping[str, Card]]

    def get(self, name: str, language: str = _LANGUAGE) -> Card | None:
        """The card of this name in a language; in the card's own when it has no translation."""
        translations = self._by_name.get(name)
        return None if translations is None else translations.get(language, translations[_LANGUAGE])

    def active(self, chosen: str | None, language: str = _LANGUAGE) -> Card:
        """The card that a chat works with.

        Args:
            chosen: Name of the one it chose, which may be gone; then the default counts, and should that be
                gone too, the first there is.
            language: As in :meth:`get`.
        """
        for name in (chosen, self.default):
            if name is not None and (card := self.get(name, language)) is not None:
                return card
        return self.in_language(language)[0]

    def named(self, said: str) -> str | None:
        """The name of the card that somebody means, by its name or as a link has it."""
        if said in self._by_name:
            return said
        return next((name for name in self._by_name if link_name(name) == said), None)

    def marked(self, mark: str) -> str | None:
        """The name of the card behind a button, see :func:`bot.skills.marks.card_mark`."""
        return next((name for name in self._by_name if card_mark(name) == mark), None)

    def example(self, mark: str) -> str | None:
        """The request behind a button, in the words that it showed; None when the card has changed since."""
        name = self.marked(mark.partition(".")[0])
        if name is None:
            return None
        said = (text for card in self._by_name[name].values() for text in card.examples)
        return next((text for text in said if example_mark(name, text) == mark), None)

    def in_language(self, language: str) -> tuple[Card, ...]:
        """Every card, built-in ones first."""
        return tuple(t.get(language, t[_LANGUAGE]) for t in self._by_name.values())


def load_cards(
    dirs: Iterable[Path] = (), *, platform: str | None = None, default: str = DEFAULT_CARD
) -> Cards:
    """Read the built-in cards, then those of other folders. Of two of one name the later one counts.

    Args:
        dirs: Searched for ``SKILL.md`` four folders deep; a missing one is no error.
        platform: What every card gives as its platform, see :func:`platform_of`; by its path when None.
        default: Name of the card for a chat that chose none.
    """
    found: dict[str, dict[str, Card]] = {}
    problems: list[CardProblem] = []
    for path in _card_files([BUILT_IN_DIR, *dirs]):
        try:
            card = _read_card(path, platform or platform_of(path))
        except Unreadable as error:
            problems.append(CardProblem(path, error.line, error.reason))
            continue
        found[card.name] = {_LANGUAGE: card}
        for translated in sorted(path.parent.glob("SKILL.*.md")):
            language = translated.name.removeprefix("SKILL.").removesuffix(".md")
            try:
                found[card.name][language] = _translated(card, translated)
            except Unreadable as error:
                problems.append(CardProblem(translated, error.line, error.reason))
    return Cards(tuple(problems), default, found)


def platform_of(path: Path) -> str:
    """Where a card was installed from, by its path: the contract's ``X-Skill-Platform``."""
    parts = path.expanduser().parts
    if ".clawhub" in parts:
        return "clawhub"
    if (".cursor", "skills") in pairwise(parts):
        return "cursor"
    return "unknown"


def _card_files(dirs: Iterable[Path]) -> Iterator[Path]:
    count = 0
    for top in dirs:
        try:
            root = top.expanduser()
        except RuntimeError:  # This user has no home, as in some containers.
            continue
        for folder, children, names in os.walk(root):
            here = Path(folder)
            children.sort()
            if len(here.relative_to(root).parts) >= _MAX_DEPTH:
                children.clear()
            if "SKILL.md" in names:
                count += 1
                if count > _MAX_CARDS:
                    return
                yield here / "SKILL.md"


def _read_card(path: Path, platform: str) -> Card:
    file = read_card_file(path)
    front, text = file.front, file.body
    name = body.one_line(front.get("name")) or path.parent.name
    if not _NAME.fullmatch(name):
        raise Unreadable(file.line_of("name:"), f"not a name that fits into a header: {bounded(name, 40)!r}")
    version = body.one_line(front.get("version")) or body.version(text) or _VERSION
    if not _VERSION_TEXT.fullmatch(version):
        raise Unreadable(file.line_of("version:"), f"not a version: {bounded(version, 40)!r}")
    description = body.bounded_text(front.get("description")) or body.first_paragraph(text)
    if not text and not description:
        raise Unreadable(1, "says nothing: neither a description nor a body")
    return Card(
        name=name,
        version=version,
        display_name=_display_name(file) or name,
        description=description,
        emoji=_emoji(front) or body.emoji(text) or _EMOJI,
        platform=platform,
        greeting=body.greeting(text) or description,
        examples=body.examples(text),
        size_limit_bytes=body.size_limit_bytes(text),
        kinds=body.kinds(text),
        body=text,
    )


def _translated(card: Card, path: Path) -> Card:
    file = read_card_file(path)
    return replace(
        card,
        display_name=_display_name(file) or card.display_name,
        description=body.bounded_text(file.front.get("description")) or card.description,
        greeting=body.greeting(file.body) or card.greeting,
        examples=body.examples(file.body) or card.examples,
        body=file.body or card.body,
    )


def _display_name(file: CardFile) -> str:
    return body.one_line(file.front.get("displayName")) or body.title(file.body)


def _emoji(front: Mapping[str, object]) -> str:
    metadata = front.get("metadata")
    publisher = metadata.get("openclaw") if isinstance(metadata, dict) else None
    emoji = publisher.get("emoji") if isinstance(publisher, dict) else None
    return bounded(body.one_line(emoji), _MAX_EMOJI_CHARS)
