"""The embedded server, with real processes that are killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.store.connect import Store, open_store
from bot.store.embedded import EmbeddedStore
from bot.store.errors import NoServerBinary, ServerFailed, UnsafeFile
from bot.store.server import EmbeddedServer, find_server_binary
from tests.store.conftest import end_server

# Uses the store as the bot does, says which server it got, and leaves when its input ends.
BOT = """
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


class Bot:
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

    def leave(self) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


@contextmanager
def bots(data_dir: Path, count: int) -> Iterator[list[Bot]]:
    started = [Bot(data_dir) for _ in range(count)]
    try:
        yield started
    finally:
        for bot in started:
            bot.kill()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


async def pid_of(store: Store) -> int:
    return int((await store.redis.info("server"))["process_id"])


async def test_data_is_there_after_a_stop_and_a_start(data_dir: Path) -> None:
    async with open_store(None, data_dir) as store:
        await store.redis.set("k", "v")
        assert EmbeddedServer(data_dir).is_alive()
    assert not EmbeddedServer(data_dir).is_alive()
    async with open_store(None, data_dir) as store:
        assert await store.redis.get("k") == "v"


async def test_it_is_a_private_queue_that_forgets_nothing(data_dir: Path) -> None:
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


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks where Linux shows environments")
def test_secrets_of_the_environment_do_not_reach_the_server(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123:secret")
    server = EmbeddedServer(data_dir)
    server.join()
    pid = (data_dir / "valkey" / "valkey.pid").read_text().strip()
    assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    server.leave()


async def test_a_killed_bot_leaves_the_server_and_the_next_one_stops_it(data_dir: Path) -> None:
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
        bot.leave()


def test_processes_that_start_at_once_share_one_server_and_the_last_stops_it(data_dir: Path) -> None:
    with bots(data_dir, 3) as started:
        assert len({bot.server_pid() for bot in started}) == 1
        for bot in started:
            assert EmbeddedServer(data_dir).is_alive()
            bot.leave()
        assert not EmbeddedServer(data_dir).is_alive()


async def test_a_killed_server_comes_back_with_all_that_it_confirmed(data_dir: Path) -> None:
    async with open_store(None, data_dir) as store:
        for number in range(3):
            await store.redis.rpush("list", number)
            killed = await pid_of(store)
            os.kill(killed, signal.SIGKILL)
            assert await store.redis.lrange("list", 0, -1) == [str(n) for n in range(number + 1)]
            assert await pid_of(store) != killed


async def test_two_processes_that_miss_a_killed_server_bring_back_one(data_dir: Path) -> None:
    with bots(data_dir, 1) as [bot]:
        killed = bot.server_pid()
        async with open_store(None, data_dir) as store:
            os.kill(killed, signal.SIGKILL)
            await store.redis.set("k", "v")
            assert int((data_dir / "valkey" / "valkey.pid").read_text()) == await pid_of(store)
        assert EmbeddedServer(data_dir).is_alive()
        bot.leave()
    assert not EmbeddedServer(data_dir).is_alive()


async def test_a_write_cut_in_half_by_a_power_cut_does_not_keep_the_rest_from_loading(data_dir: Path) -> None:
    async with open_store(None, data_dir) as store:
        await store.redis.set("k", "v")
    [log] = (data_dir / "valkey" / "appendonlydir").glob("*.incr.aof")
    with log.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nha")
    async with open_store(None, data_dir) as store:
        assert await store.redis.get("k") == "v"


async def test_a_data_directory_too_long_for_a_socket_is_reached_by_a_short_way(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30) / "with space % and 字"
    async with EmbeddedStore(data_dir) as store, EmbeddedStore(data_dir) as again:
        assert len(store.url) < 100
        assert store.url == again.url
        link = Path(store.url.removeprefix("unix://")).parent
        assert link.parent.stat().st_mode & 0o777 == 0o700
        async with Redis.from_url(again.url) as redis:
            assert await redis.ping()
    end_server(data_dir)
    assert not link.is_symlink()


async def test_an_address_with_special_characters_is_quoted(tmp_path: Path) -> None:
    data_dir = tmp_path / "a b%20c?d#e"
    async with open_store(None, data_dir) as store:
        assert await store.redis.ping()
    assert not EmbeddedServer(data_dir).is_alive()


def test_rights_that_are_too_wide_are_taken_away(data_dir: Path) -> None:
    (data_dir / "valkey").mkdir(parents=True, mode=0o777)
    (data_dir / "valkey").chmod(0o777)
    EmbeddedServer(data_dir)
    assert (data_dir / "valkey").stat().st_mode & 0o777 == 0o700


def test_the_operators_own_directory_keeps_its_rights(data_dir: Path) -> None:
    data_dir.mkdir()
    data_dir.chmod(0o755)
    EmbeddedServer(data_dir)
    assert data_dir.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("what", ["file", "link"])
def test_what_is_no_directory_of_ours_is_refused(data_dir: Path, what: str) -> None:
    data_dir.mkdir()
    if what == "file":
        (data_dir / "valkey").touch()
    else:
        (data_dir / "elsewhere").mkdir()
        (data_dir / "valkey").symlink_to(data_dir / "elsewhere")
    with pytest.raises(UnsafeFile, match="valkey"):
        EmbeddedServer(data_dir)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(data_dir: Path) -> None:
    (data_dir / "valkey").mkdir(parents=True)
    os.chown(data_dir / "valkey", 12345, 12345)
    with pytest.raises(UnsafeFile, match="not a directory of this user"):
        EmbeddedServer(data_dir)
    (data_dir / "valkey").rmdir()


def test_a_server_that_does_not_start_is_told_with_its_own_last_word(data_dir: Path) -> None:
    server = EmbeddedServer(data_dir)
    files = data_dir / "valkey" / "appendonlydir"
    files.mkdir()
    (files / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(ServerFailed, match=r"did not start: \S+.*(manifest|AOF)"):
        server.join()
    assert not server.is_alive()


def test_without_a_server_on_the_machine_the_message_says_what_to_do(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(data_dir))
    with pytest.raises(NoServerBinary, match="install valkey-server, or set REDIS_URL"):
        EmbeddedServer(data_dir).join()


def test_an_installed_server_is_taken_where_the_wheel_has_none(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "redis-server").symlink_to(find_server_binary())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server_binary() == tmp_path / "redis-server"
    server = EmbeddedServer(data_dir)
    server.join()
    assert server.leave()


async def test_a_start_that_is_cancelled_leaves_no_server(data_dir: Path) -> None:
    entering = asyncio.create_task(EmbeddedStore(data_dir).__aenter__())
    await asyncio.sleep(0)  # enough for its thread to be under way
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert not EmbeddedServer(data_dir).is_alive()


def test_a_frozen_server_is_not_taken_for_a_dead_one(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.server.START_TIMEOUT_S", 0.1)
    first, second = EmbeddedServer(data_dir), EmbeddedServer(data_dir)
    first.join()
    pid = int((data_dir / "valkey" / "valkey.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(ServerFailed, match="does not answer"):
            second.join()
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(first.leave)
