"""The texts that people read, in every language with a catalogue.

A catalogue is ``locale/<language>/LC_MESSAGES/bot.po``, also for English; a message's id is a short dotted key. A new
language needs only a new directory. The parameter ``n`` selects a message's plural form.
"""

import gettext
import html
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.units import format_unit

DEFAULT_LANGUAGE: Final = "en"

MAX_PARAM_CHARS = 300  # untrusted texts are cut to this length, so that no name or file title fills a message
MAX_LINK_CHARS = 2048

# Control characters, bidirectional overrides and the like change how a name looks.
_CONTROLS = ("Cc", "Cf", "Cs", "Co")
# The zero-width joiner composes emoji.
_HARMLESS = "\n\u200d"


class Html(str):
    """A text that is already Telegram HTML and is not escaped again."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Catalogue:
    messages: dict[str, tuple[str, ...]]
    plural: Callable[[int], int]


class UnknownText(KeyError):
    """No catalogue has a text with this key."""


class Words:
    """The texts of one language.

    Example: ``Words("zh").text("progress.queued", position=2)``

    Args:
        language: A catalogue's name, see :func:`languages`; English for any other.
    """

    __slots__ = ("language",)

    def __init__(self, language: str) -> None:
        self.language = language if language in languages() else DEFAULT_LANGUAGE

    def text(self, key: str, **params: str | int | float) -> Html:
        """Return a text as Telegram HTML.

        Args:
            key: The message's id.
            params: The values of the text's ``{placeholders}``. Strings are escaped and cut to 300 characters,
                except :class:`Html`; numbers are formatted for the language.

        Raises:
            UnknownText: There is no such key.
            KeyError: A placeholder has no value.
        """
        values = {name: self._escape(value) for name, value in params.items()}
        return Html(self._template(key, params).format_map(values))

    def plain(self, key: str, **params: str | int | float) -> str:
        """Return a text without HTML, for button labels, toasts and command menus; see :meth:`text`."""
        values = {
            name: bounded(value) if isinstance(value, str) else self._number(value)
            for name, value in params.items()
        }
        return self._template(key, params).format_map(values)

    def duration(self, duration_s: float, *, tenths: bool = False) -> str:
        """Format a duration: ``45 s``, ``1 min 20 s``, ``2 h``, ``2 h 5 min``.

        Args:
            duration_s: The duration in seconds; a negative one counts as 0.
            tenths: Whether less than a minute has tenths of a second, as the times of an edit do.
        """
        if tenths and round(duration_s, 1) < 60:
            return self.plain("unit.seconds", seconds=max(0.0, round(duration_s, 1)))
        seconds = max(0, round(duration_s))
        if seconds < 60:
            return self.plain("unit.seconds", seconds=seconds)
        minutes, seconds = divmod(seconds, 60)
        if minutes < 60:
            if not seconds:
                return self.plain("unit.minutes", minutes=minutes)
            return self.plain("unit.minutes_seconds", minutes=minutes, seconds=seconds)
        hours, minutes = divmod(minutes, 60)
        if not minutes:
            return self.plain("unit.hours", hours=hours)
        return self.plain("unit.hours_minutes", hours=hours, minutes=minutes)

    def size(self, size_bytes: int) -> str:
        """Format a file's size. 1 MB is 1024 × 1024 bytes, as in Telegram, so that its limits are round numbers."""
        size = max(0, size_bytes)
        for unit, factor in (("gigabyte", 1024**3), ("megabyte", 1024**2)):
            if size >= factor:
                return format_unit(round(size / factor, 1), unit, "short", locale=self.language)
        return format_unit(-(-size // 1024), "kilobyte", "short", locale=self.language)

    def link(self, url: str, label: str) -> Html:
        """Return a link as Telegram HTML; the bare label if ``url`` is no web address or too long."""
        label = html.escape(bounded(label))
        if len(url) > MAX_LINK_CHARS or not _is_web_address(url):
            return Html(label)
        return Html(f'<a href="{html.escape(url)}">{label}</a>')

    def _template(self, key: str, params: dict[str, str | int | float]) -> str:
        catalogue = _catalogue(self.language)
        forms = catalogue.messages.get(key) or _catalogue(DEFAULT_LANGUAGE).messages.get(key)
        if not forms:
            raise UnknownText(key)
        if len(forms) == 1:
            return forms[0]
        return forms[catalogue.plural(int(params["n"]))]

    def _escape(self, value: str | int | float) -> str:
        if isinstance(value, Html):
            return value
        return html.escape(bounded(value)) if isinstance(value, str) else self._number(value)

    def _number(self, value: int | float) -> str:
        return format_decimal(value, locale=self.language)


def bounded(text: str, max_chars: int = MAX_PARAM_CHARS) -> str:
    """Return an untrusted text cut to ``max_chars`` and without control characters."""
    head = text[: max_chars * 4]
    clean = head
    if not head.isprintable():  # Most texts are, and this check is cheap.
        clean = "".join(c for c in head if c in _HARMLESS or unicodedata.category(c) not in _CONTROLS)
    if len(clean) <= max_chars and len(head) == len(text):
        return clean
    return clean[: max_chars - 1].rstrip() + "…"


@cache
def languages() -> tuple[str, ...]:
    """Return every language that has a catalogue, sorted."""
    root = files("bot.words") / "locale"
    names = (d.name for d in root.iterdir() if (d / "LC_MESSAGES" / "bot.po").is_file())
    return tuple(sorted(names))


def language_of(code: str | None) -> str:
    """Return the catalogue for Telegram's ``language_code`` or any BCP 47 tag.

    All Chinese, also Traditional, uses the Chinese catalogue; a language without a catalogue uses English.
    """
    primary = (code or "").replace("_", "-").split("-")[0].lower()
    return primary if primary in languages() else DEFAULT_LANGUAGE


@cache
def _catalogue(language: str) -> _Catalogue:
    resource = files("bot.words") / "locale" / language / "LC_MESSAGES" / "bot.po"
    with resource.open("rb") as file:
        catalog = read_po(file, locale=language)
    messages = {}
    for message in catalog:
        key = message.id if isinstance(message.id, str) else message.id[0]
        forms = (message.string,) if isinstance(message.string, str) else message.string or ()
        if key:
            messages[key] = tuple(form or "" for form in forms)
    return _Catalogue(messages, gettext.c2py(catalog.plural_expr))


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
