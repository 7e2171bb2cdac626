"""Connect to the store: the operator's Redis, or an embedded one."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from bot.store.append_only_file import rewriting_regularly
from bot.store.embedded import EmbeddedStore
from bot.store.errors import StoreRefused, StoreTooOld, StoreUnreachable

MIN_REDIS_VERSION = (6, 2)  # for LMOVE and GETEX; Valkey reports 7.2

MAX_CONNECTIONS = 100
DOCKET_CONNECTIONS = (
    5_000  # docket does not wait for a free one, and hundreds of jobs may start or end at once
)
POOL_TIMEOUT_S = 20.0  # for a free connection
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 10.0  # blocking commands must block for less
HEALTH_CHECK_INTERVAL_S = 30

# About 3 s in all: an embedded server restarts in 0.1 s, a container in one or two.
RETRIES = 10
RETRY_BASE_S = 0.01
RETRY_CAP_S = 0.5


@dataclass(frozen=True, slots=True)
class Store:
    """A connected store.

    Note:
        A command whose answer was lost with its connection is sent again: commands must be idempotent.

    Attributes:
        redis: The client; strings are decoded to ``str``.
        url: The server's URL. It may contain a password.
    """

    redis: Redis
    url: str = field(repr=False)

    @property
    def docket_url(self) -> str:
        """The URL with as many connections as docket needs."""
        return f"{self.url}{'&' if '?' in self.url else '?'}max_connections={DOCKET_CONNECTIONS}"


class _CancellableConnection(AbstractConnection):
    """A connection that never swallows a cancellation.

    redis-py sends each command through ``asyncio.wait_for``, which before Python 3.12 swallows a cancellation that
    arrives as it ends: of 4000 during a command, two in five.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        await super().send_packed_command(command, check_health)
        if task is not None and task.cancelling() > before:
            await self.disconnect(nowait=True)  # Nobody will read the answer that is coming.
            raise asyncio.CancelledError


@asynccontextmanager
async def open_store(redis_url: str | None, data_dir: Path) -> AsyncIterator[Store]:
    """Connect to the operator's Redis or Valkey, or embed one.

    Args:
        redis_url: A ``redis://``, ``rediss://`` or ``unix://`` URL; a server is embedded without one.
        data_dir: An embedded server's data; not touched otherwise.

    Yields:
        The store, which answers and is new enough.

    Raises:
        StoreError: It can't be used. The message is one line without the password.
    """
    if redis_url:
        async with _connected(redis_url) as store:
            yield store
    else:
        async with (
            EmbeddedStore(data_dir) as embedded,
            _connected(embedded.url) as store,
            rewriting_regularly(store.redis),
        ):
            yield store


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Store]:
    shown = _without_secrets(url)
    try:
        pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
            url,
            decode_responses=True,
            max_connections=MAX_CONNECTIONS,
            timeout=POOL_TIMEOUT_S,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=ANSWER_TIMEOUT_S,
            health_check_interval=HEALTH_CHECK_INTERVAL_S,
            retry=Retry(ExponentialWithJitterBackoff(cap=RETRY_CAP_S, base=RETRY_BASE_S), RETRIES),
        )
    except (ValueError, TypeError):  # its message contains the URL with the password
        raise StoreRefused(f"REDIS_URL is not a URL of a Redis: {shown}") from None
    # The class depends on the scheme: TCP, TLS or a Unix socket.
    pool.connection_class = type("CancellableConnection", (_CancellableConnection, pool.connection_class), {})
    redis = Redis.from_pool(pool)
    try:
        await _check(redis, shown)
        yield Store(redis, url)
    finally:
        await redis.aclose()


async def _check(redis: Redis, shown: str) -> None:
    try:
        server = await redis.info("server")
    except (AuthenticationError, AuthorizationError, NoPermissionError) as error:
        raise StoreRefused(f"Redis at {shown} refuses: {error}; set user and password in REDIS_URL") from None
    except TypeError:  # options are checked at the first connection
        raise StoreRefused(f"REDIS_URL has an unknown option: {shown}") from None
    except ResponseError as error:
        raise StoreRefused(f"Redis at {shown} refuses: {error}") from None
    except (RedisError, OSError) as error:
        raise StoreUnreachable(f"Redis at {shown} does not answer: {error}") from None
    version = str(server["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < MIN_REDIS_VERSION:
        raise StoreTooOld(f"Redis at {shown} is version {version}; 6.2 is the oldest that works")


def _without_secrets(url: str) -> str:
    """Return a URL as it may be shown: scheme, host and port, or the socket's path."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # after an unquoted slash in the password, the rest of it looks like a port
        return "…"
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    return f"{parts.scheme}://{parts.hostname or ''}{port}" if parts.scheme else "…"
