"""The embedded server of a data directory."""

import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.store.errors import StoreError, UnsafeFile
from bot.store.server import START_TIMEOUT_S, EmbeddedServer, find_server_binary
from tests.clocks import PATIENCE_S


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_the_server_inherits_no_environment(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123:secret")
    server = EmbeddedServer(data_dir)
    server.attach()
    pid = (data_dir / "valkey" / "valkey.pid").read_text().strip()
    assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    server.detach()


def test_access_of_others_is_removed(data_dir: Path) -> None:
    (data_dir / "valkey").mkdir(parents=True, mode=0o777)
    (data_dir / "valkey").chmod(0o777)
    EmbeddedServer(data_dir)
    assert (data_dir / "valkey").stat().st_mode & 0o777 == 0o700


def test_the_operators_directory_becomes_the_owners_alone(data_dir: Path) -> None:
    data_dir.mkdir()
    data_dir.chmod(0o755)
    EmbeddedServer(data_dir)
    assert data_dir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("what", ["file", "link"])
def test_a_file_or_symlink_instead_of_the_directory_is_refused(data_dir: Path, what: str) -> None:
    data_dir.mkdir()
    if what == "file":
        (data_dir / "valkey").touch()
    else:
        (data_dir / "elsewhere").mkdir()
        (data_dir / "valkey").symlink_to(data_dir / "elsewhere")
    with pytest.raises(UnsafeFile, match="valkey"):
        EmbeddedServer(data_dir)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(data_dir: Path) -> None:
    (data_dir / "valkey").mkdir(parents=True)
    os.chown(data_dir / "valkey", 12345, 12345)
    with pytest.raises(UnsafeFile, match="not a directory of this user"):
        EmbeddedServer(data_dir)
    (data_dir / "valkey").rmdir()


def test_a_failed_start_is_reported_with_the_servers_last_log_line(data_dir: Path) -> None:
    server = EmbeddedServer(data_dir)
    files = data_dir / "valkey" / "appendonlydir"
    files.mkdir()
    (files / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(StoreError, match=r"did not start: \S+.*(manifest|AOF)"):
        server.attach()
    assert not server.is_alive()


def test_without_a_server_binary_the_message_says_what_to_do(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(data_dir))
    with pytest.raises(StoreError, match="install valkey-server, or set REDIS_URL"):
        EmbeddedServer(data_dir).attach()


def test_an_installed_server_is_used_if_the_wheel_has_none(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "redis-server").symlink_to(find_server_binary())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server_binary() == tmp_path / "redis-server"
    server = EmbeddedServer(data_dir)
    server.attach()
    assert server.detach()


def test_a_frozen_server_is_not_started_again(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = EmbeddedServer(data_dir), EmbeddedServer(data_dir)
    first.attach()
    monkeypatch.setattr("bot.store.server.START_TIMEOUT_S", 0.1)
    pid = int((data_dir / "valkey" / "valkey.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreError, match="does not answer"):
            second.attach()
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(first.detach)


def test_a_server_that_loads_its_data_is_waited_for(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = EmbeddedServer(data_dir)
    answers = iter([*["-LOADING Valkey is loading the dataset in memory"] * 5, "+PONG"])
    moments_s = itertools.count(0.0, 0.7 * START_TIMEOUT_S)
    with monkeypatch.context() as patched:
        patched.setattr(
            "bot.store.server.time", SimpleNamespace(monotonic=lambda: next(moments_s), sleep=lambda s: None)
        )
        patched.setattr(server, "_ask", lambda command: next(answers))
        patched.setattr(server, "is_alive", lambda: True)
        server.attach()
    assert list(answers) == []
    assert server.detach()
