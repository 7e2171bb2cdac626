"""Progress in a terminal and nowhere else: the commands as people run them, in a pseudo-terminal."""

import asyncio
import os
import pty
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.sandbox.services import serve_services
from tests.conversations.test_command import ENDS_WITHIN_S, run, started

pytestmark = pytest.mark.heavy


ERASE = "\r\x1b[K"


class Terminal:
    """What a command writes to its standard error."""

    def __init__(self, number: int) -> None:
        self._reading = asyncio.create_task(asyncio.to_thread(_read_all, number))

    async def lines(self) -> tuple[list[str], list[str]]:
        """Wait for the command's end; return the lines that were erased, and those that stayed."""
        text = await self._reading
        *erased, kept = text.split(ERASE)
        return [line for line in erased if line], kept.splitlines()


def _read_all(number: int) -> str:
    text = b""
    while True:
        try:
            chunk = os.read(number, 65_536)
        except OSError:  # Linux raises this when the other side is closed
            chunk = b""
        if not chunk:
            os.close(number)
            return text.decode()
        text += chunk


@asynccontextmanager
async def in_terminal(
    *arguments: str, cwd: Path, **settings: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Terminal]]:
    ours, commands = pty.openpty()
    try:
        async with started(*arguments, cwd=cwd, stderr=commands, **settings) as process:
            os.close(commands)
            commands = -1
            yield process, Terminal(ours)
    finally:
        if commands != -1:
            os.close(commands)


async def test_check_shows_its_progress_beside_its_table(tmp_path: Path) -> None:
    async with serve_services(tmp_path / "services") as services:
        settings = {
            "TELEGRAM_BOT_TOKEN": services.token,
            "TELEGRAM_API_URL": services.telegram_url,
            "NEMO_API_URL": services.nemo_url,
            "DATA_DIR": str(tmp_path / "own"),
            # A poll that ends at once, not after the seconds that the command listens.
            "WEBHOOK_URL": "https://bot.example/path",
            "WEBHOOK_SECRET": "s" * 32,
        }
        async with (
            in_terminal("check", cwd=tmp_path, **settings) as (process, terminal),
            asyncio.timeout(ENDS_WITHIN_S),
        ):
            out, _ = await process.communicate()
            erased, kept = await terminal.lines()

    assert process.returncode == 0
    assert erased == [
        "Starting…",
        "Asking the store…",
        "Asking Telegram and NemoVideo…",
        "Starting a decoder…",
    ]
    assert kept == []
    assert out.decode().splitlines()[0].split() == ["✓", "settings", "valid"]
    assert "\x1b" not in out.decode()


async def test_run_shows_its_start_and_logs_on_a_new_line(tmp_path: Path) -> None:
    async with in_terminal("run", cwd=tmp_path) as (process, terminal), asyncio.timeout(ENDS_WITHIN_S):
        await process.communicate()
        erased, kept = await terminal.lines()

    assert process.returncode == 2
    assert erased == ["Starting…"]
    assert [line.split()[0] for line in kept] == ["TELEGRAM_BOT_TOKEN"]


async def test_sandbox_shows_its_start(tmp_path: Path) -> None:
    async with in_terminal("sandbox", cwd=tmp_path) as (process, terminal), asyncio.timeout(ENDS_WITHIN_S):
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"Chat with the bot: http")
        process.send_signal(signal.SIGINT)
        await process.communicate()
        erased, kept = await terminal.lines()

    assert erased == [
        "Starting…",
        "Making people, chats and clips…",
        "Starting the store…",
        "Starting the bot…",
    ]
    assert kept == []


async def test_nothing_is_shown_outside_a_terminal(tmp_path: Path) -> None:
    code, out, err = await run("run", cwd=tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("TELEGRAM_BOT_TOKEN")
