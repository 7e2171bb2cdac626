"""The three parse modes: HTML, MarkdownV2 and the old Markdown, with Telegram's error messages."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bot.sandbox.botapi.entities import Entity, utf16_len
from bot.sandbox.botapi.errors import ApiError, bad_request

Lookup = Callable[[int], dict[str, Any] | None]
"""Finds a user by ID, for mentions without a username."""


def parse(text: str, mode: str, user_of: Lookup) -> tuple[str, list[Entity]]:
    """Parse a text's markup into entities.

    Args:
        text: As the bot sent it.
        mode: The ``parse_mode`` in any case; empty for none.
        user_of: Returns the user behind ``tg://user?id=…``.

    Raises:
        ApiError: The markup is invalid, or the mode unknown.
    """
    match mode.lower():
        case "":
            return text, []
        case "html":
            return _Html(text, user_of).parse()
        case "markdownv2":
            return _MarkdownV2(text, user_of).parse()
        case "markdown":
            return _Markdown(text, user_of).parse()
    raise bad_request("unsupported parse_mode")


def _broken(words: str) -> ApiError:
    return bad_request(f"can't parse entities: {words}")


@dataclass(slots=True)
class _Open:
    """A piece of markup whose end hasn't been read yet."""

    kind: str
    start: int
    at_byte: int
    mark: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


class _Parser:
    def __init__(self, text: str, user_of: Lookup) -> None:
        self.text = text
        self.user_of = user_of
        self.at = 0
        self.out: list[str] = []
        self.length = 0
        self.entities: list[Entity] = []
        self.open: list[_Open] = []

    def byte(self, at: int) -> int:
        return len(self.text[:at].encode())

    def emit(self, text: str) -> None:
        self.out.append(text)
        self.length += utf16_len(text)

    def begin(self, kind: str, mark: str = "", extra: dict[str, Any] | None = None) -> None:
        self.open.append(_Open(kind, self.length, self.byte(self.at), mark, extra or {}))

    def finish(self, opened: _Open) -> None:
        length = self.length - opened.start
        if length > 0:
            self.entities.append(
                {"type": opened.kind, "offset": opened.start, "length": length, **opened.extra}
            )

    def finish_link(self, opened: _Open, url: str) -> None:
        """Finish a link or a mention without username; drop it if the URL is invalid."""
        user = _mentioned(url, self.user_of)
        if user is not None:
            opened.kind, opened.extra = "text_mention", {"user": user}
        elif (address := _address(url)) is not None:
            opened.kind, opened.extra = "text_link", {"url": address}
        else:
            return
        self.finish(opened)

    def result(self) -> tuple[str, list[Entity]]:
        return "".join(self.out), self.entities


def _mentioned(url: str, user_of: Lookup) -> dict[str, Any] | None:
    if not url.startswith("tg://user?"):
        return None
    number = parse_qs(urlsplit(url).query).get("id", ["0"])[0]
    return user_of(int(number)) if number.isdigit() else None


def _address(url: str) -> str | None:
    if url.startswith("tg://user?") or not url or any(character.isspace() for character in url):
        return None
    if "://" not in url:
        url = f"http://{url}"
    parts = urlsplit(url)
    if parts.scheme.lower() == "tg" or "." in parts.netloc or parts.netloc.startswith("["):
        return url if parts.path or parts.query or parts.scheme == "tg" else f"{url}/"
    return None


_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
_ATTRIBUTE = re.compile(r"\s*([^\s=>/]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+)))?")
_NAMED = re.compile(r"&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);?")


class _Html(_Parser):
    def parse(self) -> tuple[str, list[Entity]]:
        text = self.text
        while self.at < len(text):
            character = text[self.at]
            if character == "&" and (named := _NAMED.match(text, self.at)):
                self.emit(html.unescape(named[0]))
                self.at = named.end()
            elif character == "<":
                self._end_tag() if text.startswith("</", self.at) else self._start_tag()
            else:
                following = re.compile(r"[^<&]+").match(text, self.at)
                chunk = following[0] if following else character
                self.emit(chunk)
                self.at += len(chunk)
        if self.open:
            tag = self.open[-1]
            raise _broken(f'Can\'t find end tag corresponding to start tag "{tag.mark}"')
        return self.result()

    def _start_tag(self) -> None:
        start = self.at
        name = re.compile(r"<([^\s>/]*)").match(self.text, start)
        tag = name[1].lower() if name else ""
        if tag not in _TAGS:
            raise _broken(f'Unsupported start tag "{tag}" at byte offset {self.byte(start)}')
        at = start + 1 + len(tag)
        attributes: dict[str, str] = {}
        while at < len(self.text) and self.text[at] != ">":
            found = _ATTRIBUTE.match(self.text, at)
            if found is None:
                at += 1
                continue
            attributes[found[1].lower()] = html.unescape(found[2] or found[3] or found[4] or "")
            at = found.end()
        if at >= len(self.text):
            raise _broken(f"Unclosed start tag at byte offset {self.byte(start)}")
        if tag == "span" and attributes.get("class") != "tg-spoiler":
            raise _broken(f'Tag "span" must have class "tg-spoiler" at byte offset {self.byte(start)}')
        kind, extra = _TAGS[tag], {}
        if tag == "blockquote" and "expandable" in attributes:
            kind = "expandable_blockquote"
        elif tag == "code" and attributes.get("class", "").startswith("language-"):
            extra = {"language": attributes["class"].removeprefix("language-")}
        elif tag == "a":
            extra = {"href": attributes.get("href", "")}
        elif tag == "tg-emoji":
            extra = {"custom_emoji_id": attributes.get("emoji-id", "")}
        self.begin(kind, tag, extra)
        self.at = at + 1

    def _end_tag(self) -> None:
        start = self.at
        end = self.text.find(">", start)
        if not self.open:
            raise _broken(f"Unexpected end tag at byte offset {self.byte(start)}")
        if end < 0:
            raise _broken(f"Unclosed end tag at byte offset {self.byte(start)}")
        tag = self.text[start + 2 : end].strip().lower()
        opened = self.open.pop()
        if tag and tag != opened.mark:
            raise _broken(
                f"Unmatched end tag at byte offset {self.byte(start)}, "
                f'expected "</{opened.mark}>", found "</{tag}>"'
            )
        self.at = end + 1
        if opened.kind == "text_link":
            shown = "".join(self.out).encode("utf-16-le")[opened.start * 2 :].decode("utf-16-le")
            self.finish_link(opened, str(opened.extra["href"]) or shown)
        elif opened.kind == "code" and self.open and self.open[-1].kind == "pre":
            if "language" in opened.extra and self.open[-1].start == opened.start:
                self.open[-1].extra = opened.extra
        elif opened.kind == "code":
            opened.extra = {}
            self.finish(opened)
        else:
            self.finish(opened)


_NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
}
_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
_MARKS = {"__": "underline", "||": "spoiler", "*": "bold", "_": "italic", "~": "strikethrough"}


class _MarkdownV2(_Parser):
    def parse(self) -> tuple[str, list[Entity]]:
        quoted = False
        while True:
            line_start = self.at == 0 or (self.at <= len(self.text) and self.text[self.at - 1] == "\n")
            if line_start and quoted and not self.text.startswith(">", self.at):
                self._end_quote()
                quoted = False
            if self.at >= len(self.text):
                break
            rest = self.text[self.at :]
            if line_start and rest.startswith((">", "**>")) and not self._in_code():
                if not quoted:
                    self.begin("blockquote", ">")
                quoted = True
                self.at += 3 if rest.startswith("**>") else 1
                continue
            if quoted and re.match(r"\|\|(\n|$)", rest) and not any(o.mark == "||" for o in self.open):
                next(o for o in self.open if o.mark == ">").kind = "expandable_blockquote"
                self.at += 2
                continue
            self._one(rest)
        if quoted:
            self._end_quote()
        if self.open:
            raise self._unended(self.open[-1])
        return self.result()

    def _in_code(self) -> bool:
        return bool(self.open) and self.open[-1].kind in {"code", "pre"}

    def _unended(self, opened: _Open) -> ApiError:
        return _broken(f"Can't find end of {_NAMES[opened.kind]} entity at byte offset {opened.at_byte}")

    def _end_quote(self) -> None:
        if self.open[-1].mark != ">":
            raise self._unended(self.open[-1])
        opened = self.open.pop()
        if self.out and self.out[-1] == "\n":
            self.length -= 1
            self.finish(opened)
            self.length += 1
        else:
            self.finish(opened)

    def _one(self, rest: str) -> None:
        if rest[0] == "\\" and len(rest) > 1 and 0 < ord(rest[1]) <= 126:
            self.emit(rest[1])
            self.at += 2
        elif self._in_code():
            self._code(rest)
        elif rest[0] not in _RESERVED:
            self.emit(rest[0])
            self.at += 1
        elif rest[0] == "]" and self.open and self.open[-1].mark in {"[", "!["}:
            self._link()
        else:
            self._mark(rest)

    def _code(self, rest: str) -> None:
        mark = self.open[-1].mark
        if rest.startswith(mark):
            self.at += len(mark)
            self.finish(self.open.pop())
        else:
            self.emit(rest[0])
            self.at += 1

    def _mark(self, rest: str) -> None:
        if rest.startswith("```"):
            language = re.match(r"```([^\s`]+)\n|```\n?", rest)
            extra = {"language": language[1]} if language and language[1] else {}
            self.begin("pre", "```", extra)
            self.at += language.end() if language else 3
            return
        if rest[0] == "`":
            self.begin("code", "`")
            self.at += 1
            return
        if rest.startswith("!["):
            self.begin("custom_emoji", "![")
            self.at += 2
            return
        if rest[0] == "[":
            self.begin("text_link", "[")
            self.at += 1
            return
        innermost = self.open[-1].mark if self.open else ""
        mark = next((mark for mark in _MARKS if rest.startswith(mark)), None)
        if mark is None:
            raise _broken(f"Character '{rest[0]}' is reserved and must be escaped with the preceding '\\'")
        if innermost == mark:
            self.finish(self.open.pop())
        elif any(opened.mark == mark for opened in self.open):
            raise self._unended(self.open[-1])
        else:
            self.begin(_MARKS[mark], mark)
        self.at += len(mark)

    def _link(self) -> None:
        opened = self.open.pop()
        if not self.text.startswith("](", self.at):
            raise self._unended(opened)
        url = []
        at = self.at + 2
        while at < len(self.text) and self.text[at] != ")":
            if self.text[at] == "\\" and at + 1 < len(self.text):
                at += 1
            url.append(self.text[at])
            at += 1
        if at >= len(self.text):
            raise _broken(f"Can't find end of a URL at byte offset {self.byte(self.at + 2)}")
        self.at = at + 1
        address = "".join(url)
        if opened.kind == "custom_emoji":
            opened.extra = {"custom_emoji_id": parse_qs(urlsplit(address).query).get("id", [""])[0]}
            self.finish(opened)
        else:
            self.finish_link(opened, address)


class _Markdown(_Parser):
    def parse(self) -> tuple[str, list[Entity]]:
        text = self.text
        while self.at < len(text):
            character = text[self.at]
            if character == "\\" and text[self.at + 1 : self.at + 2] in set("_*`["):
                self.emit(text[self.at + 1 : self.at + 2])
                self.at += 2
            elif character in "_*`[":
                self._entity(character)
            else:
                self.emit(character)
                self.at += 1
        return self.result()

    def _entity(self, mark: str) -> None:
        """Read an entity of the old Markdown, which has no nesting and no escapes inside of one."""
        start = self.at
        if self.text.startswith("```", start):
            mark = "```"
        end_mark = "]" if mark == "[" else mark
        begin = start + len(mark)
        end = self.text.find(end_mark, begin)
        if end < 0:
            raise _broken(f"Can't find end of the entity starting at byte offset {self.byte(start)}")
        inner = self.text[begin:end]
        opened = _Open({"*": "bold", "_": "italic", "`": "code", "```": "pre", "[": "text_link"}[mark], 0, 0)
        opened.start = self.length
        if mark == "```" and (language := re.match(r"([^\s`]+)\n", inner)):
            opened.extra = {"language": language[1]}
            inner = inner[language.end() :]
        self.emit(inner)
        self.at = end + len(end_mark)
        if mark != "[":
            self.finish(opened)
            return
        target = re.compile(r"\(([^)]*)\)").match(self.text, self.at)
        if target:
            self.at = target.end()
            self.finish_link(opened, target[1])
