"""Where results are fetched from: every address on the way is the service's own, or one that was named."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.nemo import errors
from bot.nemo.client import MediaSource, NemoClient
from bot.nemo.render_answers import Render, RenderStatus
from bot.nemo.wire import MAX_REDIRECTS, Timeouts
from bot.runtime.hosts import AllowedHosts
from bot.runtime.http import new_client
from bot.web.serve import serve
from tests.nemo.conftest import SSL_CONTEXT
from tests.nemo.servers import raw_server, read_request
from tests.nemo.test_client import MP4, NO_WAIT, TOKEN, VIDEO, WHO, Service

FILE = Response(VIDEO, media_type=MP4)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async for one in _serving():
        yield one


@pytest.fixture
async def media() -> AsyncIterator[Service]:
    async for one in _serving():
        yield one


@pytest.fixture
async def other() -> AsyncIterator[Service]:
    async for one in _serving():
        yield one


async def _serving() -> AsyncIterator[Service]:
    service = Service()
    async with serve(Starlette(routes=[Route("/{path:path}", service.__call__)])) as url:
        service.url = url
        yield service


async def fetch(
    service: Service,
    allowed: Sequence[str],
    link: str,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> bytes:
    async with new_client(SSL_CONTEXT) as http, new_client(SSL_CONTEXT, public_only=True) as media_http:
        source = MediaSource(media_http, AllowedHosts(allowed).allow)
        nemo = NemoClient(http, service.url, retries=NO_WAIT, timeouts=timeouts, media=source)
        async with nemo.download(WHO, Render("r", RenderStatus.COMPLETED, url=link)) as found:
            return b"".join([chunk async for chunk in found.chunks])


def to(url: str) -> Response:
    return Response(status_code=302, headers={"Location": url})


async def test_a_host_that_was_named(service: Service, media: Service) -> None:
    media.will_answer(FILE)
    assert await fetch(service, [media.url], f"{media.url}/a.mp4") == VIDEO
    assert "authorization" not in media.requests[0].headers
    assert "x-skill-source" not in media.requests[0].headers


async def test_another_host_is_not_asked_and_the_download_call_is(service: Service, media: Service) -> None:
    service.will_answer(FILE)
    assert await fetch(service, ["https://media.example"], f"{media.url}/a.mp4") == VIDEO
    assert not media.requests


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:{port}/a.mp4", "//127.0.0.1:{port}/a.mp4", "http://localhost:{port}/a.mp4",
        "http://me:secret@127.0.0.1:{port}/a.mp4", "http://media.example@127.0.0.1:{port}/a.mp4",
        "http://[::ffff:127.0.0.1]:{port}/a.mp4", "http://2130706433:{port}/", "http://0x7f.1:{port}/",
        "http://media.example\\.nemovideo.ai:{port}/", "http://localhost.nemovideo.ai:{port}/",
        "https://media.example:{port}/", "https://media.example:0/", "https://.media.example/",
        "javascript:alert(1)", "file:///etc/passwd", "tg://resolve?domain=x", "gopher://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\r\nX: y/",
    ],
)  # fmt: skip
async def test_nothing_in_the_network_is_reached_by_a_results_link(
    service: Service, media: Service, link: str
) -> None:
    service.will_answer(FILE)
    port = httpx.URL(media.url).port
    found = await fetch(service, ["https://media.example", "*.nemovideo.ai"], link.format(port=port))
    assert found == VIDEO
    assert not media.requests
    assert [request.url.path for request in service.requests] == ["/api/render/proxy/r/download"]


@pytest.mark.parametrize(
    "link", ["../../../etc/passwd", "http:127.0.0.1:{port}/a.mp4", "\\\\127.0.0.1:{port}\\a.mp4"]
)
async def test_a_relative_link_stays_with_the_service(service: Service, media: Service, link: str) -> None:
    service.will_answer(FILE)
    assert await fetch(service, [], link.format(port=httpx.URL(media.url).port)) == VIDEO
    assert not media.requests
    assert len(service.requests) == 1


async def test_another_host_is_told_when_the_download_call_has_no_file(
    service: Service, media: Service
) -> None:
    service.will_answer(JSONResponse({"code": 1, "message": "no"}, 404))
    with pytest.raises(errors.HostNotAllowed) as caught:
        await fetch(service, [], f"{media.url}/secret-path.mp4?sig=1")
    assert caught.value.host == media.url
    assert "sig" not in str(caught.value)
    assert not media.requests


@pytest.mark.parametrize(
    "target", ["{other}/a.mp4", "//{other_host}/a.mp4", "http://localhost:1/a.mp4", "file:///etc/passwd"]
)
async def test_a_redirect_to_a_host_that_was_not_named_is_not_followed(
    service: Service, media: Service, other: Service, target: str
) -> None:
    media.will_answer(to(target.format(other=other.url, other_host=other.url.removeprefix("http://"))))
    service.will_answer(FILE)
    assert await fetch(service, [media.url], f"{media.url}/a.mp4") == VIDEO
    assert len(media.requests) == 1
    assert not other.requests


async def test_a_redirect_of_the_download_call_is_held_to_the_same(service: Service, other: Service) -> None:
    service.will_answer(to(f"{other.url}/a.mp4"))
    with pytest.raises(errors.HostNotAllowed):
        await fetch(service, [], "")
    assert not other.requests


async def test_redirects_are_followed_where_each_is_allowed(
    service: Service, media: Service, other: Service
) -> None:
    media.will_answer(to("/b.mp4"), to(f"{other.url}/c.mp4"))
    other.will_answer(to(f"{service.url}/d.mp4"))
    service.will_answer(FILE)
    assert await fetch(service, [media.url, other.url], f"{media.url}/a.mp4") == VIDEO
    assert [str(one.url.path) for one in media.requests] == ["/a.mp4", "/b.mp4"]
    assert all("authorization" not in one.headers for one in [*media.requests, *other.requests])
    assert service.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_redirects_in_a_circle_end(service: Service, media: Service) -> None:
    media.will_answer(to(f"{media.url}/a.mp4"))
    service.will_answer(FILE)
    assert await fetch(service, [media.url], f"{media.url}/a.mp4") == VIDEO
    assert len(media.requests) == MAX_REDIRECTS + 1


async def test_a_name_that_leads_into_a_private_network_is_not_reached(
    service: Service, media: Service
) -> None:
    port = httpx.URL(media.url).port
    service.will_answer(FILE)
    named = f"http://localhost:{port}"
    assert await fetch(service, [named], f"{named}/a.mp4") == VIDEO
    assert not media.requests


async def test_a_download_that_trickles_ends(service: Service) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with raw_server(talk) as url:
        with pytest.raises(errors.TransportError, match="too long"):
            await fetch(service, [url], f"{url}/a.mp4", Timeouts(download_total_s=0.2))


async def test_of_a_file_that_is_compressed_unasked_the_length_is_unknown(service: Service) -> None:
    zipped = Response(gzip.compress(VIDEO), media_type=MP4, headers={"Content-Encoding": "gzip"})
    service.will_answer(zipped)
    async with new_client(SSL_CONTEXT) as http:
        nemo = NemoClient(http, service.url, retries=NO_WAIT)
        async with nemo.download(WHO, Render("r", RenderStatus.COMPLETED)) as found:
            assert found.size_bytes is None
            assert b"".join([chunk async for chunk in found.chunks]) == VIDEO


async def test_a_file_without_a_byte_is_none(service: Service) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n")
        writer.close()

    async with raw_server(talk) as url:
        with pytest.raises(errors.UnexpectedAnswer, match="empty"):
            await fetch(service, [url], f"{url}/a.mp4")
