"""Connecting to the operator's own server."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from unittest.mock import AsyncMock
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreAway
from redis.exceptions import ResponseError

from bot.store.connect import Store, answers, open_store, without_secrets
from bot.store.docket_json import open_docket
from bot.store.errors import StoreError, StoreUnreachable
from bot.store.pools import new_pool
from tests.clocks import PATIENCE_S
from tests.interruptions.relay import Relay
from tests.nemo.servers import raw_server

INFO_60 = b"# Server\r\nredis_version:6.0.16\r\n"


@pytest.fixture
def few_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.connect.RETRIES", 1)


@asynccontextmanager
async def server_that_answers(answer: bytes) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while received := await reader.read(65536):
            writer.write(answer * len(re.findall(rb"\*\d+\r\n\$", received)))  # one a command
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_the_operators_store_is_used_and_the_data_directory_is_not_touched(
    store_url: str, tmp_path: Path
) -> None:
    async with open_store(store_url, tmp_path / "data") as store:
        assert await store.redis.set("k", "é")
        assert await store.redis.get("k") == "é"
        assert store.url == store_url
    assert not (tmp_path / "data").exists()


def test_the_url_is_not_shown(store: Store) -> None:
    assert store.url not in repr(store)


async def test_commands_beyond_the_pool_wait_for_a_connection(store: Store) -> None:
    assert sum(await asyncio.gather(*(store.redis.setnx(f"k{n}", 1) for n in range(300)))) == 300


async def test_docket_adds_hundreds_of_tasks_at_once(store: Store) -> None:
    async def work(number: int) -> None: ...

    async with open_docket("crowd", store.url, timedelta(minutes=1)) as docket:
        docket.register(work)
        await asyncio.gather(*(docket.add(work)(number) for number in range(300)))


@pytest.mark.parametrize(
    "words",
    [
        b"READONLY You can't write against a read only replica.",
        b"NOREPLICAS Not enough good replicas to write.",
    ],
)
async def test_a_server_that_is_no_primary_any_more_is_left(words: bytes) -> None:
    connections = count()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_primary = next(connections) > 0
        while block := await reader.read(65_536):
            refuses = not is_primary and b"\r\nSET\r\n" in block
            writer.write(
                b"-%b\r\n" % words if refuses else b"+OK\r\n" * len(re.findall(rb"\*\d+\r\n", block))
            )

    async with raw_server(talk) as url:
        pool = new_pool(url.replace("http", "redis"), max_connections=2, retries=0, health_check_interval=0)
        async with Redis.from_pool(pool) as redis:
            with pytest.raises(ResponseError):
                await redis.set("anything", 1)
            assert await redis.set("anything", 1)


async def test_a_connection_that_falls_silent_takes_the_idle_ones_with_it(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.pools.ANSWER_TIMEOUT_S", answer_s := 0.5)
    async with Relay(Path(urlsplit(store_url).path)) as relay, open_store(relay.url, tmp_path) as store:
        await asyncio.gather(*(store.redis.setnx(f"k{n}", 1) for n in range(10)))
        relay.freeze()
        relay.pass_new()
        began_s = time.monotonic()
        for _ in range(10):
            await store.redis.get("k1")
        assert time.monotonic() - began_s < 5 * answer_s, "one connection waited, not ten"


async def test_a_server_that_hangs_is_reported(
    tmp_path: Path, few_retries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.pools.ANSWER_TIMEOUT_S", 0.1)
    async with Relay(tmp_path) as relay:
        relay.freeze()
        with pytest.raises(StoreUnreachable, match="does not answer"):
            async with open_store(relay.url, tmp_path):
                pass


def test_a_sentinels_password_is_not_shown() -> None:
    url = "redis+sentinel://bot:hush@s1:26379,s2/videos/0?sentinel_password=hush"
    assert without_secrets(url) == "redis+sentinel://s1:26379,s2:26379/videos"


async def test_a_cancellation_during_a_command_is_not_swallowed(store: Store) -> None:
    async def ask_on() -> None:
        while True:
            await store.redis.get("k")

    for _ in range(20):
        tasks = [asyncio.create_task(ask_on()) for _ in range(20)]
        await store.redis.get("k")
        for task in tasks:
            task.cancel()
        _, deaf = await asyncio.wait(tasks, timeout=PATIENCE_S)
        for task in deaf:
            task.cancel()
        assert not deaf
    assert await store.redis.get("k") is None


async def test_a_cancelled_task_can_still_ask_the_store(store: Store) -> None:
    answers: list[int] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            answers.append(await store.redis.incr("left"))

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert answers == [1]


@pytest.mark.parametrize("error", [StoreAway, TimeoutError])
async def test_a_store_that_is_away_does_not_answer(error: type[Exception]) -> None:
    assert not await answers(AsyncMock(ping=AsyncMock(side_effect=error)))


async def test_a_server_that_is_too_old_is_refused(tmp_path: Path, few_retries: None) -> None:
    # The handshake accepts any answer but an authentication error; INFO parses this one.
    async with server_that_answers(b"$%d\r\n%b\r\n" % (len(INFO_60), INFO_60)) as address:
        with pytest.raises(StoreError, match=r"6\.0\.16; 6\.2"):
            async with open_store(f"redis://{address}?protocol=2", tmp_path):
                pass


@pytest.mark.parametrize(
    "answer",
    [
        b"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"-NOPERM this user has no permissions to run the 'info' command\r\n",
    ],
)
async def test_a_refusal_is_reported_without_the_password(
    tmp_path: Path, few_retries: None, answer: bytes
) -> None:
    async with server_that_answers(answer) as address:
        with pytest.raises(StoreError, match="refuses") as caught:
            async with open_store(f"redis://me:hunter2@{address}", tmp_path):
                pass
    assert "hunter2" not in str(caught.value)
    assert address in str(caught.value)


async def test_an_unreachable_server_is_reported_without_the_password(
    tmp_path: Path, few_retries: None
) -> None:
    with pytest.raises(StoreUnreachable, match=r"127\.0\.0\.1:1 does not answer") as caught:
        async with open_store("redis://:hunter2@127.0.0.1:1/0", tmp_path):
            pass
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2/x@host:6379",
        "redis://:hunter2@host:6379x",
        "http://:hunter2@host",
        "hunter2",
        "redis://:hunter2@127.0.0.1?db=hunter2",
        "redis://:hunter2@127.0.0.1?hunter2=1",
        "redis://[hunter2",
    ],
)
async def test_an_invalid_url_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreError, match="REDIS_URL") as caught:
        async with open_store(url, tmp_path):
            pass
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
