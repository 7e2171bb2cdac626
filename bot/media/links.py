"""Links in a message: which of them may be media that can be uploaded by link, and which are refused.

A link whose path ends like a media file, or that has a documented form for the file itself, counts as media. Any other
page may be one: only the service that fetches it can tell. Nothing here opens a connection: only that service learns
whether its host has a public address.
"""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, cast
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from bot.media.direct_links import direct_link
from bot.media.kinds import CONTENT_TYPES
from bot.runtime.hosts import MAX_LINK_CHARS, TOKEN_HOSTS, ascii_host, is_public_host, is_within

MEDIA_ENDINGS: Final = frozenset((*CONTENT_TYPES, "jpeg"))
"""File extensions of the types that NemoVideo takes; ``jpeg`` is another name of ``jpg``."""

MAX_LINKS = 10  # as many as an album has files

ALLOWED_PORTS: Final = frozenset({80, 443, 8080, 8443})
"""Ports of web servers. A link with any other port would probe another kind of server."""


SiteGroup = Literal["video", "music", "share", "telegram", "files"]


@dataclass(frozen=True, slots=True)
class Site:
    """A site of the table ``sites.toml``: its links lead to pages, not to files."""

    name: str  # as people know it
    group: SiteGroup  # what its links lead to


class RefusalReason(StrEnum):
    """Why a link is refused."""

    STREAMING_SITE = "streaming_site"  # streams video, offers no files
    MUSIC_SITE = "music_site"  # streams songs
    SHARE_PAGE = "share_page"  # a page about a file: the direct link or the file itself is needed
    TELEGRAM_MESSAGE = "telegram_message"  # has to be forwarded
    PRIVATE_ADDRESS = "private_address"  # inside a network, or no public name
    HAS_PASSWORD = "has_password"  # noqa: S105 - a reason's name; also for a token
    BAD_PORT = "bad_port"  # not a port of web servers
    BAD_SCHEME = "bad_scheme"  # neither http nor https
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"  # more media than one upload takes
    BROKEN = "broken"  # looks like a link and is not valid


@dataclass(frozen=True, slots=True)
class RefusedLink:
    """A link that is not uploaded."""

    url: str  # as written, cut to ``MAX_LINK_CHARS``; only scheme and host if it holds a password
    reason: RefusalReason  # why it is refused
    site: str = ""  # the name of the site that it leads to, or empty


@dataclass(frozen=True, slots=True)
class FoundLinks:
    """The links of a message."""

    media: tuple[str, ...]  # files to upload by link, each once, in the message's order, percent-encoded
    rest: str  # the message without them: the prompt. Refused links and pages stay in it
    refused: tuple[RefusedLink, ...]  # the links that can't be uploaded
    pages: tuple[str, ...] = ()  # pages that may be files, in the same form as ``media``
    words: str = ""  # the message without all of these, but for what stands in quotation marks


# A link ends at a space, at a quotation mark or bracket that can't be part of one, at Chinese punctuation, and where
# the next one begins behind Chinese, a comma or a file's name. Without a scheme it counts if it leads to a site of the
# table. Chinese has no case: with IGNORECASE, Python would fold each of its characters.
_LINK = re.compile(
    r"(?:(?<![a-z0-9+.@/-])|(?<=\.\w{3})(?=https?:))"
    r"(?:([a-z][a-z0-9+.-]{1,15}):(?://)?|(?=(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,10}/))"
    r"(?:(?!(?:(?<=(?-i:[㐀-鿿,;]))|(?<=\.\w{3}))https?://)[^\s<>\"“”‘’「」『』《》【】（），。；：！？、|^`\\])+",
    re.IGNORECASE,
)
_REFUSED_SCHEMES: Final = frozenset(
    ("file", "ftp", "ftps", "sftp", "data", "javascript", "blob", "smb", "rtmp", "rtsp", "gopher", "magnet")
)
_OPAQUE = re.compile(r"data:[\w.+-]*(?:/[\w.+-]+)?[;,]|javascript:|blob:http|magnet:\?", re.IGNORECASE)
_ENDING = re.compile(rf"\.(?:{'|'.join(sorted(MEDIA_ENDINGS))})(?=$|[?#])", re.IGNORECASE)
# Chinese is written without spaces: the prompt may go on right after a link. File names may be Chinese too.
_PROMPT_AFTER = re.compile(
    rf"\.(?:{'|'.join(sorted(MEDIA_ENDINGS))})(?:[?#](?-i:[^㐀-鿿]{{0,{MAX_LINK_CHARS}}}))?(?=(?-i:[㐀-鿿]))",
    re.IGNORECASE,
)
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}
_TRAILING: Final = ".,;:!?'*_~…"
_CHINESE = re.compile(r"[㐀-鿿]")
# A message of a channel or group, or a story, behind t.me: https://core.telegram.org/api/links
_MESSAGE = re.compile(
    r"[\w.]+/(?:s/)?(?:c/\d+|\w{4,32})/(?:s/)?\d+(?:/\d+)?/?|\w{4,32}\.t\.me/(?:s/)?\d+(?:/\d+)?/?"
)
_MESSAGE_SCHEME = re.compile(
    r"tg:(?://)?(?:resolve\?(?=.*\b(?:post|story)=)|privatepost\?|openmessage\?)", re.IGNORECASE
)
_GROUPS: Final[Mapping[SiteGroup, RefusalReason]] = {
    "video": RefusalReason.STREAMING_SITE,
    "music": RefusalReason.MUSIC_SITE,
    "share": RefusalReason.SHARE_PAGE,
}
# Hosts of a site that serve its files: download1500.mediafire.com, store3.gofile.io.
_FILE_SERVER = re.compile(r"(?:download|dl|cdn|store|storage|files?|media|static|assets)[\w-]*\.")
# What may be in a path or query as it is, escapes included; the rest is percent-encoded as UTF-8.
_UNQUOTED = "%/:@!$&'()*+,;=-._~?"
_SEPARATORS: Final = " \t,;:，；：、"
_BRACKETS: Final = frozenset(zip('(<["“（「【', ')>]"”）」】', strict=True))
_QUOTES: Final = frozenset(zip("\"“‘「『《'", "\"”’」』》'", strict=True))


def find_site(host: str) -> Site | None:
    """Return the site that a host belongs to; a subdomain that is a site of its own goes first."""
    table = _sites()
    labels = host.split(".")
    return next((site for at in range(len(labels)) if (site := table.get(".".join(labels[at:])))), None)


@functools.cache
def _sites() -> Mapping[str, Site]:
    groups = tomllib.loads(Path(__file__).with_name("sites.toml").read_text("utf-8"))
    return {
        domain: Site(name, cast("SiteGroup", group))
        for group, sites in groups.items()
        for name, domains in sites.items()
        for domain in domains
    }


def find_links(text: str) -> FoundLinks:
    """Separate a message's media links from its words.

    Only links with a scheme count: ``clip.mp4`` is a file's name, and ``example.com/clip.mp4`` may be part of a prompt.
    Links to sites of the table are recognized without one.
    """
    media: list[str] = []
    pages: dict[str, None] = {}  # ordered, each once
    refused: dict[RefusedLink, None] = {}
    taken: list[tuple[int, int]] = []  # where links to media are written
    others: list[tuple[int, int]] = []
    for match in _LINK.finditer(text):
        written = _trim(match.group())
        result = _check(
            written,
            (match.group(1) or "").lower(),
            is_alone=written == text.strip(),
            is_first=text.lstrip().startswith(written),
        )
        if result is None:
            continue
        if isinstance(result, RefusedLink) and result.site:
            # Chinese goes on right after a link; no address on these sites has such letters.
            written = _CHINESE.split(written)[0]
        if isinstance(result, str) and result not in media and len(media) == MAX_LINKS:
            result = RefusedLink(written, RefusalReason.TOO_MANY)
        span = (match.start(), match.start() + len(written))
        is_quoted = (text[max(0, span[0] - 1) : span[0]], text[span[1] : span[1] + 1]) in _QUOTES
        if is_quoted and match.group(1) is None:
            continue  # A title, such as "youtube.com/@me".
        if isinstance(result, str):
            taken.append(span)
            if result not in media:
                media.append(result)
            continue
        if not is_quoted:
            others.append(span)
        if isinstance(result, _Page):
            pages[result.url] = None
        else:
            refused[result] = None
    rest = _remove(text, taken)
    words = _remove(text, sorted([*taken, *others])) if others else rest
    return FoundLinks(tuple(media), rest, tuple(refused), tuple(pages)[:MAX_LINKS], words)


def _trim(link: str) -> str:
    """Remove what belongs to the sentence around a link."""
    prompt = _PROMPT_AFTER.search(link)
    if prompt and not _ENDING.search(link, prompt.end()):
        link = link[: prompt.end()]
    opened = {bracket: link.count(bracket) for bracket in "()[]{}"}
    end = len(link)
    while end:
        last = link[end - 1]
        if last in _CLOSING:
            if opened[last] <= opened[_CLOSING[last]]:
                break
            opened[last] -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    return link[:end]


@dataclass(frozen=True, slots=True)
class _Page:
    url: str


def _check(link: str, scheme: str, *, is_alone: bool, is_first: bool) -> str | _Page | RefusedLink | None:
    """Return the link to upload, a page that may be a file, a refusal, or ``None`` for words or no link at all.

    A site or a chat may be named among words. Alone it can only be meant as what has to be fetched, and so can a chat
    before all words.
    """
    if not scheme:
        host = link.partition("/")[0].lower()
        site = find_site(host)
        result = (
            None
            if site is None or site.group == "files"
            else _check(f"https://{link}", "https", is_alone=is_alone, is_first=is_first)
        )
        return replace(result, url=link) if isinstance(result, RefusedLink) else result
    if scheme == "tg":
        # Chats, invitations, stickers and so on may be meant as words.
        is_message = is_first or _MESSAGE_SCHEME.match(link)
        return RefusedLink(link, RefusalReason.TELEGRAM_MESSAGE, "Telegram") if is_message else None
    if scheme not in ("http", "https"):
        # "Title:Hello" looks like a link too.
        if scheme in _REFUSED_SCHEMES and ("://" in link[: len(scheme) + 3] or _OPAQUE.match(link)):
            return RefusedLink(_without_password(link)[:MAX_LINK_CHARS], RefusalReason.BAD_SCHEME)
        return None
    if len(link) > MAX_LINK_CHARS:
        return RefusedLink(_without_password(link)[:MAX_LINK_CHARS], RefusalReason.TOO_LONG)
    try:
        parts = urlsplit(link)
        host, port = ascii_host(parts.hostname or ""), parts.port
    except ValueError:
        return RefusedLink(_without_password(link), RefusalReason.BROKEN) if _ENDING.search(link) else None
    if "@" in parts.netloc or is_within(host, TOKEN_HOSTS):
        return RefusedLink(urlunsplit((parts.scheme, host, "", "", "")), RefusalReason.HAS_PASSWORD)
    if not is_public_host(host):
        return RefusedLink(link, RefusalReason.PRIVATE_ADDRESS)
    return _check_public(link, parts, host, port, is_alone=is_alone, is_first=is_first)


def _check_public(
    link: str, parts: SplitResult, host: str, port: int | None, *, is_alone: bool, is_first: bool
) -> str | _Page | RefusedLink | None:
    site = find_site(host)
    if site is not None and site.group != "files":
        link = _CHINESE.split(link)[0]
        parts = urlsplit(link)
        if site.group == "telegram":
            # The message is in the fragment of the web client's links.
            is_message = is_first or host == "web.telegram.org" or _MESSAGE.fullmatch(host + parts.path)
            return RefusedLink(link, RefusalReason.TELEGRAM_MESSAGE, site.name) if is_message else None
    direct = direct_link(host if site is None else site.name, parts)
    if direct is not None:
        return direct
    is_media = unquote(parts.path).rpartition(".")[2].lower() in MEDIA_ENDINGS
    if site is not None and site.group != "files" and not (is_media and _FILE_SERVER.match(host)):
        return RefusedLink(link, _GROUPS[site.group], site.name)
    if not is_alone and not is_media and parts.path in ("", "/") and not parts.query:
        return None  # A site as such: something to be named.
    if port is not None and port not in ALLOWED_PORTS:
        return RefusedLink(link, RefusalReason.BAD_PORT) if is_media else None
    netloc = f"[{host}]" if ":" in host else host
    url = urlunsplit(
        (
            parts.scheme.lower(),
            netloc if port is None else f"{netloc}:{port}",
            quote(parts.path, safe=_UNQUOTED),
            quote(parts.query, safe=_UNQUOTED),
            "",  # a fragment is for the browser only
        )
    )
    if len(url) > MAX_LINK_CHARS:
        return RefusedLink(link, RefusalReason.TOO_LONG)
    return url if is_media else _Page(url)


def _without_password(link: str) -> str:
    return re.sub(r"(?<=//)[^/]*@", "", link, count=1)


def _remove(text: str, spans: list[tuple[int, int]]) -> str:
    """Return the text without its media links, and with the spaces and brackets around them repaired."""
    if not spans:
        return text
    rest = ""
    at = 0
    for start, end in spans:
        wrapped = (text[max(0, start - 1) : start], text[end : end + 1]) in _BRACKETS
        rest = _join(rest, text[at : start - wrapped]) if at else text[: start - wrapped]
        at = end + wrapped
    return _join(rest, text[at:]).strip()


def _join(before: str, after: str) -> str:
    """Join the text before and after a link."""
    left, right = before.rstrip(" \t"), after.lstrip(" \t")
    if not left or left.endswith("\n"):
        right = right.lstrip(_SEPARATORS)
        return left + (right[1:] if left and right.startswith("\n") else right)
    spaced = left != before or right != after or (left[-1:] + right[:1]).isascii()
    close = not right or right[0] in _SEPARATORS + ".!?。！？)）\n"
    return left + (" " if spaced and not close else "") + right
