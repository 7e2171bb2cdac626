import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.runtime.hosts import AllowedHosts, HostRule


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
