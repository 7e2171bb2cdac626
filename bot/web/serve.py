"""Serve an ASGI app on a port, inside the running loop.

uvicorn's own signal handling, main loop and shutdown are replaced through its public methods. Its signal handlers would
end the server before the jobs. Its loops poll every 0.1 s, so each end of a server takes 0.2 s more: the tests of three
folders, which start 200 servers, took 28 s instead of 13. And requests that are open at the end are cancelled after at
least 1 s, with a traceback in the operator's log for each; here their apps see a closed connection, and end in order.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Collection, Iterator
from typing import Any

import h11
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

GRACE_S = 0.5  # how long open responses may go on when the server ends; then their connections are closed
CANCEL_AFTER_S = 1.5  # how long apps then have to return; then their requests are cancelled

KEEP_ALIVE_S = 75
"""How long a connection may be idle: longer than the usual client or proxy keeps one, so that none of them sends a
request into a connection that closes at that moment, as with uvicorn's 5 s."""

HEAD_TIMEOUT_S = 10.0
"""How long a client may take to send a request's head; uvicorn lets it take forever, and counts it as a connection."""

DATE_INTERVAL_S = 1.0  # how often the date header of responses is renewed

POLL_S = 0.002
"""Pause between two checks for open connections at the end; uvicorn signals nothing when the last one closes."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Begin the shutdown."""
        self.should_exit = True
        self._stop.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the command."""
        yield

    async def main_loop(self) -> None:
        """Renew the date header until the shutdown begins."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), DATE_INTERVAL_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, close the open ones, and end the app."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if not await self._is_idle_within(GRACE_S):
            for connection in list(self.server_state.connections):
                connection.transport.close()
            if not await self._is_idle_within(CANCEL_AFTER_S):
                for connection in list(self.server_state.connections):
                    connection.transport.abort()
                for task in list(self.server_state.tasks):
                    task.cancel()
        await self.lifespan.shutdown()

    async def _is_idle_within(self, timeout_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - sets of uvicorn's
                    await asyncio.sleep(POLL_S)
                return True
        return False


class _Protocol(H11Protocol):
    """A connection that is closed when the head of a request takes too long."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_idle = self.cycle is None or self.cycle.response_complete
        if self.conn.their_state is h11.IDLE and is_idle:
            self._watch_head()
        else:
            self._stop_watching()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _stop_watching(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _bounded(
    app: ASGIApp, connections: Collection[Any], max_requests: int, unbounded_paths: Collection[str]
) -> ASGIApp:
    running = 0

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal running
        if scope["type"] != "http" or scope["path"] in unbounded_paths:
            return await app(scope, receive, send)
        if running >= max_requests:
            busy = PlainTextResponse("busy\n", 503, headers={"connection": "close"})
            return await busy(scope, receive, send)
        running += 1
        try:
            await app(scope, receive, send if len(connections) <= max_requests else _closing(send))
        finally:
            running -= 1

    return answer


def _closing(send: Send) -> Send:
    """Answer, and keep the connection no longer."""

    async def send_and_close(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return send_and_close


@contextlib.asynccontextmanager
async def serve(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    max_requests: int | None = None,
    unbounded_paths: Collection[str] = (),
) -> AsyncIterator[str]:
    """Serve an app until the block is left.

    Args:
        app: The app.
        host: The address to listen on; loopback unless the operator says otherwise.
        port: The port; 0 takes a free one.
        max_requests: More requests at once are answered with a 503. With more connections than this, none is kept:
            those that wait, or never finish a request's head, shut nobody out.
        unbounded_paths: Paths that are answered all the same: a busy process is alive.

    Yields:
        The base URL, such as ``http://127.0.0.1:40123``.

    Raises:
        OSError: The address can't be used, or the app did not start.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        http=_Protocol,
    )
    # Our own socket: uvicorn exits the process when it can't bind.
    is_v6 = ":" in host
    sock = socket.create_server(
        (host, port),
        family=socket.AF_INET6 if is_v6 else socket.AF_INET,
        backlog=2048,
        dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
    )
    # Connections inherit it. asyncio sets it only on sockets that name their protocol, which these don't; without it,
    # each response on a kept connection waits 40 ms for the client's acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = _Server(config)
    if max_requests is not None:
        config.app = _bounded(app, server.server_state.connections, max_requests, unbounded_paths)
    task = asyncio.create_task(_run(server, sock), name="web")
    try:
        while not server.started:
            if task.done():
                task.result()
                raise OSError(f"no server came up on {host}:{port}")
            await asyncio.sleep(0.001)
        yield f"http://{f'[{host}]' if is_v6 else host}:{sock.getsockname()[1]}"
    finally:
        server.stop()
        await task
        # uvicorn closes it only if the app started.
        sock.close()


async def _run(server: uvicorn.Server, sock: socket.socket) -> None:
    # uvicorn exits the process when the app does not start.
    with contextlib.suppress(SystemExit):
        await server.serve(sockets=[sock])
