"""Responses other than JSON: streamed files, and connections closed without an answer."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bot.runtime.clock import Clock
from bot.sandbox.botapi.journal import Fault

CHUNK_BYTES = 256 * 1024


async def _hang_up(receive: Receive) -> None:
    """Close the connection of an incomplete answer.

    ASGI can't express this. uvicorn's ``receive`` is bound to the object with the connection. With another
    server the answer just ends, which that server turns into a 500 or a cut body.
    """
    transport: Any = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is not None:
        transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


class Dropped(Response):
    """A response that closes the connection without an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.background: BackgroundTask | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection."""
        await _hang_up(receive)


class FileBody(Response):
    """A file streamed from disk, with its length.

    Args:
        path: The file.
        size: Its length in bytes.
        clock: Source of time for a slow download.
        fault: A ``cut`` or ``slow`` fault, if any.
        ended: Called at the end with whether the whole file was sent.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        clock: Clock,
        fault: Fault | None = None,
        ended: Callable[[Literal["ok", "dropped"]], None] | None = None,
    ) -> None:
        super().__init__(headers={"content-length": str(size)}, media_type="application/octet-stream")
        self._path = path
        self._size = size
        self._clock = clock
        self._ended = ended
        self._stop_at = size
        self._chunk_bytes = CHUNK_BYTES
        self._pause_s = 0.0
        if fault is not None and fault.action == "cut":
            self._stop_at = min(size, fault.after_bytes)
        if fault is not None and fault.action == "slow":
            # Ten chunks per second, so that a slow download is evenly slow.
            self._chunk_bytes = max(1, min(CHUNK_BYTES, int(fault.bytes_per_s / 10)))
            self._pause_s = self._chunk_bytes / fault.bytes_per_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file in chunks."""
        gone = asyncio.create_task(_disconnected(receive)) if self._pause_s else None
        whole = False
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            whole = await self._pieces(send, gone)
            if whole:
                await send({"type": "http.response.body", "body": b""})
            elif self._stop_at < self._size:
                await _hang_up(receive)
        finally:
            if gone is not None:
                gone.cancel()
            if self._ended is not None:
                self._ended("ok" if whole else "dropped")

    async def _pieces(self, send: Send, gone: "asyncio.Task[None] | None") -> bool:
        sent = 0
        with self._path.open("rb") as handle:
            while sent < self._stop_at and not (gone and gone.done()):
                size = min(self._chunk_bytes, self._stop_at - sent)
                piece = await asyncio.to_thread(handle.read, size)
                if not piece:
                    return False
                if self._pause_s:
                    await self._clock.sleep(self._pause_s)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                sent += len(piece)
        return sent == self._size


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
