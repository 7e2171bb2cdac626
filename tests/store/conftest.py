"""Data directories whose servers are killed whatever a test does."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bot.store.server import EmbeddedServer


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "data"
    yield path
    kill_server(path)


def kill_server(data_dir: Path) -> None:
    """Kill the server that a failed test left; a server that stopped has removed its pid file."""
    with suppress(OSError):
        pid = int((data_dir / "valkey" / "valkey.pid").read_text())
        if EmbeddedServer(data_dir).is_alive():
            os.kill(pid, signal.SIGKILL)
