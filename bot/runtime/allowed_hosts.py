"""Hosts that results may be fetched from.

A name may resolve differently each time, and a redirect may lead elsewhere. So every URL on the way is checked against
the allowed hosts, and the resolved address is checked where the connection is made (`http`).
"""

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
        if host.rpartition(".")[2].isdigit() and (is_wildcard or not _is_number(host)):
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
    """The hosts that files may be fetched from.

    Args:
        rules: Rules as `HostRule.parse` takes them. A private address is allowed only if a rule has its number.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        self._rules = tuple(HostRule.parse(rule) for rule in rules)

    def allow(self, scheme: str, host: str, port: int | None) -> bool:
        """Return whether files may be fetched from this scheme, host and port (the scheme's own if ``None``)."""
        return any(rule.matches(scheme, host, port) for rule in self._rules)
