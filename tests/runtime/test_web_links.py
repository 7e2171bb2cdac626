import pytest

from bot.runtime.hosts import MAX_LINK_CHARS, AllowedHosts, is_link


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
    assert is_link(url)


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
    assert not is_link(url)


def test_a_host_that_the_operator_named_need_not_be_public() -> None:
    own = AllowedHosts(["http://127.0.0.1:8080"])
    assert is_link("http://127.0.0.1:8080/x", own)
    assert not is_link("http://127.0.0.1:8081/x", own)
    assert not is_link("http://me@127.0.0.1:8080/x", own)
