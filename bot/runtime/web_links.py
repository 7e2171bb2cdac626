"""Which addresses may stand behind a button or a link: those of public web servers, by their looks alone."""

import unicodedata
from typing import Final
from urllib.parse import urlsplit

from bot.runtime.allowed_hosts import AllowedHosts, ascii_host
from bot.runtime.public_addresses import is_public_host, is_within

MAX_LINK_CHARS: Final = 2048
"""The length that browsers, proxies and Telegram's buttons all take."""

# Control characters, bidirectional overrides and separators change how an address looks, or end it early.
_HIDDEN: Final = ("Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp")

TOKEN_HOSTS: Final = ("api.telegram.org",)
"""Telegram's file links contain the bot's token, which nobody else may see."""

_HARMLESS: Final = ("example",)  # reserved for documentation (RFC 6761): leads nowhere

_NONE: Final = AllowedHosts(())


def is_link(url: str, allowed: AllowedHosts = _NONE) -> bool:
    """Return whether an address may be shown as a link.

    Args:
        url: The address; whoever wrote it is not trusted.
        allowed: Hosts that the operator named, which need not be public.
    """
    if len(url) > MAX_LINK_CHARS or any(unicodedata.category(char) in _HIDDEN for char in url):
        return False
    try:
        parts = urlsplit(url)
        host, port = ascii_host(parts.hostname or ""), parts.port
    except ValueError:
        return False
    # Whatever stands before an @ is taken for the host by people.
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or port == 0:
        return False
    if is_within(host, TOKEN_HOSTS):
        return False
    return is_public_host(host) or is_within(host, _HARMLESS) or allowed.allow(parts.scheme, host, port)


def with_host(label: str, url: str) -> str:
    """Return a link's label followed by the host that the link leads to, as it goes over the wire.

    Args:
        label: What the link is called.
        url: Where it leads: one that `is_link` accepts.
    """
    return f"{label} ({ascii_host(urlsplit(url).hostname or '')})"
