"""An embedded server for the length of a block, restarted when it crashes; its file keeps nothing that was erased."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from bot.runtime.backoff import Backoff
from bot.store.errors import StoreError
from bot.store.keys import AOF_REWRITE_DUE, REWRITTEN_TODAY, REWRITTEN_WITHIN_HOUR
from bot.store.server import EmbeddedServer

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.01  # between attempts to restart a crashed server
LONGEST_PAUSE_S = 5.0
STABLE_S = 60.0  # up for this long, a server's next crash counts as its first

LOOK_S = 60.0  # between two looks whether the append-only file has to be rewritten
_HOUR_S, _DAY_S = 3600, 86_400


class EmbeddedStore:
    """A Valkey on this machine that persists to disk, for when no ``REDIS_URL`` is set.

        async with EmbeddedStore(data_dir) as store:
            redis = Redis.from_url(store.url)

    Processes with the same directory share one server, which the last of them stops. A server that dies while it is
    in use is restarted with all writes that it confirmed.

    Args:
        data_dir: The server's data; created if missing.

    Raises:
        StoreError: On entering, if the server can't be started.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._server: EmbeddedServer | None = None
        self._supervisor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "EmbeddedStore":
        server = EmbeddedServer(self._data_dir)
        try:
            await _finish_in_thread(server.attach)
        except asyncio.CancelledError:
            await _finish_in_thread(server.detach)
            raise
        self._server = server
        self._supervisor = asyncio.create_task(self._keep_running(server), name="embedded-store")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
        if self._server is not None:
            await _finish_in_thread(self._server.detach)

    @property
    def url(self) -> str:
        """The server's URL, ``unix://…``; the same after a restart."""
        if self._server is None:
            raise RuntimeError("the store has no URL before it is entered")
        return self._server.url

    async def _keep_running(self, server: EmbeddedServer) -> None:
        clock = asyncio.get_running_loop()
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while True:
            watched_since_s = clock.time()
            await _wait_until_gone(server.socket_path)
            if clock.time() - watched_since_s > STABLE_S:
                backoff.reset()
            pause_s = backoff.next_s()
            log.warning("store.lost", pause_s=pause_s)
            await asyncio.sleep(pause_s)
            try:
                await _finish_in_thread(server.ensure_running)
            except StoreError as error:
                log.error("store.restart_failed", error=str(error), pause_s=pause_s)  # noqa: TRY400 - the message says it all
            else:
                log.info("store.restarted")


async def _wait_until_gone(socket_path: Path) -> None:
    """Wait until the server closes a connection, or the kernel does for a killed server."""
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
    """Run blocking work in a thread. When cancelled, wait for its end: a thread can't be stopped."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def rewrite_regularly(redis: Redis) -> None:
    """Rewrite the append-only file once a day, and after an erasure, at most once an hour, forever.

    Args:
        redis: The embedded store; several processes may do this at once.
    """
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            await rewrite_if_due(redis)
        except RedisError as error:  # Being started again, or out of room: the next look will do.
            log.warning("store.not_rewritten", error=str(error))


async def rewrite_if_due(redis: Redis) -> bool:
    """Rewrite the file if something was erased, or the last time is a day ago; return whether that has begun."""
    is_due = await redis.exists(AOF_REWRITE_DUE) or not await redis.exists(REWRITTEN_TODAY)
    if not is_due or not await redis.set(REWRITTEN_WITHIN_HOUR, 1, nx=True, ex=_HOUR_S):
        return False
    # Deleted before: what is erased from here on is due again.
    await redis.delete(AOF_REWRITE_DUE)
    await redis.set(REWRITTEN_TODAY, 1, ex=_DAY_S)
    try:
        await redis.bgrewriteaof()
    except ResponseError as error:  # The server writes a snapshot just now.
        log.warning("store.not_rewritten", error=str(error))
        await redis.set(AOF_REWRITE_DUE, 1)
        await redis.delete(REWRITTEN_WITHIN_HOUR)
        return False
    return True
