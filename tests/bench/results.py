"""A finished video's way from NemoVideo to the disk, over TLS, beside curl's and stock httpx's."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from bot.chats.chats import AccountKind
from bot.jobs.steps.result_download import fetch
from bot.nemo.client import NemoClient
from bot.nemo.render_answers import Render, RenderStatus
from bot.nemo.wire import Attribution, Credentials
from bot.projects.projects import Project
from bot.runtime.http import new_client
from bot.runtime.process import collect_rarely
from tests.bench.process import by_cpu
from tests.bench.servers import has_tools, serve_nginx, tool
from tests.bench.table import Contender, Figure, ratio, take_turns

MEGABYTE = 1_000_000
SIZE_MB = 200
ROUNDS = 7
VS_CURL, VS_HTTPX = 1.0, 3.0
NAME = "clip.mp4"
Way = Callable[[], Awaitable[object]]
PROJECT = Project(
    Credentials("nmv_usr_bench", Attribution("bench", "1.0.0")), "session", None, AccountKind.OPERATOR, None
)


async def measure() -> list[Figure]:
    """Each writes the same file to the same place."""
    if not has_tools("result download", "nginx", "curl"):
        return []
    collect_rarely()  # As a running bot does.
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with (folder / NAME).open("wb") as file:
            file.truncate(SIZE_MB * MEGABYTE)
        with serve_nginx(folder, tls=True) as server:
            url, target = f"{server.url}/{NAME}", folder / "fetched.mp4"
            trusting = ssl.create_default_context(cafile=server.certificate)
            async with new_client(trusting) as http, httpx.AsyncClient(verify=trusting) as stock:
                nemo = NemoClient(http, server.url)
                ways: dict[str, Way] = {
                    "bot": lambda: fetch(
                        nemo,
                        Render("render_1", RenderStatus.COMPLETED, url=url),
                        target,
                        SIZE_MB * MEGABYTE,
                        PROJECT,
                    ),
                    "curl": lambda: _by_curl(url, server.certificate, target),
                    "httpx": lambda: _by_httpx(stock, url, target),
                }
                ways = {name: _checked(way, target) for name, way in ways.items()}
                speeds = await take_turns({name: _timed(way) for name, way in ways.items()}, ROUNDS)
                by_use = await take_turns({name: by_cpu(way, SIZE_MB) for name, way in ways.items()}, ROUNDS)
    path = f"result of {SIZE_MB} MB over TLS to disk"
    return [
        ratio(where, measured["bot"], measured[name], unit=unit, peer_name=peer, goal=goal)
        for where, measured, unit in ((path, speeds, "MB/s"), (f"{path}, CPU", by_use, "MB/CPU s"))
        for name, peer, goal in (("curl", "curl", VS_CURL), ("httpx", "stock httpx", VS_HTTPX))
    ]


def _checked(way: Way, target: Path) -> Way:
    async def run() -> None:
        await way()
        size = target.stat().st_size  # noqa: ASYNC240 - nothing else runs here
        target.unlink()  # noqa: ASYNC240
        if size != SIZE_MB * MEGABYTE:
            raise RuntimeError(f"{size} bytes came")

    return run


def _timed(way: Way) -> Contender:
    async def run() -> float:
        began_s = time.perf_counter()
        await way()
        return SIZE_MB / (time.perf_counter() - began_s)

    return run


async def _by_curl(url: str, certificate: Path | None, target: Path) -> None:
    options = ["-s", "--fail", "--cacert", str(certificate), "-o", str(target)]
    process = await asyncio.create_subprocess_exec(tool("curl") or "curl", *options, url)
    if await process.wait():
        raise RuntimeError("curl failed")


async def _by_httpx(client: httpx.AsyncClient, url: str, target: Path) -> None:
    async with client.stream("GET", url) as response:
        with target.open("wb") as file:
            async for chunk in response.aiter_bytes():
                file.write(chunk)
