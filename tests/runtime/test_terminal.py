"""Progress in a terminal, and none elsewhere: the commands as people run them, with a terminal of their own."""

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
    """What a command writes to it, beside its output."""

    def __init__(self, number: int) -> None:
        self._reading = asyncio.create_task(asyncio.to_thread(_read_all, number))

    async def lines(self) -> tuple[list[str], list[str]]:
        """What was told and erased again, and what is still to be seen, once the command has ended."""
        text = await self._reading
        *gone, left = text.split(ERASE)
        return [line for line in gone if line], left.splitlines()


def _read_all(number: int) -> str:
    told = b""
    while True:
        try:
            some = os.read(number, 65_536)
        except OSError:  # Linux' way to say that the other side is closed
            some = b""
        if not some:
            os.close(number)
            return told.decode()
        told += some


@asynccontextmanager
async def in_terminal(
    *arguments: str, cwd: Path, **settings: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Terminal]]:
    own, theirs = pty.openpty()
    try:
        async with started(*arguments, cwd=cwd, stderr=theirs, **settings) as process:
            os.close(theirs)
            theirs = -1
            yield process, Terminal(own)
    finally:
        if theirs != -1:
            os.close(theirs)


async def test_a_look_at_everything_tells_what_it_does_and_leaves_the_table_alone(tmp_path: Path) -> None:
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
            told, left = await terminal.lines()

    assert process.returncode == 0
    assert told == ["Starting…", "Asking the store…", "Asking Telegram and NemoVideo…"]
    assert left == []
    assert out.decode().splitlines()[0].split() == ["✓", "settings", "right"]
    assert "\x1b" not in out.decode()


async def test_the_bots_start_shows_and_its_log_begins_on_a_line_of_its_own(tmp_path: Path) -> None:
    async with in_terminal("run", cwd=tmp_path) as (process, terminal), asyncio.timeout(ENDS_WITHIN_S):
        await process.communicate()
        told, left = await terminal.lines()

    assert process.returncode == 2
    assert told == ["Starting…"]
    assert [line.split()[0] for line in left] == ["TELEGRAM_BOT_TOKEN"]


async def test_the_sandboxs_start_shows(tmp_path: Path) -> None:
    async with in_terminal("sandbox", cwd=tmp_path) as (process, terminal), asyncio.timeout(ENDS_WITHIN_S):
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"Chat with the bot: http")
        process.send_signal(signal.SIGINT)
        await process.communicate()
        told, left = await terminal.lines()

    assert told == [
        "Starting…",
        "Making people, chats and clips…",
        "Starting the store…",
        "Starting the bot…",
    ]
    assert left == []


async def test_nothing_of_it_goes_elsewhere(tmp_path: Path) -> None:
    code, out, err = await run("run", cwd=tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("TELEGRAM_BOT_TOKEN")
