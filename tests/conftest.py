"""What tests in several folders need: a real store, empty at the start of each test; and how all of them are run."""

import asyncio
import contextlib
import gc
import importlib
import os
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import uvloop
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from bot.runtime.process import collect_rarely
from bot.sandbox.nemovideo import render
from bot.store.connect import Store, open_store
from bot.store.server import EmbeddedServer
from tests.clocks import PATIENCE_S

# A busy machine may take longer to answer than the 5 s of httpx.
for _phase in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _phase, PATIENCE_S)

gc.disable()  # until all tests are collected: what is imported leaves no garbage

# A busy machine makes examples slow, not wrong. Many of them are tried in tests/test_fuzz.py, among the heavy tests.
hypothesis.settings.register_profile(
    "suite",
    max_examples=30,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("suite")

WORKERS_PER_CORE = 2
"""Tests wait more than they calculate: for processes to start, for leases to run out, for renders."""

SLOW_FIRST = (
    "tests/sandbox/page/test_browser.py",
    "tests/interruptions/test_secrets.py",
    "tests/interruptions/test_store.py",
    "tests/interruptions",
    "tests/conversations/test_conversations.py",
    "tests/conversations",
)
"""Where tests take seconds. They begin first, so that none of them runs alone at the end."""


HEAVY_FILE = "\npytestmark = pytest.mark.heavy\n"


def pytest_xdist_auto_num_workers() -> int:
    """What ``-n auto`` means here."""
    return WORKERS_PER_CORE * (os.cpu_count() or 1)


class ClosingLoop(uvloop.Loop):
    """The loop that the bot itself runs in, whose end no forgotten connection can hold up."""

    def close(self) -> None:
        """Close it, with a warning for each connection that is still open."""
        # As an error, the warning would end uvloop's closing of that connection, and uvloop waits for it forever.
        with warnings.catch_warnings():
            warnings.simplefilter("default", ResourceWarning)
            super().close()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the loop of all tests."""
    return {"uvloop": ClosingLoop}


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Have the collector leave alone what the collection made: looking through it took a tenth of the tests' time."""
    # The process that hands out the tests imports none of them.
    worker = getattr(session.config, "workerinput", None)
    if worker is not None and session.config.args == session.config.getini("testpaths"):
        _import_all_tests(session.config, worker)
    try:
        return (yield)
    finally:
        collect_rarely()
        gc.enable()


def _import_all_tests(config: pytest.Config, worker: dict[str, Any]) -> None:
    """Begin in each of xdist's workers with other files: what it comes to later, another one has compiled by then.

    Otherwise all of them compile all tests at the same time in a new clone, 4 s of processor time each.
    """
    files = [
        file
        for file in sorted((config.rootpath / "tests").rglob("test_*.py"))
        if not pytest_ignore_collect(file, config)
    ]
    first = len(files) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for file in files[first:] + files[:first]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # the collection tells
            importlib.import_module(".".join(file.relative_to(config.rootpath).with_suffix("").parts))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file whose tests are all heavy, selenium among them, for a run without those."""
    if collection_path.suffix != ".py" or config.option.markexpr != "not heavy":
        return None
    return HEAVY_FILE in collection_path.read_text(encoding="utf-8") or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow tests first."""

    def rank(item: pytest.Item) -> int:
        return next(
            (rank for rank, place in enumerate(SLOW_FIRST) if item.nodeid.startswith(place)), len(SLOW_FIRST)
        )

    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def _finished_renders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One place for all workers, where pytest clears away: xdist ends its workers too abruptly for them to do it."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "renders"
    directory.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "_shelf", lambda: directory)
        patch.setattr(render, "MAX_FPS", 8)
        yield


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server, one for each of xdist's workers."""
    server = EmbeddedServer(tmp_path_factory.mktemp("store"))
    server.attach()
    try:
        with closing(BlockingRedis.from_url(server.url)) as redis:
            redis.config_set("appendonly", "no")  # what the disk does is tested in tests/store
        yield server.url
    finally:
        server.detach()


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
