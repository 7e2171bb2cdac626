"""Web addresses in a message: which of them are media that can be uploaded by link, and which are refused.

Nothing here opens a connection; whether a name leads to a public address is known only to whoever fetches it.
"""

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from bot.runtime.allowed_hosts import ascii_host, is_public

MEDIA_ENDINGS: Final = frozenset(
    ("mp4", "mov", "avi", "webm", "mkv", "jpg", "jpeg", "png", "gif", "webp", "mp3", "wav", "m4a", "aac")
)
"""Kinds that NemoVideo takes, as a path ends in them; ``jpeg`` is jpg's other name."""

MAX_LINK_CHARS = 2048
"""What browsers, proxies and buttons of Telegram agree on."""

MAX_LINKS = 10
"""An album has as many files."""

ALLOWED_PORTS: Final = frozenset({80, 443, 8080, 8443})
"""Where web servers listen. Any other port makes a link a probe of something that is none."""

SITES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("YouTube", ("youtube.com", "youtu.be", "youtube-nocookie.com", "music.youtube.com")),
    ("TikTok", ("tiktok.com",)),
    ("Douyin (抖音)", ("douyin.com", "iesdouyin.com")),
    ("Bilibili", ("bilibili.com", "b23.tv", "bilibili.tv")),
    ("Instagram", ("instagram.com", "instagr.am")),
    ("Facebook", ("facebook.com", "fb.watch", "fb.com")),
    ("X", ("x.com", "twitter.com", "t.co")),
    ("Vimeo", ("vimeo.com",)),
    ("Twitch", ("twitch.tv",)),
    ("Netflix", ("netflix.com",)),
    ("Dailymotion", ("dailymotion.com", "dai.ly")),
    ("Reddit", ("reddit.com", "v.redd.it")),
    ("Pinterest", ("pinterest.com", "pin.it")),
    ("Snapchat", ("snapchat.com",)),
    ("Kuaishou (快手)", ("kuaishou.com", "kwai.com", "chenzhongtech.com")),
    ("Xiaohongshu (小红书)", ("xiaohongshu.com", "xhslink.com")),
    ("Weibo (微博)", ("weibo.com", "weibo.cn")),
    ("Youku (优酷)", ("youku.com",)),
    ("iQIYI (爱奇艺)", ("iqiyi.com",)),
    ("Tencent Video (腾讯视频)", ("v.qq.com",)),
    ("Spotify", ("spotify.com", "spotify.link")),
    ("SoundCloud", ("soundcloud.com",)),
    ("Apple Music", ("music.apple.com", "itunes.apple.com")),
    ("Deezer", ("deezer.com",)),
    ("NetEase Music (网易云音乐)", ("music.163.com", "163cn.tv")),
    ("QQ Music (QQ音乐)", ("y.qq.com",)),
)
"""Sites that show media and give out no files, by their names; subdomains belong to them."""

SHARES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Google Drive", ("drive.google.com", "docs.google.com")),
    ("Google Photos", ("photos.google.com", "photos.app.goo.gl")),
    ("Dropbox", ("dropbox.com",)),
    ("OneDrive", ("onedrive.live.com", "1drv.ms")),
    ("iCloud", ("icloud.com",)),
    ("WeTransfer", ("wetransfer.com", "we.tl")),
    ("MEGA", ("mega.nz",)),
    ("Baidu Netdisk (百度网盘)", ("pan.baidu.com",)),
)
"""Storage whose links lead to a page about a file, not to the file."""

WITH_TOKEN: Final = ("api.telegram.org",)
"""Telegram's addresses of files hold a bot's token, which nobody else may see."""

PRIVATE_ENDINGS: Final = (
    "localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "private", "test",
    "example", "invalid", "onion", "home.arpa", "in-addr.arpa", "ip6.arpa",
)  # fmt: skip
"""Names that mean something only inside a network, or nothing at all (RFC 6761, 6762, 8375, 9476)."""

NAMING_ADDRESSES: Final = ("nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me")
"""Public names that lead to whatever address stands in them, or to the machine itself."""


class RefusalReason(StrEnum):
    """Why an address is refused."""

    STREAMING_SITE = "streaming_site"  # shows media, gives out no files
    SHARE_PAGE = "share_page"  # a page about a file: the direct link, or the file itself, is needed
    PRIVATE_ADDRESS = "private_address"  # inside some network, or no public name
    HAS_PASSWORD = "has_password"  # noqa: S105 (a reason's name), or a token
    BAD_PORT = "bad_port"  # where no web server is expected
    BAD_SCHEME = "bad_scheme"  # neither http nor https
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"  # more media than one upload takes
    BROKEN = "broken"  # no address, whatever it looks like


@dataclass(frozen=True, slots=True)
class RefusedLink:
    """An address that is not uploaded.

    Args:
        url: As it was written, cut to :data:`MAX_LINK_CHARS`; of one with a password the site alone.
        reason: Why.
        site: The site's name, of a streaming site or a share page.
    """

    url: str
    reason: RefusalReason
    site: str = ""


@dataclass(frozen=True, slots=True)
class FoundLinks:
    """What a message's addresses are.

    Args:
        media: Files to upload by link, each once, in the message's order, fit to be sent (ASCII).
        rest: The message without them: the request. Refused ones and ordinary pages stay in it.
        refused: The addresses that can't be uploaded.
    """

    media: tuple[str, ...]
    rest: str
    refused: tuple[RefusedLink, ...]


# An address ends at a space, at a quotation mark or bracket that can't stand in one, and at Chinese punctuation.
_LINK = re.compile(
    r"(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{1,15}):(//)?[^\s<>\"“”‘’「」『』《》【】（），。；：！？、|^`\\]+",
    re.IGNORECASE,
)
_REFUSED_SCHEMES: Final = frozenset(
    ("file", "ftp", "ftps", "sftp", "data", "javascript", "blob", "smb", "rtmp", "rtsp", "gopher", "magnet")
)
_OPAQUE = re.compile(r"data:[\w.+-]*(?:/[\w.+-]+)?[;,]|javascript:|blob:http|magnet:\?", re.IGNORECASE)
_ENDING = re.compile(rf"\.(?:{'|'.join(sorted(MEDIA_ENDINGS))})(?=$|[?#])", re.IGNORECASE)
# Chinese is written without spaces: the request goes on right behind the address. Names of files may be Chinese.
_PROMPT_BEHIND = re.compile(
    rf"\.(?:{'|'.join(sorted(MEDIA_ENDINGS))})(?:[?#][^㐀-鿿]{{0,{MAX_LINK_CHARS}}})?(?=[㐀-鿿])",
    re.IGNORECASE,
)
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}
_TRAILING: Final = ".,;:!?'*_~…"
_NUMBER = re.compile(r"0x[0-9a-f]*|\d+")


def find_links(text: str) -> FoundLinks:
    """Tell a message's media links from its words.

    Only addresses that are written with their scheme count: ``clip.mp4`` is a file's name, and
    ``example.com/clip.mp4`` may be part of a request.

    Args:
        text: The message, or the caption.
    """
    media: list[str] = []
    refused: dict[RefusedLink, None] = {}  # ordered, each once
    spans: list[tuple[int, int]] = []
    for match in _LINK.finditer(text):
        written = _trimmed(match.group())
        verdict = _judge(written, match.group(1).lower())
        if isinstance(verdict, str) and verdict not in media and len(media) == MAX_LINKS:
            verdict = RefusedLink(written, RefusalReason.TOO_MANY)
        if isinstance(verdict, str):
            spans.append((match.start(), match.start() + len(written)))
            if verdict not in media:
                media.append(verdict)
        elif verdict is not None:
            refused[verdict] = None
    return FoundLinks(tuple(media), _without(text, spans), tuple(refused))


def _trimmed(link: str) -> str:
    """Leave out what belongs to the sentence that an address stands in."""
    prompt = _PROMPT_BEHIND.search(link)
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


def _judge(link: str, scheme: str) -> str | RefusedLink | None:
    """The address to upload, or why it is refused, or None: an ordinary page, or no address at all."""
    if scheme not in ("http", "https"):
        # "Title:Hello" has the form of an address too.
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
    if "@" in parts.netloc or _is_within(host, WITH_TOKEN):
        return RefusedLink(urlunsplit((parts.scheme, host, "", "", "")), RefusalReason.HAS_PASSWORD)
    if not _is_public(host):
        return RefusedLink(link, RefusalReason.PRIVATE_ADDRESS)
    return _judge_public(link, parts, host, port)


def _judge_public(link: str, parts: SplitResult, host: str, port: int | None) -> str | RefusedLink | None:
    is_media = unquote(parts.path).rpartition(".")[2].lower() in MEDIA_ENDINGS
    streaming = _site(host, SITES)
    if streaming:
        return RefusedLink(link, RefusalReason.STREAMING_SITE, streaming)
    share = _site(host, SHARES)
    if share and not (is_media and _DIRECT.search(f"&{parts.query}&")):
        return RefusedLink(link, RefusalReason.SHARE_PAGE, share)
    if not is_media:
        return None
    if port is not None and port not in ALLOWED_PORTS:
        return RefusedLink(link, RefusalReason.BAD_PORT)
    where = f"[{host}]" if ":" in host else host
    sent = urlunsplit(
        (
            parts.scheme.lower(),
            where if port is None else f"{where}:{port}",
            quote(parts.path, safe=_KEPT),
            quote(parts.query, safe=_KEPT),
            "",  # a fragment is the browser's own
        )
    )
    return sent if len(sent) <= MAX_LINK_CHARS else RefusedLink(link, RefusalReason.TOO_LONG)


# What Dropbox's links end in when they give out the file itself.
_DIRECT = re.compile(r"&(?:dl|raw)=1&")


def _site(host: str, sites: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    return next((name for name, domains in sites if _is_within(host, domains)), "")


def _without_password(link: str) -> str:
    return re.sub(r"(?<=//)[^/]*@", "", link, count=1)


# Everything that may stand in a path or query as it is, escapes included; the rest becomes UTF-8 escapes.
_KEPT = "%/:@!$&'()*+,;=-._~?"


def _is_public(host: str) -> bool:
    if ":" in host:
        try:
            return is_public(ipaddress.IPv6Address(host))
        except ValueError:
            return False
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # A name whose last label is a number is an IPv4 address to a browser, in forms like 2130706433,
        # 0x7f.1 or 0177.0.0.1. Only the usual form says what it is.
        try:
            return is_public(ipaddress.IPv4Address(host))
        except ValueError:
            return False
    if len(labels) < 2 or _is_within(host, PRIVATE_ENDINGS) or _is_within(host, NAMING_ADDRESSES):
        return False
    return not host.startswith("metadata.")


def _is_within(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with its media links taken out, and the spaces and brackets around them repaired."""
    if not spans:
        return text
    rest = ""
    at = 0
    for start, end in spans:
        wrapped = (text[max(0, start - 1) : start], text[end : end + 1]) in _WRAPPED
        rest = _glued(rest, text[at : start - wrapped]) if at else text[: start - wrapped]
        at = end + wrapped
    return _glued(rest, text[at:]).strip()


def _glued(before: str, after: str) -> str:
    """Two pieces between which a link stood."""
    left, right = before.rstrip(" \t"), after.lstrip(" \t")
    if not left or left.endswith("\n"):
        right = right.lstrip(_PAUSES)
        return left + (right[1:] if left and right.startswith("\n") else right)
    spaced = left != before or right != after or (left[-1:] + right[:1]).isascii()
    close = not right or right[0] in _PAUSES + ".!?。！？)）\n"
    return left + (" " if spaced and not close else "") + right


_PAUSES: Final = " \t,;:，；：、"
_WRAPPED: Final = frozenset(zip('(<["“（「【', ')>]"”）」】', strict=True))
