"""The embedded store for the length of a block: there while it is in use, back at once when it crashes."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import structlog

from bot.runtime.backoff import Backoff
from bot.store.errors import StoreError
from bot.store.server import EmbeddedServer

FIRST_PAUSE_S = 0.01  # between attempts to restart a crashed server
LONGEST_PAUSE_S = 5.0
STABLE_S = 60.0  # up for this long, a server's next crash counts as its first


class EmbeddedStore:
    """A Valkey on this machine, kept on disk, for when no ``REDIS_URL`` is set.

        async with EmbeddedStore(data_dir) as store:
            redis = Redis.from_url(store.url)

    Any number of processes may do so with one directory; they share one server, which the last one stops.
    A server that dies while it is in use is started again with all that it had confirmed.

    Args:
        data_dir: Where everything is kept; made when missing.

    Raises:
        StoreError: On entering: it can't be started; one line says why.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._server: EmbeddedServer | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "EmbeddedStore":
        server = EmbeddedServer(self._data_dir)
        try:
            await _finish_in_thread(server.join)
        except asyncio.CancelledError:
            await _finish_in_thread(server.leave)
            raise
        self._server = server
        self._watch = asyncio.create_task(self._keep_running(server), name="embedded-store")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        if self._server is not None:
            await _finish_in_thread(self._server.leave)

    @property
    def url(self) -> str:
        """The server's address, ``unix://…``; the same after a restart."""
        if self._server is None:
            raise RuntimeError("the store has an address once it is entered")
        return self._server.url

    async def _keep_running(self, server: EmbeddedServer) -> None:
        log = structlog.get_logger()
        clock = asyncio.get_running_loop()
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while True:
            watched_since_s = clock.time()
            await _wait_until_gone(server.socket_path)
            if clock.time() - watched_since_s > STABLE_S:
                backoff.reset()
            pause_s = backoff.next_s()
            log.warning("store.gone", pause_s=pause_s)
            await asyncio.sleep(pause_s)
            try:
                await _finish_in_thread(server.ensure_running)
            except StoreError as error:
                log.error("store.restart_failed", error=str(error), pause_s=pause_s)  # noqa: TRY400 - one line says it
            else:
                log.info("store.restarted")


async def _wait_until_gone(socket_path: Path) -> None:
    """Wait until the server closes a connection, which the kernel does for one that was killed."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
    except OSError:
        return
    try:
        await reader.read(1)
    except OSError:
        return
    finally:
        writer.close()


async def _finish_in_thread(work: Callable[[], object]) -> None:
    """Run blocking work in a thread; when cancelled, wait for its end: a thread can't be stopped."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
