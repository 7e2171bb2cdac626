"""Skill cards: Markdown files with YAML front matter that describe what the bot is good at.

A card is a ``SKILL.md`` as published for agent marketplaces. What its front matter lacks is found in the body: the
greeting as the first quote, a "Try saying" list, the size limit and the formats. ``SKILL.<language>.md`` beside it is
its translation. Cards are untrusted files: all that is read is limited, and an unreadable card is reported and skipped.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Final

from bot.skills import body, sections
from bot.skills.files import CardFile, Unreadable, read_card_file
from bot.words import bounded

DEFAULT_CARD: Final = "video-editor"
BUILT_IN_DIR: Final = Path(__file__).parent / "cards"

INSTALL_DIRS: Final = (Path("~/.clawhub"), Path("~/.cursor/skills"))
"""Where marketplaces and editors install cards."""

_LANGUAGE = "en"
_VERSION = "0.0.0"
_EMOJI = "🎬"

_MAX_CARDS = 200
_MAX_DEPTH = 4
_MAX_EMOJI_CHARS = 8

# Both go into HTTP headers; the name also into links (t.me/…?start=skill_<name>).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION_TEXT = re.compile(r"[\x21-\x7e]{1,32}")


LINK_PREFIX: Final = "skill_"
"""The prefix of a card's ``start`` parameter in ``t.me/<bot>?start=…``."""

# https://core.telegram.org/bots/features#deep-linking: at most 64 of these characters.
_LINK_CHARS = 64 - len(LINK_PREFIX)
_NOT_IN_LINKS = re.compile(r"[^A-Za-z0-9_-]")

# A button's data has 64 bytes, and a card's name alone may have as many characters: so buttons carry digests.
_MARK_CHARS = 12


@dataclass(frozen=True, slots=True)
class SkillCard:
    """A skill card in one language."""

    name: str  # the card's id, sent to NemoVideo as ``X-Skill-Source``
    version: str  # sent to NemoVideo as ``X-Skill-Version``
    display_name: str  # the name that people read
    description: str  # one or two sentences of Markdown
    emoji: str  # shown before the name
    platform: str  # sent to NemoVideo as ``X-Skill-Platform``
    greeting: str  # how the bot introduces itself with this card, in Markdown; empty if it has none
    examples: tuple[str, ...]  # requests to try; they are sent as they are
    size_limit_bytes: int  # the largest file that it accepts
    kinds: tuple[str, ...]  # the accepted file extensions, the best ones first
    best_kinds: tuple[str, ...]  # those that it works best with; empty if it names none
    usual_times_s: tuple[int, int] | None  # the shortest and the longest usual time of a request
    tips: tuple[str, ...]  # a few, in Markdown
    details: str = field(repr=False)  # what else to know, in Markdown; empty if there is nothing

    def takes(self, file_name: str) -> bool:
        """Return whether the card accepts files with this name's extension."""
        extension = PurePath(file_name).suffix.lower().lstrip(".")
        return body.KIND_ALIASES.get(extension, extension) in self.kinds

    @property
    def file_kinds(self) -> tuple[str, ...]:
        """The kinds of files that can be uploaded; a text file is a request, which every card accepts."""
        return tuple(kind for kind in self.kinds if kind != "txt")

    @property
    def best_formats(self) -> str:
        """The kinds that it works best with, as people write them: ``MP4 / MOV / WebM``."""
        return " / ".join(kind.upper().replace("WEB", "Web") for kind in self.best_kinds)

    @property
    def restricts_kinds(self) -> bool:
        """Return whether it refuses kinds that NemoVideo accepts."""
        return not set(body.NEMO_KINDS) <= set(self.kinds)


@dataclass(frozen=True, slots=True)
class CardProblem:
    """Why a card was skipped."""

    path: Path  # the card's file
    line: int  # the line of the problem, from 1
    reason: str  # the problem in a few words

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class SkillCards:
    """All readable cards, and the problems of the others."""

    problems: tuple[CardProblem, ...]  # why cards were skipped
    default: str  # the name of the card for a chat that chose none
    _by_name: Mapping[str, Mapping[str, SkillCard]]

    def get(self, name: str, language: str = _LANGUAGE) -> SkillCard | None:
        """Return the card of this name in a language, or untranslated if it has no translation."""
        translations = self._by_name.get(name)
        return None if translations is None else translations.get(language, translations[_LANGUAGE])

    def active(self, chosen: str | None, language: str = _LANGUAGE) -> SkillCard:
        """Return the card that a chat works with: the chosen one, else the default, else the first.

        Args:
            chosen: The name of the card that the chat chose, which may no longer exist.
            language: The language, as in :meth:`get`.
        """
        for name in (chosen, self.default):
            if name is not None and (card := self.get(name, language)) is not None:
                return card
        return self.in_language(language)[0]

    def named(self, text: str) -> str | None:
        """Return the name of the card with this name, or with this name in links."""
        if text in self._by_name:
            return text
        return next((name for name in self._by_name if link_name(name) == text), None)

    def marked(self, mark: str) -> str | None:
        """Return the name of the card with this :func:`card_mark`."""
        return next((name for name in self._by_name if card_mark(name) == mark), None)

    def example(self, mark: str) -> str | None:
        """Return the example with this :func:`example_mark`; None if the card has changed since."""
        name = self.marked(mark.partition(".")[0])
        if name is None:
            return None
        examples = (text for card in self._by_name[name].values() for text in card.examples)
        return next((text for text in examples if example_mark(name, text) == mark), None)

    def in_language(self, language: str) -> tuple[SkillCard, ...]:
        """Return every card in a language, built-in ones first."""
        return tuple(t.get(language, t[_LANGUAGE]) for t in self._by_name.values())


def link_name(name: str) -> str:
    """Return a card's name as used in links."""
    return _NOT_IN_LINKS.sub("_", name)[:_LINK_CHARS]


def card_mark(name: str) -> str:
    """Return the digest that identifies a card in a button."""
    return hashlib.sha256(name.encode()).hexdigest()[:_MARK_CHARS]


def example_mark(name: str, example: str) -> str:
    """Return the digests that identify one of a card's examples in a button; they change with its text."""
    return f"{card_mark(name)}.{card_mark(example)}"


def load_cards(
    dirs: Iterable[Path] = (), *, platform: str | None = None, default: str = DEFAULT_CARD
) -> SkillCards:
    """Read the built-in cards, then those of other directories; a later card replaces one of the same name.

    Args:
        dirs: Searched for ``SKILL.md`` four levels deep; a missing one is no error.
        platform: The platform of every card; by default that of its path, see :func:`platform_of`.
        default: The name of the card for a chat that chose none.
    """
    cards: dict[str, dict[str, SkillCard]] = {}
    problems: list[CardProblem] = []
    for path in _card_files([BUILT_IN_DIR, *dirs]):
        try:
            card = _read_card(path, platform or platform_of(path))
        except Unreadable as error:
            problems.append(CardProblem(path, error.line, error.reason))
            continue
        cards[card.name] = {_LANGUAGE: card}
        for translation in sorted(path.parent.glob("SKILL.*.md")):
            language = translation.name.removeprefix("SKILL.").removesuffix(".md")
            try:
                cards[card.name][language] = _translate(card, translation)
            except Unreadable as error:
                problems.append(CardProblem(translation, error.line, error.reason))
    return SkillCards(tuple(problems), default, cards)


def platform_of(path: Path) -> str:
    """Return where a card was installed from, by its path: the ``X-Skill-Platform``."""
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
        except RuntimeError:  # this user has no home directory, as in some containers
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


def _read_card(path: Path, platform: str) -> SkillCard:
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
        raise Unreadable(1, "empty: neither a description nor a body")
    return SkillCard(
        name=name,
        version=version,
        display_name=_display_name(file) or name,
        description=description,
        emoji=_emoji(front) or body.emoji(text) or _EMOJI,
        platform=platform,
        greeting=body.greeting(text),
        examples=body.examples(text),
        size_limit_bytes=body.size_limit_bytes(text),
        kinds=body.kinds(text),
        best_kinds=body.best_kinds(text),
        usual_times_s=sections.usual_times_s(text),
        tips=sections.tips(text),
        details=sections.details(text),
    )


def _translate(card: SkillCard, path: Path) -> SkillCard:
    """Return a card with the texts of a translation; what that lacks stays as it is."""
    file = read_card_file(path)
    return replace(
        card,
        display_name=_display_name(file) or card.display_name,
        description=body.bounded_text(file.front.get("description")) or card.description,
        greeting=body.greeting(file.body) or card.greeting,
        examples=body.examples(file.body) or card.examples,
        tips=sections.tips(file.body) or card.tips,
        details=sections.details(file.body) or card.details,
    )


def _display_name(file: CardFile) -> str:
    return body.one_line(file.front.get("displayName"))


def _emoji(front: Mapping[str, object]) -> str:
    metadata = front.get("metadata")
    publisher = metadata.get("openclaw") if isinstance(metadata, dict) else None
    emoji = publisher.get("emoji") if isinstance(publisher, dict) else None
    return bounded(body.one_line(emoji), _MAX_EMOJI_CHARS)
