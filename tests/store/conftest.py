"""Data directories whose servers are ended whatever a test does."""

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
    end_server(path)


def end_server(data_dir: Path) -> None:
    """Kill what a failed test left; a server that ended takes its pid file with it."""
    with suppress(OSError):
        pid = int((data_dir / "valkey" / "valkey.pid").read_text())
        if EmbeddedServer(data_dir).is_alive():
            os.kill(pid, signal.SIGKILL)
