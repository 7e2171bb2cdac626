import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.runtime.hosts import (
    ADDRESS_DOMAINS,
    MAX_LINK_CHARS,
    AllowedHosts,
    HostRule,
    is_public,
    is_public_host,
    is_within,
    may_be_linked,
)


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        (
            "cdn.example",
            [("https", "cdn.example", None), ("https", "CDN.example.", 443)],
            [
                ("http", "cdn.example", None),
                ("https", "cdn.example", 8443),
                ("https", "a.cdn.example", None),
                ("https", "cdn.example.evil", None),
                ("https", "evilcdn.example", None),
                ("ftp", "cdn.example", None),
            ],
        ),
        (
            "*.cdn.example",
            [("https", "a.cdn.example", None), ("https", "a.b.cdn.example", None)],
            [("https", "cdn.example", None), ("https", "evilcdn.example", None), ("https", "", None)],
        ),
        (
            "*.例.example",
            [("https", "a.例.example", None), ("https", "a.xn--fsq.example", None)],
            [("https", "a.xn--other.example", None), ("https", "a\u200db.例.example", None)],
        ),
        ("cdn.example:8443", [("https", "cdn.example", 8443)], [("https", "cdn.example", None)]),
        (
            "http://127.0.0.1:8080",
            [("http", "127.0.0.1", 8080)],
            [("http", "127.0.0.1", 8081), ("https", "127.0.0.1", 8080), ("http", "2130706433", 8080)],
        ),
        ("http://[::1]:8080", [("http", "::1", 8080)], [("http", "::2", 8080)]),
        (
            "*.nemovideo.ai",
            [("https", "cdn.nemovideo.ai", None), ("https", "cdn.nemovideo.ai", 443)],
            [
                ("https", ".nemovideo.ai", None),
                ("https", "evil.com\\.nemovideo.ai", None),
                ("https", "cdn.nemovideo.ai", 0),
            ],
        ),
    ],
)
def test_a_rule_allows_only_what_it_says(
    rule: str, allowed: list[tuple[str, str, int | None]], refused: list[tuple[str, str, int | None]]
) -> None:
    hosts = AllowedHosts(["other.example", rule])
    assert all(hosts.allow(*place) for place in allowed)
    assert not any(hosts.allow(*place) for place in refused)


@pytest.mark.parametrize(
    "rule",
    ["", "*", "*.", "*.example", "a.*.example", "ftp://a.example", "https://a.example/path", "https://u@a.example",
     "a b", "a.example:port", "a\u200db.example", "https://", "a.example?x",
     "127.1", "2130706433", "a.example:0", "*.0.1", "1.2.3.4.5"],
)  # fmt: skip
def test_an_invalid_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"host|[Pp]ort"):
        HostRule.parse(rule)


@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    try:
        rule = HostRule.parse(text)
    except ValueError:
        return
    assert rule.host


def test_no_rules_allow_nothing() -> None:
    assert not AllowedHosts([]).allow("https", "nemovideo.ai", None)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:4700:4700::1111", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False),
        ("0.0.0.0", False), ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False),
        ("fe80::1", False), ("fc00::1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False), ("2001:0:7f00:1::1", False), ("192.0.0.192", False), ("192.88.99.1", False),
        ("3fff::1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize(
    "url",
    [
        "https://nemovideo.com/workspace/claim?token=a%20b",
        "https://cdn.example/x.mp4?a=1&b=<2>",
        "http://93.184.216.34:8080/a.mp4",
        "https://视频.中国/片.mp4",
        "https://t.me/some_bot?start=see_1",
        "https://example.com/" + "a" * (MAX_LINK_CHARS - 20),
    ],
)
def test_an_address_of_a_public_web_server_is_a_link(url: str) -> None:
    assert may_be_linked(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/a.mp4",
        "ftp://example.com/a.mp4",
        "javascript:alert(1)",
        "tg://resolve?domain=x",
        "https://",
        "https:///a.mp4",
        "https://good.com@evil.com/",
        "https://user:secret@example.com/",
        "https://example.com/a b",
        "https://example.com/a\nb",
        "https://example.com/\u202e4pm.exe",
        "https://example.com/\u200ba",
        "https://example.com:port/",
        "https://exa mple.com/",
        "http://localhost:3000/x",
        "http://intranet/x",
        "http://127.0.0.1/x",
        "http://2130706433/x",
        "http://192.168.0.5/x",
        "http://[::1]/x",
        "https://printer.local/x",
        "https://127.0.0.1.nip.io/x",
        "https://7f000001.c0a80001.rbndr.us/x",
        "https://10-0-0-1.traefik.me/x",
        "http://valkey.store.svc/x",
        "http://192.0.0.192/x",
        "http://192.88.99.1/x",
        "http://[3fff::1]/x",
        "https://example.com:0/x",
        "https://.example.com/x",
        "https://evil.com\\.example.com/x",
        "https://api.telegram.org/file/bot1:secret/a.mp4",
        "https://example.com/" + "a" * MAX_LINK_CHARS,
    ],
)
def test_anything_else_is_none(url: str) -> None:
    assert not may_be_linked(url)


def test_a_host_that_the_operator_named_need_not_be_public() -> None:
    own = AllowedHosts(["http://127.0.0.1:8080"])
    assert may_be_linked("http://127.0.0.1:8080/x", own)
    assert not may_be_linked("http://127.0.0.1:8081/x", own)
    assert not may_be_linked("http://me@127.0.0.1:8080/x", own)


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("media.example.com", True),
        ("metadata.example.com", False),  # A cloud's own, which names itself so.
        ("127.0x1", False),
        ("0177.0.0.1", False),
        ("93.184.215.14", True),
        ("10.0.0.1", False),
    ],
)
def test_a_host_is_public_by_its_looks(host: str, is_allowed: bool) -> None:
    assert is_public_host(host) is is_allowed


def test_a_name_that_only_ends_like_a_domain_is_not_within_it() -> None:
    assert is_within("127.0.0.1.nip.io", ADDRESS_DOMAINS)
    assert not is_within("turnip.io", ADDRESS_DOMAINS)
