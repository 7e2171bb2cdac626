"""The embedded store, with real processes that are killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.store.connect import Store, open_store
from bot.store.embedded import EmbeddedStore
from bot.store.server import EmbeddedServer
from tests.clocks import PATIENCE_S
from tests.store.conftest import kill_server

# Uses the store as the bot does, prints its server's process ID, and stops when its input ends.
BOT = """
from bot.runtime.lean_imports import import_lean
import_lean()
import asyncio, sys
from pathlib import Path
from bot.store.connect import open_store

async def main():
    async with open_store(None, Path(sys.argv[1])) as store:
        await store.redis.rpush("bots", "here")
        print((await store.redis.info("server"))["process_id"], flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


class BotProcess:
    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", BOT, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def server_pid(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())

    def stop(self) -> None:
        self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_S)


@contextmanager
def bots(data_dir: Path, count: int) -> Iterator[list[BotProcess]]:
    started = [BotProcess(data_dir) for _ in range(count)]
    try:
        yield started
    finally:
        for bot in started:
            bot.kill()


async def pid_of(store: Store) -> int:
    return int((await store.redis.info("server"))["process_id"])


async def test_data_survives_a_restart(data_dir: Path) -> None:
    async with open_store(None, data_dir) as store:
        await store.redis.set("k", "v")
        assert EmbeddedServer(data_dir).is_alive()
    assert not EmbeddedServer(data_dir).is_alive()
    async with open_store(None, data_dir) as store:
        assert await store.redis.get("k") == "v"


async def test_the_server_is_private_and_evicts_nothing(data_dir: Path) -> None:
    async with open_store(None, data_dir) as store:
        config = await store.redis.config_get(
            "port", "appendonly", "appendfsync", "maxmemory-policy", "unixsocketperm"
        )
        assert config == {
            "port": "0",
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "unixsocketperm": "700",
        }
        assert (data_dir / "valkey").stat().st_mode & 0o777 == 0o700
        assert (data_dir / "valkey" / "valkey.sock").stat().st_mode & 0o777 == 0o700


async def test_a_killed_bot_leaves_the_server_for_the_next_one_to_stop(data_dir: Path) -> None:
    with bots(data_dir, 1) as [bot]:
        server_pid = bot.server_pid()
        bot.kill()
        assert EmbeddedServer(data_dir).is_alive()
        async with open_store(None, data_dir) as store:
            assert await pid_of(store) == server_pid
            assert await store.redis.lrange("bots", 0, -1) == ["here"]
    assert not EmbeddedServer(data_dir).is_alive()


async def test_ctrl_c_in_the_bots_terminal_does_not_reach_the_server(data_dir: Path) -> None:
    with bots(data_dir, 1) as [bot]:
        server_pid = bot.server_pid()
        assert os.getsid(server_pid) != os.getsid(bot.process.pid)
        assert os.getpgid(server_pid) != os.getpgid(bot.process.pid)
        bot.stop()


def test_processes_that_start_at_once_share_one_server_and_the_last_stops_it(data_dir: Path) -> None:
    with bots(data_dir, 3) as started:
        assert len({bot.server_pid() for bot in started}) == 1
        for bot in started:
            assert EmbeddedServer(data_dir).is_alive()
            bot.stop()
        assert not EmbeddedServer(data_dir).is_alive()


async def test_a_killed_server_is_restarted_with_all_confirmed_writes(data_dir: Path) -> None:
    async with open_store(None, data_dir) as store:
        for number in range(3):
            await store.redis.rpush("list", number)
            killed = await pid_of(store)
            os.kill(killed, signal.SIGKILL)
            assert await store.redis.lrange("list", 0, -1) == [str(n) for n in range(number + 1)]
            assert await pid_of(store) != killed


async def test_two_processes_restart_a_killed_server_once(data_dir: Path) -> None:
    with bots(data_dir, 1) as [bot]:
        killed = bot.server_pid()
        async with open_store(None, data_dir) as store:
            os.kill(killed, signal.SIGKILL)
            await store.redis.set("k", "v")
            assert int((data_dir / "valkey" / "valkey.pid").read_text()) == await pid_of(store)
        assert EmbeddedServer(data_dir).is_alive()
        bot.stop()
    assert not EmbeddedServer(data_dir).is_alive()


async def test_a_truncated_last_write_does_not_prevent_loading(data_dir: Path) -> None:
    async with open_store(None, data_dir) as store:
        await store.redis.set("k", "v")
    [log] = (data_dir / "valkey" / "appendonlydir").glob("*.incr.aof")
    with log.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nha")
    async with open_store(None, data_dir) as store:
        assert await store.redis.get("k") == "v"


async def test_a_path_too_long_for_a_socket_is_reached_by_a_symlink(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30) / "with space % and 字"
    async with EmbeddedStore(data_dir) as store, EmbeddedStore(data_dir) as again:
        assert len(store.url) < 100
        assert store.url == again.url
        link = Path(store.url.removeprefix("unix://")).parent
        assert link.parent.stat().st_mode & 0o777 == 0o700
        async with Redis.from_url(again.url) as redis:
            assert await redis.ping()
    kill_server(data_dir)
    assert not link.is_symlink()


async def test_a_path_with_special_characters_is_quoted(tmp_path: Path) -> None:
    data_dir = tmp_path / "a b%20c?d#e"
    async with open_store(None, data_dir) as store:
        assert await store.redis.ping()
    assert not EmbeddedServer(data_dir).is_alive()


async def test_a_start_that_is_cancelled_leaves_no_server(data_dir: Path) -> None:
    entering = asyncio.create_task(EmbeddedStore(data_dir).__aenter__())
    await asyncio.sleep(0)  # enough for its thread to start
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert not EmbeddedServer(data_dir).is_alive()
