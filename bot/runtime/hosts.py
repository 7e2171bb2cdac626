"""Hosts and addresses: which are public, which results may be fetched from, and which may stand behind a link.

A name may resolve differently each time, and a redirect may lead elsewhere. So every URL on the way is checked against
the allowed hosts, and the resolved address is checked where the connection is made (`http`).
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

import idna

MAX_HOST_CHARS: Final = 253

# Underscores are no part of a host name by RFC 952, and servers have them all the same.
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")

_PORTS: Final = {"https": 443, "http": 80}

# Reserved, or a cloud's own, though some version of Python takes them for public: anycast of 6to4 relays (RFC 7526),
# a provider's metadata, and what documents use (RFC 9637).
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(net) for net in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "5f00::/16")
)

_TRANSLATED: Final = tuple(ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))

PRIVATE_ENDINGS: Final = (
    "localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "private", "test",
    "example", "invalid", "onion", "svc", "home.arpa", "in-addr.arpa", "ip6.arpa",
)  # fmt: skip
"""Names that resolve only inside a network, or not at all (RFC 6761, 6762, 8375, 9476)."""

ADDRESS_DOMAINS: Final = (
    "nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "1u.ms", "rbndr.us", "traefik.me",
)  # fmt: skip
"""Public names that resolve to the address written in them, or to the machine itself."""

_NUMBER = re.compile(r"0x[0-9a-f]*|\d+")

MAX_LINK_CHARS: Final = 2048
"""The length that browsers, proxies and Telegram's buttons all take."""

# Control characters, bidirectional overrides and separators change how an address looks, or end it early.
_HIDDEN: Final = ("Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp")

TOKEN_HOSTS: Final = ("api.telegram.org",)
"""Telegram's file links contain the bot's token, which nobody else may see."""

_HARMLESS: Final = ("example",)  # reserved for documentation (RFC 6761): leads nowhere


def ascii_host(host: str) -> str:
    """Return a host as it goes over the wire: lower case, ASCII, without a dot at the end.

    Args:
        host: A name in any alphabet (IDNA 2008, mapped as browsers do by UTS 46), or the number of an address.

    Raises:
        ValueError: It is neither.
    """
    if ":" in host:
        return host.lower()
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError as error:
            raise ValueError("no host name") from error
    host = host.lower().removesuffix(".")
    if len(host) > MAX_HOST_CHARS or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise ValueError("no host name")
    return host


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is written as, dotted or with colons; ``None`` for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address is public; an IPv6 address that contains an IPv4 address never is."""
    if isinstance(address, ipaddress.IPv6Address):
        # These contain an arbitrary IPv4 address; no media server uses them.
        if address.ipv4_mapped or address.sixtofour:
            return False
        if any(address in net for net in _TRANSLATED):
            return False
    if any(address in net for net in _NOT_PUBLIC):
        return False
    # is_global varies between versions of Python for some ranges: the other properties must agree with it.
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )


def is_public_host(host: str) -> bool:
    """Return whether a host, as `ascii_host` returns it, is a public name or address by its looks."""
    labels = host.split(".")
    # A browser reads a name whose last label is a number as an IPv4 address, in forms like 2130706433, 0x7f.1 or
    # 0177.0.0.1. Only the dotted decimal form is unambiguous.
    if ":" in host or _NUMBER.fullmatch(labels[-1]):
        address = address_of(host)
        return address is not None and is_public(address)
    if len(labels) < 2 or is_within(host, PRIVATE_ENDINGS) or is_within(host, ADDRESS_DOMAINS):
        return False
    return not host.startswith("metadata.")


def is_within(host: str, domains: tuple[str, ...]) -> bool:
    """Return whether a host is one of these domains, or below one."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


@dataclass(frozen=True, slots=True)
class HostRule:
    """One host, or all subdomains of a domain."""

    scheme: str  # ``https``, or ``http`` if the rule says so
    host: str  # the host or domain, in lower case and ASCII
    port: int  # the only port that is allowed
    is_wildcard: bool  # whether the rule allows the subdomains of ``host``, and not ``host`` itself

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``cdn.example``, ``*.example``, ``cdn.example:8443`` or ``http://127.0.0.1:8080``.

        Args:
            text: The rule.

        Raises:
            ValueError: It has another form.
        """
        parts = urlsplit(text if "://" in text else f"https://{text}")
        written = parts.hostname or ""
        is_wildcard = written.startswith("*.")
        if parts.scheme not in _PORTS or parts.path not in ("", "/") or parts.query or parts.username:
            raise ValueError("more than a host")
        host = ascii_host(written.removeprefix("*."))
        if is_wildcard and "." not in host:
            raise ValueError("no host")
        if host.rpartition(".")[2].isdigit() and (is_wildcard or address_of(host) is None):
            # Such as 127.1: the system reads an address in it, and people see another.
            raise ValueError("no host")
        if parts.port == 0:
            raise ValueError("no port")
        return cls(parts.scheme, host, parts.port or _PORTS[parts.scheme], is_wildcard)

    def matches(self, scheme: str, host: str, port: int | None) -> bool:
        """Return whether the rule allows this scheme, host and port (the scheme's own if ``None``)."""
        if (scheme, _PORTS.get(scheme) if port is None else port) != (self.scheme, self.port):
            return False
        try:
            name = ascii_host(host)
        except ValueError:
            return False
        return name.endswith(f".{self.host}") if self.is_wildcard else name == self.host


class AllowedHosts:
    """The hosts that files may be fetched from.

    Args:
        rules: Rules as `HostRule.parse` takes them. A private address is allowed only if a rule has its number.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        self._rules = tuple(HostRule.parse(rule) for rule in rules)

    def allow(self, scheme: str, host: str, port: int | None) -> bool:
        """Return whether files may be fetched from this scheme, host and port (the scheme's own if ``None``)."""
        return any(rule.matches(scheme, host, port) for rule in self._rules)


_NONE: Final = AllowedHosts(())


def may_be_linked(url: str, allowed: AllowedHosts = _NONE) -> bool:
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
        url: Where it leads: one that `may_be_linked` accepts.
    """
    return f"{label} ({host_of(url)})"


def host_of(url: str) -> str:
    """Return the host of an address that `may_be_linked` accepts, as it goes over the wire."""
    return ascii_host(urlsplit(url).hostname or "")
