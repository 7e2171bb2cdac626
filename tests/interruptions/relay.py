"""A relay in front of a store, as a proxy or a balancer that keeps connections to a server that froze."""

from __future__ import annotations

import asyncio
from pathlib import Path

BLOCK = 65_536


class Relay:
    """Passes bytes on until it is frozen; from then on it takes bytes and connections, and answers nothing.

    Args:
        socket: The store's Unix socket.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._passes = asyncio.Event()
        self._passes.set()
        self._serving: set[asyncio.Task[None]] = set()
        self.url = ""

    def freeze(self) -> None:
        """Let nothing through any more."""
        self._passes.clear()

    def pass_new(self) -> None:
        """Let new connections through; the old ones stay open, and unanswered for ever."""
        self._passes = asyncio.Event()
        self._passes.set()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve_one(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passes, writers = self._passes, [writer]
        try:
            await passes.wait()
            store_reader, store_writer = await asyncio.open_unix_connection(str(self._socket))
            writers.append(store_writer)
            await asyncio.gather(
                _pass_on(reader, store_writer, passes), _pass_on(store_reader, writer, passes)
            )
        except OSError:
            pass
        finally:
            for one in writers:
                one.close()

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event) -> None:
    try:
        while block := await reader.read(BLOCK):
            await passes.wait()
            writer.write(block)
            await writer.drain()
    finally:
        writer.close()
