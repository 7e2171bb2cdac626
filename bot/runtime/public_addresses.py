"""Which IP addresses are public, and which hosts are by their looks alone."""

import ipaddress
import re
from typing import Final

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


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address is public, also by the IPv4 address that it may contain."""
    if isinstance(address, ipaddress.IPv6Address):
        # These contain an arbitrary IPv4 address; no media server uses them.
        if address.ipv4_mapped or address.sixtofour or address.teredo:
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
