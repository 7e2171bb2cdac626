"""Connection pools of the store: one way to connect for the bot and for docket, in which nothing waits forever.

A server that freezes, or a proxy that keeps the connections to a lost one, answers TCP's keepalive and nothing else.
So each read has a limit, and one that runs into it closes the pool's idle connections too: each of them would cost the
next command as long again. A proxy also keeps the connections to a primary that became a replica, which refuses writes
for good: they are closed too, as new ones may lead to the next primary.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import hiredis
from docket._redis_sentinel import OwnedSentinelConnectionPool, is_sentinel_url, parse_sentinel_url
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as AnswerTimeout

POOL_TIMEOUT_S = 20.0  # for a free connection
CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 5.0  # blocking commands must block for less; docket's longest blocks for 0.25 s
SENTINEL_TIMEOUT_S = 1.0  # for a sentinel to answer before the next one is asked
HEALTH_CHECK_INTERVAL_S = 30

NO_REPLICAS = "NOREPLICAS"  # begins the answer of a primary that lost its replicas, perhaps to another one

RETRY_BASE_S = 0.01
RETRY_CAP_S = 0.5


class _Connection(AbstractConnection):
    """A connection that never swallows a cancellation, and whose silence or refusal makes its pool close the idle ones.

    redis-py sends each command through ``asyncio.wait_for``, which before Python 3.12 takes a task for each, and
    swallows a cancellation that arrives as it ends: of 4000 during a command, two in five.
    """

    pool: BlockingConnectionPool

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Send as redis-py does, but time it with ``asyncio.timeout``: ``wait_for`` makes a task for each command."""
        if not self.is_connected:
            await self.reconnect()
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        limit_s, self.socket_timeout = self.socket_timeout, None  # Without a timeout it doesn't use wait_for.
        try:
            async with asyncio.timeout(limit_s):
                await super().send_packed_command(command, check_health=False)
        except TimeoutError as error:
            raise AnswerTimeout("Timeout writing to socket") from error
        finally:
            self.socket_timeout = limit_s

    def pack_command(self, *args: Any) -> list[bytes]:
        # As redis-py does it without asyncio, in a sixth of the time: a job has a hundred commands.
        name, *others = args
        try:
            return [hiredis.pack_command((*name.split(), *others))]
        except (TypeError, UnicodeError):  # what the encoder converts or refuses
            return super().pack_command(*args)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except AnswerTimeout:
            await self.pool.disconnect(inuse_connections=False)
            raise
        except ResponseError as error:
            if isinstance(error, ReadOnlyError) or str(error).startswith(NO_REPLICAS):
                await self.disconnect(nowait=True)
                await self.pool.disconnect(inuse_connections=False)
            raise

    async def reconnect(self) -> None:
        """Connect once: the command that needs the connection is retried itself, and each time redis-py would retry."""
        await self.connect_check_health(check_health=False, retry_socket_connect=False)


class _SentinelConnection(_Connection, SentinelManagedConnection):
    """A connection that asks the sentinels for the primary each time, where redis-py would try the old one again."""

    async def reconnect(self) -> None:
        await self._connect_retry()  # type: ignore[no-untyped-call]


class _SentinelPool(OwnedSentinelConnectionPool, BlockingConnectionPool):
    """A pool that asks the sentinels for the primary, and waits for a free connection."""


def new_pool(url: str, *, max_connections: int, retries: int, **options: Any) -> BlockingConnectionPool:
    """Create a pool; it connects when it is used.

    Args:
        url: A ``redis://``, ``rediss://`` or ``unix://`` URL, or one of Sentinel with ``redis+sentinel://`` or
            ``rediss+sentinel://``. Its own options win over those of here.
        max_connections: Connections at once; who wants another waits for ``POOL_TIMEOUT_S``.
        retries: How often a command is sent again when its connection was lost; commands must be idempotent.
        options: Of redis-py's connections.

    Raises:
        ValueError: The URL is none; the message may contain its password.
    """
    options = {
        "max_connections": max_connections,
        "timeout": POOL_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": ANSWER_TIMEOUT_S,
        "health_check_interval": HEALTH_CHECK_INTERVAL_S,
        "driver_info": None,  # Each connection would read redis-py's package metadata, and tell the server its version.
        "encoding_errors": "replace",  # What isn't text is no reason to stop: nothing of the bot has such a name.
        "retry": _retry(retries),
        **options,
    }
    pool = (
        _sentinel_pool(url, options)
        if is_sentinel_url(url)
        else BlockingConnectionPool.from_url(url, **options)
    )
    # The class depends on the scheme: TCP, TLS or a Unix socket.
    base = _SentinelConnection if is_sentinel_url(url) else _Connection
    pool.connection_class = type("Connection", (base, pool.connection_class), {"pool": pool})
    return pool


def _sentinel_pool(url: str, options: dict[str, Any]) -> BlockingConnectionPool:
    config = parse_sentinel_url(url)
    limits = {"socket_connect_timeout": SENTINEL_TIMEOUT_S, "socket_timeout": SENTINEL_TIMEOUT_S}
    # One that doesn't answer isn't asked again: the next one knows as much.
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        config.sentinels, sentinel_kwargs={**limits, "retry": _retry(0), **config.sentinel_kwargs}
    )
    of_url = dict(config.connection_kwargs)
    connection = SentinelManagedSSLConnection if of_url.pop("ssl", False) else SentinelManagedConnection
    return _SentinelPool(  # type: ignore[no-untyped-call]
        config.service_name, sentinels, connection_class=connection, db=config.db, **{**options, **of_url}
    )


def _retry(retries: int) -> Retry:
    return Retry(ExponentialWithJitterBackoff(cap=RETRY_CAP_S, base=RETRY_BASE_S), retries)
