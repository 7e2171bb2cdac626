"""The bot as real processes, against both stand-ins, with everything at hand that a test interrupts or counts."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.sandbox.botapi import FloodLimits
from bot.sandbox.botapi.client import People, Person, Seen
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.services import serve_services
from bot.store import keys
from bot.store.pools import new_pool
from bot.store.server import find_server_binary
from tests.interruptions.process import run_bot

# A bot loads for more than two seconds. A fork server has loaded all of it and does nothing else, so that each
# process forked from it is at work after a tenth of a second.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["bot.app", "bot.cli", "tests.interruptions.process"])

LIVE_MARKS = ("▰", "▱", "Position")
"""Stand in progress messages and in no others."""

PATIENCE_S = 45.0
"""For a condition to hold; far more than it takes, as the machine may be busy."""

DRAIN_S = 20.0
"""For a process to be gone after SIGTERM: before an orchestrator kills it. It takes 0.2 to 0.5 s on an idle machine."""

LOOK_AGAIN_S = 0.02

SETTINGS = {
    "DEAD_WORKER_S": "1",
    "PROGRESS_EDIT_S": "0.1",
    "RENDER_POLL_S": "0.1",
    "RECOVERY_FIRST_S": "0.2",
    "RECOVERY_EVERY_S": "0.3",
    "LOG_LEVEL": "INFO",
}


class Process(Protocol):
    """One process of the bot."""

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def exitcode(self) -> int | None: ...
    def join(self, timeout: float | None = None) -> None: ...
    def is_alive(self) -> bool: ...


class Addresses(Protocol):
    """Where the stand-ins are, whoever serves them."""

    @property
    def telegram_url(self) -> str: ...
    @property
    def nemo_url(self) -> str: ...
    @property
    def people_url(self) -> str: ...
    @property
    def nemo_control_url(self) -> str: ...
    @property
    def token(self) -> str: ...


@dataclass(slots=True)
class Bots:
    """Starts and ends processes of the bot.

    Args:
        services: The stand-ins.
        directory: Where their data and their logs go.
    """

    services: Addresses
    directory: Path
    redis_url: str = ""
    running: list[Process] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)

    @property
    def data_dir(self) -> Path:
        """Shared by all of them."""
        return self.directory / "data"

    def services_settings(self) -> dict[str, str]:
        """Return the settings that lead to the stand-ins, with short times."""
        return {
            **SETTINGS,
            "TELEGRAM_BOT_TOKEN": self.services.token,
            "TELEGRAM_API_URL": self.services.telegram_url,
            "NEMO_API_URL": self.services.nemo_url,
            "NEMO_WEB_URL": self.services.nemo_url,
        }

    def start(self, role: str = "all", **settings: str) -> Process:
        """Start a process; settings by their names in the environment."""
        environment = {
            **self.services_settings(),
            "DATA_DIR": str(self.data_dir),
            "REDIS_URL": self.redis_url,
            "PATH": os.environ.get("PATH", ""),
            **settings,
        }
        log = self.directory / f"bot-{len(self.logs)}-{role}.log"
        self.logs.append(log)
        process = _FORKS.Process(
            target=run_bot,
            args=(["run", "--role", role], environment, str(self.directory), str(log)),
            name=str(log),
        )
        process.start()
        self.running.append(process)
        return process

    async def ready(self, process: Process) -> None:
        """Wait until it takes updates or jobs."""

        async def is_ready() -> bool:
            return "app.ready" in await asyncio.to_thread(Path(process.name).read_text)

        await until(is_ready)

    async def end(self, process: Process, number: signal.Signals, within_s: float = DRAIN_S) -> float:
        """Send a signal and wait until the process is gone; SIGTERM and SIGHUP have to end it well.

        Returns:
            How long it took, in seconds.
        """
        assert process.pid is not None
        began_s = time.monotonic()
        os.kill(process.pid, number)

        # In this thread: two that look at once (whoever starts a process looks at all) take the exit code
        # from each other.
        async def is_gone() -> bool:
            return not process.is_alive()

        await until(is_gone, within_s)
        took_s = time.monotonic() - began_s
        assert process.exitcode == (0 if number in {signal.SIGTERM, signal.SIGHUP} else -number)
        self.running.remove(process)
        print(f"{number.name} of {Path(process.name).name}: {took_s:.2f} s")
        return took_s

    def end_all(self) -> None:
        """Leave no process behind, whatever the test did."""
        for process in self.running:
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGKILL)
            process.join(DRAIN_S)
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.store_pid(), signal.SIGKILL)

    def store_pid(self) -> int:
        """Of the embedded server; its file goes with it."""
        return int((self.data_dir / "valkey" / "valkey.pid").read_text())

    @contextlib.asynccontextmanager
    async def store(self) -> AsyncIterator[Redis]:
        """A connection of the test's own."""
        url = self.redis_url or f"unix://{self.data_dir / 'valkey' / 'valkey.sock'}"
        redis = Redis.from_pool(new_pool(url, max_connections=10, retries=1, decode_responses=True))
        try:
            yield redis
        finally:
            await redis.aclose()

    async def web_url(self, process: Process) -> str:
        """Wait until a process that was started with `HTTP_LISTEN` listens; return its address."""
        found: list[str] = []

        async def listens() -> bool:
            log = await asyncio.to_thread(Path(process.name).read_text)
            found[:] = re.findall(r"(?m)^(?=.*web\.ready).*(http://[\d.]+:\d+).*\n", log)
            return bool(found)

        await until(listens)
        return found[0]

    async def get(self, process: Process, path: str) -> httpx.Response:
        """Ask a process that was started with `HTTP_LISTEN`."""
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
            return await http.get(f"{await self.web_url(process)}{path}")

    async def metrics(self, process: Process) -> str:
        """What it shows at ``/metrics``."""
        return (await self.get(process, "/metrics")).text

    def tell(self) -> str:
        """What they logged."""
        parts = [f"--- {log.name}\n{log.read_text()}" for log in self.logs if log.exists()]
        return "\n".join(parts)


@dataclass(slots=True)
class World:
    """All that a test needs.

    Args:
        people: Telegram's control API.
        nemo: NemoVideo's.
        ada: Somebody with a private chat, in English.
        bots: The bot's processes.
        clip: A small video.
    """

    people: People
    nemo: NemoControl
    ada: Person
    bots: Bots
    clip: Path

    async def prompt(self, text: str = 'add a title "One"') -> Seen:
        """Ada sends a video with a request in its caption."""
        return await self.ada.send_file("video", self.clip, caption=text, duration=1, width=64, height=48)

    async def said(self) -> list[Seen]:
        """Every message that the bot ever sent, but for progress messages."""
        return [seen for seen in await self._all() if not is_live(seen)]

    async def live(self) -> list[Seen]:
        """Every progress message that there ever was."""
        return [seen for seen in await self._all() if is_live(seen)]

    async def _all(self) -> list[Seen]:
        return await self.ada.chat.messages(deleted=True, from_bots=True)

    async def videos(self, count: int = 1) -> list[Seen]:
        """Wait for videos in the chat."""
        return await self.ada.chat.wait_all(count, kind="video", timeout_s=PATIENCE_S)

    async def begun(self) -> None:
        """Wait until a job runs."""
        async with self.bots.store() as redis:

            async def is_begun() -> bool:
                return [key async for key in redis.scan_iter(f"{keys.RUNNING}*")] != []

            await until(is_begun)

    async def at_rest(self) -> None:
        """Wait until no job waits or runs."""
        async with self.bots.store() as redis:

            async def is_at_rest() -> bool:
                # What waits before what runs: a job that begins between the two would be seen in neither place.
                for prefix in (keys.QUEUE, keys.RUNNING):
                    async for _ in redis.scan_iter(f"{prefix}*"):
                        return False
                return True

            await until(is_at_rest)


def is_live(seen: Seen) -> bool:
    """Return whether it is, or was, a progress message."""
    texts = [str(version.get("text", "")) for version in seen.versions]
    return any(mark in text for text in texts for mark in LIVE_MARKS)


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = PATIENCE_S) -> None:
    """Look until a condition holds."""
    ends_s = time.monotonic() + within_s
    while True:
        with contextlib.suppress(RedisError, OSError, httpx.TransportError):
            if await holds():
                return
        assert time.monotonic() < ends_s, "it should have come true by now"
        await asyncio.sleep(LOOK_AGAIN_S)


@contextlib.asynccontextmanager
async def open_world(
    directory: Path, clip: Path, *, local: bool = False, flood_limits: FloodLimits | None = None
) -> AsyncIterator[World]:
    """Both stand-ins, one person, and no bot yet."""
    async with (
        serve_services(directory / "services", flood_limits=flood_limits, local=local) as services,
        world_of(services, directory, clip) as world,
    ):
        yield world


@contextlib.asynccontextmanager
async def world_of(services: Addresses, directory: Path, clip: Path) -> AsyncIterator[World]:
    """The same with stand-ins that run already."""
    async with (
        People(services.people_url) as people,
        NemoControl(services.nemo_control_url) as nemo,
    ):
        await nemo.set(pace={"text_s": 0.02, "edit_s": 0.02, "generate_s": 0.02, "keepalive_s": 0.2})
        ada = await people.person("Ada", language_code="en")
        await ada.open()
        bots = Bots(services, directory)
        try:
            yield World(people, nemo, ada, bots, clip)
        finally:
            await asyncio.to_thread(bots.end_all)
            # pytest shows it when the test failed.
            print(bots.tell())
            await people.faults.clear()
            await nemo.reset()


class ExternalStore:
    """A server beside the bot, as an operator runs one: everything on disk, stopped and started by the test.

    Args:
        directory: Where it keeps its data.
        password: Needed by whoever connects.
    """

    def __init__(self, directory: Path, password: str = "") -> None:
        directory.mkdir()
        self.directory = directory
        self.password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address; the same after a restart."""
        user = f":{self.password}@" if self.password else ""
        return f"unix://{user}{self.socket}"

    @property
    def socket(self) -> Path:
        """Its Unix socket."""
        return self.directory / "store.sock"

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [
                str(find_server_binary()),
                *("--port", "0", "--unixsocket", "store.sock", "--dir", "."),
                *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
                *(("--requirepass", self.password) if self.password else ()),
            ],
            cwd=self.directory,
            stdout=subprocess.DEVNULL,
        )

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(DRAIN_S)
            self._process = None


@contextlib.contextmanager
def external_store(password: str = "") -> Iterator[ExternalStore]:
    """A server that runs; ended with the block."""
    # A socket's path has to be short, which pytest's directories are not.
    with tempfile.TemporaryDirectory(prefix="store-") as directory:
        server = ExternalStore(Path(directory) / "data", password)
        server.start()
        try:
            yield server
        finally:
            server.stop()
