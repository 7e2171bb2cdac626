"""``uv run python -m tests.deploy.record``: record what a real process shows of outages, for `test_recorded.py`.

All outages are recorded side by side, in real time: two quiet minutes, then six with the fault, one line each 15 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.deploy.test_monitoring import alerts
from tests.interruptions.world import ExternalStore, World, external_store, open_world

RECORDED = Path(__file__).parent / "recorded"
EVERY_S = 15
BEFORE, DURING = 8, 24
"""Scrapes before the fault begins, and with it."""

_LINE = re.compile(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", re.M)

Fault = Callable[[], None]


class Gate:
    """A relay of TCP in front of Telegram, which can hang or be cut off."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._passes = asyncio.Event()
        self._passes.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""

    def hang(self) -> None:
        """Take everything, and answer nothing."""
        self._passes.clear()

    def cut(self) -> None:
        """Close every connection, and refuse new ones."""
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await self._passes.wait()
            inner, outer = await asyncio.open_connection(self._target.hostname, self._target.port)
            self._writers |= {writer, outer}
            await asyncio.gather(self._pass_on(reader, outer), self._pass_on(inner, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(65_536):
                await self._passes.wait()
                writer.write(block)
                await writer.drain()
        writer.close()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Gate]:
        """Listen until the block is left."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        yield self
        self.cut()


async def record(
    name: str, directory: Path, prepare: Callable[[World, Gate, ExternalStore], tuple[dict[str, str], Fault]]
) -> None:
    """Record one outage: what ``prepare`` gives is the process's settings, and what begins the fault."""
    asked = " ".join(rule["expr"] for rule in alerts())
    async with contextlib.AsyncExitStack() as stack:
        store = stack.enter_context(external_store())
        world = await stack.enter_async_context(open_world(directory, directory / "no_clip"))
        gate = await stack.enter_async_context(Gate(world.bots.services.telegram_url).open())
        settings, begin = prepare(world, gate, store)
        process = world.bots.start(
            HTTP_LISTEN="127.0.0.1:0", TELEGRAM_API_URL=gate.url, REDIS_URL=store.url, **settings
        )
        await world.bots.ready(process)
        began_s = time.monotonic()
        samples: dict[str, list[float | None]] = {}
        async with httpx.AsyncClient(trust_env=False) as http:
            for number in range(BEFORE + DURING):
                if number == BEFORE:
                    begin()
                await asyncio.sleep(began_s + number * EVERY_S - time.monotonic())
                text, is_up = "", 1
                try:
                    text = (await http.get(f"{world.bots.web_url(process)}/metrics", timeout=10)).text
                except httpx.TransportError:
                    is_up = 0
                shown = {series: float(value) for series, value in _LINE.findall(text)}
                shown['up{job="nemovideo-bot"}'] = is_up
                for series in shown:
                    if series.partition("{")[0].removesuffix("_bucket") in asked:
                        samples.setdefault(series, [None] * number)
                for series, values in samples.items():
                    values.append(shown.get(series))
        lines = {
            series: " ".join("_" if one is None else f"{one:g}".replace("nan", "NaN") for one in of)
            for series, of in samples.items()
        }
        (RECORDED / f"{name}.json").write_text(json.dumps(lines, indent=1, sort_keys=True) + "\n", "utf-8")


def _webhook(world: World) -> dict[str, str]:
    return {"WEBHOOK_URL": "https://127.0.0.1:8443/hook", "WEBHOOK_SECRET": "s" * 32}


OUTAGES: dict[str, Callable[[World, Gate, ExternalStore], tuple[dict[str, str], Fault]]] = {
    "nothing": lambda world, gate, store: ({}, lambda: None),
    "telegram_hangs": lambda world, gate, store: ({}, gate.hang),
    "telegram_cut_off": lambda world, gate, store: ({}, gate.cut),
    "webhook_idle_nothing": lambda world, gate, store: (_webhook(world), lambda: None),
    "webhook_idle_telegram_cut_off": lambda world, gate, store: (_webhook(world), gate.cut),
    "webhook_idle_store_dead": lambda world, gate, store: (
        _webhook(world),
        lambda: store.stop(signal.SIGKILL),
    ),
}
"""By the names of their files. Nobody writes to the bot meanwhile."""


async def main() -> None:
    """Record all."""
    RECORDED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        directories = {outage: Path(name) / outage for outage in OUTAGES}
        for directory in directories.values():
            directory.mkdir()
        await asyncio.gather(
            *(record(outage, directories[outage], prepare) for outage, prepare in OUTAGES.items())
        )


if __name__ == "__main__":
    asyncio.run(main())
