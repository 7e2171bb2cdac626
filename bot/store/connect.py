"""Connect to the store: the operator's Redis, or an embedded one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from docket._redis_sentinel import is_sentinel_url, parse_sentinel_url
from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from bot.runtime.tasks import in_background
from bot.store.batching import BatchingRedis
from bot.store.embedded import EmbeddedStore, rewrite_regularly
from bot.store.errors import StoreError, StoreUnreachable
from bot.store.pools import new_pool

MIN_REDIS_VERSION = (6, 2)  # for LMOVE and GETEX; Valkey reports 7.2

MAX_CONNECTIONS = 100
PING_TIMEOUT_S = 2.0

# About 3 s in all: an embedded server restarts in 0.1 s, a container in one or two.
RETRIES = 10


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


@asynccontextmanager
async def open_store(redis_url: str | None, data_dir: Path) -> AsyncIterator[Store]:
    """Connect to the operator's Redis or Valkey, or embed one.

    Args:
        redis_url: The server's URL, see `bot.store.pools.new_pool`; a server is embedded without one.
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
            in_background(rewrite_regularly(store.redis)),
        ):
            yield store


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Store]:
    shown = without_secrets(url)
    try:
        pool = new_pool(url, max_connections=MAX_CONNECTIONS, retries=RETRIES, decode_responses=True)
    except (ValueError, TypeError):  # its message contains the URL with the password
        raise StoreError(f"REDIS_URL is not a URL of a Redis: {shown}") from None
    redis = BatchingRedis.from_pool(pool)
    try:
        await _check(redis, shown)
        yield Store(redis, url)
    finally:
        await redis.aclose()


async def _check(redis: Redis, shown: str) -> None:
    try:
        server = await redis.info("server")
    except (AuthenticationError, AuthorizationError, NoPermissionError) as error:
        raise StoreError(f"Redis at {shown} refuses: {error}; set user and password in REDIS_URL") from None
    except TypeError:  # options are checked at the first connection
        raise StoreError(f"REDIS_URL has an unknown option: {shown}") from None
    except ResponseError as error:
        raise StoreError(f"Redis at {shown} refuses: {error}") from None
    except (RedisError, OSError) as error:
        raise StoreUnreachable(f"Redis at {shown} does not answer: {error}") from None
    version = str(server["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < MIN_REDIS_VERSION:
        raise StoreError(f"Redis at {shown} is version {version}; 6.2 is the oldest that works")


async def answers(redis: Redis) -> bool:
    """Return whether the store answers within ``PING_TIMEOUT_S``."""
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            return bool(await redis.ping())
    except (RedisError, OSError):  # also a TimeoutError
        return False


def without_secrets(url: str) -> str:
    """Return a URL as it may be shown: scheme, hosts and ports, or the socket's path."""
    try:
        if is_sentinel_url(url):
            config = parse_sentinel_url(url)
            hosts = ",".join(f"{host}:{port}" for host, port in config.sentinels)
            return f"{url.partition(':')[0]}://{hosts}/{config.service_name}"
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # after an unquoted slash in the password, the rest of it looks like a port
        return "…"
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    return f"{parts.scheme}://{parts.hostname or ''}{port}" if parts.scheme else "…"
