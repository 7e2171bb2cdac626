"""Which addresses may stand behind a button or a link: those of public web servers, by their looks alone."""

import ipaddress
import re
import unicodedata
from typing import Final
from urllib.parse import urlsplit

from bot.runtime.allowed_hosts import AllowedHosts, ascii_host, is_public

MAX_LINK_CHARS: Final = 2048
"""The length that browsers, proxies and Telegram's buttons all take."""

# Control characters, bidirectional overrides and separators change how an address looks, or end it early.
_HIDDEN: Final = ("Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp")

TOKEN_HOSTS: Final = ("api.telegram.org",)
"""Telegram's file links contain the bot's token, which nobody else may see."""

PRIVATE_ENDINGS: Final = (
    "localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "private", "test",
    "example", "invalid", "onion", "svc", "home.arpa", "in-addr.arpa", "ip6.arpa",
)  # fmt: skip
"""Names that resolve only inside a network, or not at all (RFC 6761, 6762, 8375, 9476)."""

ADDRESS_DOMAINS: Final = (
    "nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "1u.ms", "rbndr.us", "traefik.me",
)  # fmt: skip
"""Public names that resolve to the address written in them, or to the machine itself."""

_HARMLESS: Final = ("example",)  # reserved for documentation (RFC 6761): leads nowhere

_NUMBER = re.compile(r"0x[0-9a-f]*|\d+")


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


def is_public_host(host: str) -> bool:
    """Return whether a host, as `ascii_host` returns it, is a public name or address by its looks."""
    if ":" in host:
        try:
            return is_public(ipaddress.IPv6Address(host))
        except ValueError:
            return False
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # A browser reads a name whose last label is a number as an IPv4 address, in forms like 2130706433,
        # 0x7f.1 or 0177.0.0.1. Only the dotted decimal form is unambiguous.
        try:
            return is_public(ipaddress.IPv4Address(host))
        except ValueError:
            return False
    if len(labels) < 2 or is_within(host, PRIVATE_ENDINGS) or is_within(host, ADDRESS_DOMAINS):
        return False
    return not host.startswith("metadata.")


def is_within(host: str, domains: tuple[str, ...]) -> bool:
    """Return whether a host is one of these domains, or below one."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
