"""One way to put an ASGI app on a port, inside the running loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 0.5
"""How long answers that are on their way have when the server ends; then their connections are closed."""


class _Server(uvicorn.Server):
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


@contextlib.asynccontextmanager
async def serve(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an app until the block is left.

    Args:
        app: Any ASGI app.
        host: The address to listen on; loopback unless the operator says otherwise.
        port: 0 takes a free one.

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
        timeout_graceful_shutdown=2,
    )
    # Our own socket: uvicorn's way to bind ends the whole process when the address is taken.
    sock = socket.create_server((host, port), backlog=2048)
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
        yield f"http://{host}:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=GRACE_S)
        # An app learns of a closed connection and ends in order; uvicorn's own way is to cancel it with a traceback.
        for connection in list(server.server_state.connections):
            connection.transport.close()
        await task
        # uvicorn closes it, unless the app did not start.
        sock.close()
