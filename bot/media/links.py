"""Links in a message: which of them are media that can be uploaded by link, and which are refused.

Nothing here opens a connection: only the service that fetches a link learns whether its host has a public address.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from bot.runtime.allowed_hosts import ascii_host
from bot.runtime.web_links import MAX_LINK_CHARS, TOKEN_HOSTS, is_public_host, is_within

MEDIA_ENDINGS: Final = frozenset(
    ("mp4", "mov", "avi", "webm", "mkv", "jpg", "jpeg", "png", "gif", "webp", "mp3", "wav", "m4a", "aac")
)
"""File extensions of the types that NemoVideo takes; ``jpeg`` is another name of ``jpg``."""

MAX_LINKS = 10  # as many as an album has files

ALLOWED_PORTS: Final = frozenset({80, 443, 8080, 8443})
"""Ports of web servers. A link with any other port would probe another kind of server."""

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
"""Sites that stream media and offer no files: name and domains, subdomains included."""

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
"""File hosts whose links lead to a page about a file, not to the file."""


class RefusalReason(StrEnum):
    """Why a link is refused."""

    STREAMING_SITE = "streaming_site"  # streams media, offers no files
    SHARE_PAGE = "share_page"  # a page about a file: the direct link or the file itself is needed
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
    site: str = ""  # the name of the streaming site or file host, or empty


@dataclass(frozen=True, slots=True)
class FoundLinks:
    """The links of a message."""

    media: tuple[str, ...]  # files to upload by link, each once, in the message's order, percent-encoded
    rest: str  # the message without them: the prompt. Refused links and ordinary pages stay in it
    refused: tuple[RefusedLink, ...]  # the links that can't be uploaded


# A link ends at a space, at a quotation mark or bracket that can't be part of one, and at Chinese punctuation.
_LINK = re.compile(
    r"(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{1,15}):(//)?[^\s<>\"“”‘’「」『』《》【】（），。；：！？、|^`\\]+",
    re.IGNORECASE,
)
_REFUSED_SCHEMES: Final = frozenset(
    ("file", "ftp", "ftps", "sftp", "data", "javascript", "blob", "smb", "rtmp", "rtsp", "gopher", "magnet")
)
_OPAQUE = re.compile(r"data:[\w.+-]*(?:/[\w.+-]+)?[;,]|javascript:|blob:http|magnet:\?", re.IGNORECASE)
_ENDING = re.compile(rf"\.(?:{'|'.join(sorted(MEDIA_ENDINGS))})(?=$|[?#])", re.IGNORECASE)
# Chinese is written without spaces: the prompt may go on right after a link. File names may be Chinese too.
_PROMPT_AFTER = re.compile(
    rf"\.(?:{'|'.join(sorted(MEDIA_ENDINGS))})(?:[?#][^㐀-鿿]{{0,{MAX_LINK_CHARS}}})?(?=[㐀-鿿])",
    re.IGNORECASE,
)
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}
_TRAILING: Final = ".,;:!?'*_~…"
_NUMBER = re.compile(r"0x[0-9a-f]*|\d+")
# In Dropbox's links to the file itself.
_DIRECT = re.compile(r"&(?:dl|raw)=1&")
# What may be in a path or query as it is, escapes included; the rest is percent-encoded as UTF-8.
_UNQUOTED = "%/:@!$&'()*+,;=-._~?"
_SEPARATORS: Final = " \t,;:，；：、"
_BRACKETS: Final = frozenset(zip('(<["“（「【', ')>]"”）」】', strict=True))


def find_links(text: str) -> FoundLinks:
    """Separate a message's media links from its words.

    Only links with a scheme count: ``clip.mp4`` is a file's name, and ``example.com/clip.mp4`` may be part of a prompt.
    """
    media: list[str] = []
    refused: dict[RefusedLink, None] = {}  # ordered, each once
    spans: list[tuple[int, int]] = []
    for match in _LINK.finditer(text):
        written = _trim(match.group())
        result = _check(written, match.group(1).lower())
        if isinstance(result, str) and result not in media and len(media) == MAX_LINKS:
            result = RefusedLink(written, RefusalReason.TOO_MANY)
        if isinstance(result, str):
            spans.append((match.start(), match.start() + len(written)))
            if result not in media:
                media.append(result)
        elif result is not None:
            refused[result] = None
    return FoundLinks(tuple(media), _remove(text, spans), tuple(refused))


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


def _check(link: str, scheme: str) -> str | RefusedLink | None:
    """Return the link to upload, its refusal, or ``None`` for an ordinary page or no link at all."""
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
    return _check_public(link, parts, host, port)


def _check_public(link: str, parts: SplitResult, host: str, port: int | None) -> str | RefusedLink | None:
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
    return url if len(url) <= MAX_LINK_CHARS else RefusedLink(link, RefusalReason.TOO_LONG)


def _site(host: str, sites: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    return next((name for name, domains in sites if is_within(host, domains)), "")


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
