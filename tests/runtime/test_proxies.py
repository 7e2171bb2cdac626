"""Requests through real proxies on loopback: what passes, what is refused, and what stays on this machine."""

import asyncio
import contextlib
import gc
import io
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from telegram.error import NetworkError

from bot.runtime.http import Transport, new_client, surely_not_sent
from bot.runtime.setting_types import environment_proxy
from bot.telegram.sending.bot import BotRequest
from tests.bench.servers import make_certificate
from tests.nemo.servers import free_port, raw_server, read_request
from tests.runtime.proxies import serve_proxy

SSL_CONTEXT = ssl.create_default_context()
BIG = b'{"ok":true,"result":"%s"}' % (b"x" * 3_000_000)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BIG)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_request(reader)
        writer.write(OK + BIG)
        await writer.drain()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@contextlib.asynccontextmanager
async def tls_server(certificate: Path) -> AsyncIterator[str]:
    async with raw_server(_answer, tls=_server_side(certificate)) as url:
        yield url


def _server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_calls_and_media_pass_each_kind_of_proxy_with_tls_to_the_service(
    certificate: Path, scheme: str
) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    async with (
        tls_server(certificate) as url,
        serve_proxy(_server_side(certificate) if scheme == "https" else None) as proxy,
        new_client(trusting, proxy=proxy.url(scheme)) as client,
    ):
        form = await client.post(url, files={"video": io.BytesIO(BIG)})
        async with client.stream("GET", url) as response:
            size = sum([len(chunk) async for chunk in response.aiter_raw()])
        assert (form.content, size) == (BIG, len(BIG))
        transport = Transport(trusting, proxy=proxy.url(scheme))
        async with BotRequest(transport) as request:
            assert await request.do_request(url, "POST") == (200, BIG)
        port = httpx.URL(url).port
        assert proxy.targets == [("127.0.0.1", port)] * 2  # One for each client: connections are kept.


# httpcore leaves the connection to a SOCKS proxy that refuses the password to garbage collection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_refused_password_and_a_dead_proxy_are_surely_not_sent(
    certificate: Path, scheme: str
) -> None:
    async with tls_server(certificate) as url, serve_proxy() as proxy:
        dead = f"{scheme}://127.0.0.1:{free_port()}"
        for address in (proxy.url(scheme, "user:wrong"), dead):
            async with new_client(SSL_CONTEXT, proxy=address) as client:
                with pytest.raises(httpx.TransportError) as caught:
                    await client.post(url, content=b"x")
            assert surely_not_sent(caught.value)
            async with BotRequest(Transport(SSL_CONTEXT, proxy=address)) as request:
                with pytest.raises(NetworkError) as failed:
                    await request.do_request(url, "POST")
            assert surely_not_sent(failed.value)
            assert "wrong" not in f"{caught.value!r} {failed.value!r}"
        assert proxy.targets == []
    gc.collect()


async def test_a_proxy_resolves_the_names() -> None:
    async with raw_server(_answer) as url, serve_proxy() as proxy:
        port = httpx.URL(url).port
        async with new_client(SSL_CONTEXT, proxy=proxy.url("socks5")) as client:
            assert (await client.get(f"http://localhost:{port}")).content == BIG
        assert proxy.targets == [("localhost", port)]


def test_the_environment_names_a_proxy_for_each_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    assert environment_proxy("https://api.telegram.org") is None
    monkeypatch.setenv("ALL_PROXY", "socks5://all:1080")
    monkeypatch.setenv("HTTPS_PROXY", "http://tls:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,.example")
    assert environment_proxy("https://api.telegram.org") == "http://tls:3128"
    assert environment_proxy("http://api.telegram.org") == "socks5://all:1080"
    assert environment_proxy("https://bot.example") is None
