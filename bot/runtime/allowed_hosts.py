"""Which hosts may be reached: those that are named, and no private network by way of them.

A name is no promise of where it leads: it is looked up again and again, and redirects lead on. So every address on the
way is held against the named hosts, and what a name means is judged where the connection is made (``http.py``).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

import idna

MAX_HOST_CHARS: Final = 253

# Underscores are no part of a host name by RFC 952, and servers have them all the same.
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")

_PORTS: Final = {"https": 443, "http": 80}

_TRANSLATED: Final = tuple(ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))


@dataclass(frozen=True, slots=True)
class HostRule:
    """One host, or all below a domain.

    Args:
        scheme: ``https``, or ``http`` where that was asked for.
        host: In lower case, ASCII.
        port: The only one that is meant.
        is_below: Whether it means every host below this domain, and not the domain itself.
    """

    scheme: str
    host: str
    port: int
    is_below: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``cdn.example``, ``*.example``, ``cdn.example:8443`` or ``http://127.0.0.1:8080``.

        Raises:
            ValueError: It is none of these.
        """
        parts = urlsplit(text if "://" in text else f"https://{text}")
        written = parts.hostname or ""
        is_below = written.startswith("*.")
        if parts.scheme not in _PORTS or parts.path not in ("", "/") or parts.query or parts.username:
            raise ValueError("more than a host")
        host = ascii_host(written.removeprefix("*."))
        if is_below and "." not in host:
            raise ValueError("no host")
        if host.rpartition(".")[2].isdigit() and (is_below or not _is_number(host)):
            # Such as 127.1: a number to whoever connects, and in a form that tells nobody which.
            raise ValueError("no host")
        return cls(parts.scheme, host, parts.port or _PORTS[parts.scheme], is_below)

    def fits(self, scheme: str, host: str, port: int | None) -> bool:
        """Whether it means this place."""
        if (scheme, port or _PORTS.get(scheme)) != (self.scheme, self.port):
            return False
        try:
            name = ascii_host(host)
        except ValueError:
            return False
        return name.endswith(f".{self.host}") if self.is_below else name == self.host


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


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class AllowedHosts:
    """Hosts that files may be fetched from.

    Args:
        rules: See `HostRule.parse`. An address inside a private network is meant only where its number stands here.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        self._rules = tuple(HostRule.parse(rule) for rule in rules)

    def allow(self, scheme: str, host: str, port: int | None) -> bool:
        """Whether a place may be reached; its port may be left out where it is the scheme's own."""
        return any(rule.fits(scheme, host, port) for rule in self._rules)


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of the public network's, whatever it carries inside."""
    if isinstance(address, ipaddress.IPv6Address):
        # Each of these carries an IPv4 address inside, which may be any; no media server is reached by them.
        if address.ipv4_mapped or address.sixtofour or address.teredo:
            return False
        if any(address in net for net in _TRANSLATED):
            return False
    # is_global varies between versions of Python for some ranges: every other answer must agree with it.
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )
