"""HTTP clients over real sockets: the exception for each failure, and what must not be sent twice or kept."""

import asyncio
import contextlib
import io
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, cast

import httpx
import pytest
from aiohttp.abc import ResolveResult
from telegram.error import NetworkError, TimedOut
from telegram.request import HTTPXRequest

from bot.runtime.arriving_file import ArrivingFile
from bot.runtime.http import Transport, new_client, surely_not_sent
from tests.clocks import PATIENCE_S
from tests.nemo.servers import free_port, raw_server, read_head, read_request, reset

SSL_CONTEXT = ssl.create_default_context()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client(SSL_CONTEXT) as client:
        yield client


async def error_of(client: httpx.AsyncClient, url: str, **kwargs: object) -> httpx.TransportError:
    with pytest.raises(httpx.TransportError) as caught:
        await client.post(url, content=b"x", **kwargs)  # type: ignore[arg-type] # passed on as they are
    return caught.value


async def test_a_refused_connection_is_surely_not_sent(client: httpx.AsyncClient) -> None:
    error = await error_of(client, f"http://127.0.0.1:{free_port()}")
    assert isinstance(error, httpx.ConnectError)
    assert surely_not_sent(error)


async def test_an_unknown_name_is_surely_not_sent(client: httpx.AsyncClient) -> None:
    error = await error_of(client, "http://nowhere.invalid")
    assert isinstance(error, httpx.ConnectError)
    assert surely_not_sent(error)


async def test_an_invalid_address_is_not_quoted(client: httpx.AsyncClient) -> None:
    error = await error_of(client, "http:///bot7000000001:secret/getMe")
    assert "secret" not in str(error)


async def test_waiting_for_a_free_connection_is_surely_not_sent() -> None:
    busy = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        busy.set()
        await asyncio.Event().wait()

    async with raw_server(talk) as url, new_client(SSL_CONTEXT, max_connections=1) as client:
        task = asyncio.create_task(client.get(url))
        await busy.wait()
        error = await error_of(client, url, timeout=httpx.Timeout(None, pool=0.05))
        assert isinstance(error, httpx.ConnectTimeout)
        assert surely_not_sent(error)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_server_that_reads_and_closes_may_have_got_it(client: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with raw_server(talk) as url:
        error = await error_of(client, url)
    assert isinstance(error, httpx.RemoteProtocolError)
    assert not surely_not_sent(error)


async def test_a_server_that_resets_may_have_got_it(client: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        reset(writer)

    async with raw_server(talk) as url:
        error = await error_of(client, url)
    assert isinstance(error, httpx.ReadError)
    assert not surely_not_sent(error)


async def test_a_server_that_never_answers_may_have_got_it(client: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.Event().wait()

    async with raw_server(talk) as url:
        error = await error_of(client, url, timeout=httpx.Timeout(None, read=0.05))
    assert isinstance(error, httpx.ReadTimeout)
    assert not surely_not_sent(error)


@pytest.mark.parametrize(
    "answer",
    [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n"],
    ids=["no HTTP", "endless header"],
)
async def test_an_invalid_response_may_have_got_it_and_shows_no_secrets(
    client: httpx.AsyncClient, answer: bytes
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()

    async with raw_server(talk) as url:
        error = await error_of(client, url, headers={"Authorization": "Bearer secret"})
    assert isinstance(error, httpx.RemoteProtocolError)
    assert not surely_not_sent(error)
    seen: BaseException | None = error
    while seen is not None:
        assert "secret" not in repr(seen)
        seen = seen.__cause__ or seen.__context__


@pytest.mark.parametrize("rst", [False, True], ids=["closed", "reset"])
async def test_a_body_that_breaks_off_is_a_read_error(client: httpx.AsyncClient, rst: bool) -> None:
    half_read = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await half_read.wait()
        if rst:
            reset(writer)

    async with raw_server(talk) as url, client.stream("GET", url) as response:
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"half"
        half_read.set()
        with pytest.raises(httpx.ReadError) as caught:
            await asyncio.wait_for(anext(chunks), PATIENCE_S)
    assert not surely_not_sent(caught.value)


async def test_a_connection_that_the_server_closed_is_not_used_again(client: httpx.AsyncClient) -> None:
    closed = asyncio.Event()
    requests: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(OK)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with raw_server(talk) as url:
        for _ in range(5):
            closed.clear()
            assert (await client.post(url, content=b"x")).text == "ok"
            await closed.wait()
            await asyncio.sleep(0.01)  # the FIN passes through the kernel
    assert len(requests) == 5


async def test_a_post_on_a_dying_connection_is_not_retried(client: httpx.AsyncClient) -> None:
    requests: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(OK)
        requests.append(await read_request(reader))

    async with raw_server(talk) as url:
        await client.post(url, content=b"1")
        error = await error_of(client, url)
    assert not surely_not_sent(error)
    assert len(requests) == 2


async def test_cookies_are_not_kept(client: httpx.AsyncClient) -> None:
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append(await read_request(reader))
            writer.write(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: who=me; Path=/\r\n\r\n"))

    async with raw_server(talk) as url:
        url = url.replace("127.0.0.1", "localhost")  # an address alone gets no cookies anyway
        await client.get(url)
        await client.get(url)
    assert len(heads) == 2
    assert b"who=me" not in heads[1]
    assert not client.cookies


async def test_the_environments_proxy_is_not_used(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        await writer.drain()

    async with raw_server(talk) as url, new_client(SSL_CONTEXT) as fresh:
        assert (await fresh.get(url)).text == "ok"


async def test_a_long_header_is_read(client: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /" + b"x" * 30_000 + b"\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(talk) as url:
        assert len((await client.get(url)).headers["location"]) == 30_001


async def test_an_informational_response_is_skipped(client: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(1)
        writer.write(OK)
        await writer.drain()

    async with raw_server(talk) as url:
        assert (await client.post(url, content=b"x")).text == "ok"


async def test_chunks_are_large(client: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n" + bytes(8_000_000))
        await writer.drain()

    async with raw_server(talk) as url, client.stream("GET", url) as response:
        sizes = []
        async for chunk in response.aiter_raw():
            sizes.append(len(chunk))
            await asyncio.sleep(0.001)  # a consumer slower than the server
    assert sum(sizes) == 8_000_000
    assert max(sizes) > 16 * 1024


async def test_a_forms_file_is_read_in_a_thread_and_arrives_whole(client: httpx.AsyncClient) -> None:
    readers: set[threading.Thread] = set()

    class File(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            readers.add(threading.current_thread())
            return super().read(size)

    requests: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(OK)
        await writer.drain()

    content = os.urandom(3_000_000)
    async with raw_server(talk) as url:
        await client.post(url, data={"caption": "done"}, files={"video": ("a.mp4", File(content))})
    assert content in requests[0]
    assert b"chunked" not in requests[0].partition(b"\r\n\r\n")[0].lower()
    assert readers
    assert threading.current_thread() not in readers


async def test_a_forms_file_that_is_still_being_written_is_sent_as_it_comes_and_whole(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    requests: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(OK)
        await writer.drain()

    content = os.urandom(2_500_000)
    file = ArrivingFile(tmp_path / "a.part", tmp_path / "a.mp4", len(content))
    with file.path.open("wb") as part:

        async def write() -> None:
            for at in range(0, len(content), 100_000):
                part.write(content[at : at + 100_000])
                part.flush()
                file.add(100_000)
                await asyncio.sleep(0.001)  # A writer slower than the line.
            file.end()

        async with raw_server(talk) as url, asyncio.TaskGroup() as tasks:
            tasks.create_task(write())
            with contextlib.closing(file.open()) as handle:
                await client.post(url, files={"video": ("a.mp4", cast(IO[bytes], handle))}, timeout=5)
    assert content in requests[0]


async def test_a_form_that_the_server_stops_taking_ends(client: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    files = {"video": ("a.mp4", io.BytesIO(bytes(20_000_000)))}
    async with raw_server(talk) as url, asyncio.timeout(PATIENCE_S):
        with pytest.raises(httpx.WriteTimeout) as stalled:
            await client.post(url, files=files, timeout=httpx.Timeout(60, write=0.2))
    assert not surely_not_sent(stalled.value)


async def test_an_answer_before_a_forms_end_is_read(client: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000_000)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nla")
        await reader.readexactly(5_000_000)  # The form goes on meanwhile.
        writer.write(b"rge")
        while await reader.read(1_000_000):
            pass

    files = {"video": ("a.mp4", io.BytesIO(bytes(20_000_000)))}
    async with raw_server(talk) as url, asyncio.timeout(PATIENCE_S):
        answer = await client.post(url, files=files)
    assert (answer.status_code, answer.text) == (413, "large")


async def test_where_an_answer_leads_is_for_the_caller_to_check() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(talk) as url:
        transport = Transport(SSL_CONTEXT)
        status, _ = await transport.exchange("GET", url, {}, None, httpx.Timeout(PATIENCE_S))
        assert status == 302
        await transport.aclose()


async def test_leaving_a_response_early_closes_its_connection(client: httpx.AsyncClient) -> None:
    gone = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await reader.read()
        gone.set()

    async with raw_server(talk) as url:
        async with client.stream("GET", url) as response:
            assert await anext(response.aiter_raw()) == b"half"
        await asyncio.wait_for(gone.wait(), PATIENCE_S)


async def test_errors_that_telegram_wraps_are_recognised() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    request = HTTPXRequest(httpx_kwargs={"transport": Transport(SSL_CONTEXT)})
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(request)
        with pytest.raises(NetworkError) as refused:
            await request.post(f"http://127.0.0.1:{free_port()}")
        url = await stack.enter_async_context(raw_server(talk))
        with pytest.raises(NetworkError) as lost:
            await request.post(url)
    assert surely_not_sent(refused.value)
    assert not surely_not_sent(lost.value)
    assert not surely_not_sent(TimedOut())
    assert not surely_not_sent(ValueError())


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost.", "0x7f.1"])
async def test_a_name_that_resolves_into_a_private_network_is_not_reached(name: str) -> None:
    asked = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1

    async with raw_server(talk) as url, new_client(SSL_CONTEXT, public_only=True) as client:
        error = await error_of(client, url.replace("127.0.0.1", name))
    assert isinstance(error, httpx.ConnectError)
    assert surely_not_sent(error)
    assert asked == 0


async def test_the_connection_goes_to_the_checked_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A private address beside a public one, or another answer to the next lookup, changes nothing."""
    reached: list[str] = []
    looked_up: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        reached.append(writer.get_extra_info("sockname")[0])
        writer.write(OK)
        await writer.drain()
        writer.close()

    async def changing(
        _: object, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        looked_up.append(host)
        addresses = ["127.0.0.1", "127.0.0.2"] if len(looked_up) == 1 else ["127.0.0.1"]
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in addresses
        ]

    # One of this machine's addresses counts as public.
    monkeypatch.setattr("bot.runtime.http.is_public", lambda address: str(address) == "127.0.0.2")
    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", changing)
    servers = [await asyncio.start_server(talk, "127.0.0.1", 0)]
    port = servers[0].sockets[0].getsockname()[1]
    servers.append(await asyncio.start_server(talk, "127.0.0.2", port))
    try:
        async with new_client(SSL_CONTEXT, public_only=True) as client:
            answer = await client.get(f"http://cdn.example:{port}/")
        async with new_client(SSL_CONTEXT, public_only=True) as client:
            assert isinstance(await error_of(client, f"http://cdn.example:{port}/"), httpx.ConnectError)
    finally:
        for server in servers:
            server.close()
    assert answer.text == "ok"
    assert (reached, looked_up) == (["127.0.0.2"], ["cdn.example", "cdn.example"])
