"""What tests in several folders need: a real store, empty at the start of each test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from bot.store.connect import Store, open_store
from bot.store.server import EmbeddedServer


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server, one for each of xdist's workers."""
    server = EmbeddedServer(tmp_path_factory.mktemp("store"))
    server.join()
    try:
        with closing(BlockingRedis.from_url(server.url)) as redis:
            redis.config_set("appendonly", "no")  # what the disk does is tested in tests/store
        yield server.url
    finally:
        server.leave()


@pytest.fixture
async def store(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    """The store, connected and empty."""
    async with open_store(store_url, tmp_path_factory.getbasetemp() / "unused") as opened:
        await opened.redis.flushall()
        yield opened


@pytest.fixture
def redis(store: Store) -> Redis:
    """The store's client."""
    return store.redis
