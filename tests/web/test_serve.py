import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.web.serve import serve
from tests.clocks import PATIENCE_S


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=False, trust_env=False)  # noqa: S501 - plain http on loopback


async def test_it_answers_inside_the_block_and_not_after() -> None:
    async with client() as http:
        async with serve(Starlette(routes=[Route("/", hello)])) as url:
            assert (await http.get(url)).text == "hello"
        with pytest.raises(httpx.ConnectError):
            await http.get(url)


async def test_two_servers_take_different_ports() -> None:
    app = Starlette(routes=[Route("/", hello)])
    async with serve(app) as one, serve(app) as two:
        assert one != two


async def test_a_taken_port_is_an_error_and_does_not_exit_the_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="Errno"):
        async with serve(Starlette(), port=taken.getsockname()[1]):
            pytest.fail("it can't have come up")


async def test_an_app_that_does_not_start_is_an_error() -> None:
    @contextlib.asynccontextmanager
    async def broken(app: Starlette) -> AsyncIterator[None]:
        raise RuntimeError("no way")
        yield

    with pytest.raises(OSError, match="no server came up"):
        async with serve(Starlette(lifespan=broken)):
            pytest.fail("it can't have come up")


async def test_an_open_request_neither_delays_the_end_nor_leaves_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    arrived = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        arrived.set()
        await asyncio.Event().wait()

    async def stream(request: Request) -> Response:
        return StreamingResponse(endless())

    async with client() as http:
        async with asyncio.timeout(PATIENCE_S):
            async with serve(Starlette(routes=[Route("/", stream)])) as url:
                asked = asyncio.create_task(http.get(url))
                await arrived.wait()
            with pytest.raises(httpx.HTTPError):
                await asked
    assert "Traceback" not in caplog.text


async def test_the_end_waits_for_the_apps_own_shutdown() -> None:
    ended = False

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        nonlocal ended
        yield
        await asyncio.sleep(0)
        ended = True

    async with serve(Starlette(lifespan=lifespan)):
        assert not ended
    assert ended
