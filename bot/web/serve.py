"""One way to put an ASGI app on a port, inside the running loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 0.5
"""How long answers that are on their way have when the server ends; then their connections are closed."""

LEAVE_S = 1.5
"""How long an app then has to leave its requests; then they are cancelled."""

KEEP_ALIVE_S = 75
"""How long a connection may be idle: longer than the usual client or proxy keeps one, so that none of them sends a
request into a connection that ends at that moment, as with uvicorn's 5 s."""

DATE_EVERY_S = 1.0
"""How often the date in the answers' headers is made anew."""

LOOK_AGAIN_S = 0.002
"""Pause between two looks for open connections at the end, of which nothing tells when the last is gone."""


class _Server(uvicorn.Server):
    """uvicorn's, without its ticks: they let every end wait for two to five tenths of a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._end = asyncio.Event()

    def end(self) -> None:
        """Begin to end."""
        self.should_exit = True
        self._end.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: the command decides what they do."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; an app that can't is an error of its server, while uvicorn's way ends the whole process."""
        try:
            await super().startup(sockets)
        except SystemExit:
            self.should_exit = True

    async def main_loop(self) -> None:
        """Keep the date right until told to end."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), DATE_EVERY_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, let go of those that are open, and end the app."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if not await self._is_quiet_within(GRACE_S):
            # An app learns of a closed connection and ends in order; to cancel it leaves a traceback.
            for connection in list(self.server_state.connections):
                connection.transport.close()
            if not await self._is_quiet_within(LEAVE_S):
                for connection in list(self.server_state.connections):
                    connection.transport.abort()
                for task in list(self.server_state.tasks):
                    task.cancel()
        await self.lifespan.shutdown()

    async def _is_quiet_within(self, limit_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - sets of uvicorn's
                    await asyncio.sleep(LOOK_AGAIN_S)
                return True
        return False


@contextlib.asynccontextmanager
async def serve(
    app: ASGIApp, host: str = "127.0.0.1", port: int = 0, *, max_connections: int | None = None
) -> AsyncIterator[str]:
    """Serve an app until the block is left.

    Args:
        app: Any ASGI app.
        host: The address to listen on; loopback unless the operator says otherwise.
        port: 0 takes a free one.
        max_connections: Beyond so many, requests are answered with a 503.

    Yields:
        The base address, such as ``http://127.0.0.1:40123``.

    Raises:
        OSError: The address is taken or not ours.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        limit_concurrency=max_connections,
    )
    # Our own socket: uvicorn's way to bind ends the whole process when the address is taken.
    is_v6 = ":" in host
    sock = socket.create_server(
        (host, port),
        family=socket.AF_INET6 if is_v6 else socket.AF_INET,
        backlog=2048,
        dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
    )
    # Inherited by every connection. asyncio sets it for sockets that name their protocol, which these don't, and
    # without it each answer on a kept connection waits 40 ms for the other side's acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]), name="web")
    try:
        while not server.started:
            if task.done():
                task.result()
                raise OSError(f"no server came up on {host}:{port}")
            await asyncio.sleep(0.001)
        yield f"http://{f'[{host}]' if is_v6 else host}:{sock.getsockname()[1]}"
    finally:
        server.end()
        await task
        # uvicorn closes it, unless the app did not start.
        sock.close()
