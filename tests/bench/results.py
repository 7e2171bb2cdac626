"""A finished video's way from NemoVideo to the disk, over TLS, beside curl's and stock httpx's."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from bot.chats.chats import Account
from bot.jobs.steps.result_download import fetch
from bot.nemo.client import NemoClient
from bot.nemo.render_answers import Render, RenderStatus
from bot.nemo.wire import Attribution, Credentials
from bot.projects.projects import Project
from bot.runtime.http import new_client
from tests.bench.servers import has_tools, serve_nginx, tool
from tests.bench.table import Contender, Figure, ratio, take_turns

MEGABYTE = 1_000_000
RESULT_BYTES = 200 * MEGABYTE
ROUNDS = 7
VS_CURL, VS_HTTPX = 0.65, 3.0
NAME = "clip.mp4"
PROJECT = Project(
    Credentials("nmv_usr_bench", Attribution("bench", "1.0.0")), "session", None, Account.OPERATOR, None
)


async def measure() -> list[Figure]:
    """Each writes the same file to the same place."""
    if not has_tools("result download", "nginx", "curl"):
        return []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with (folder / NAME).open("wb") as file:
            file.truncate(RESULT_BYTES)
        with serve_nginx(folder, tls=True) as server:
            url, target = f"{server.url}/{NAME}", folder / "fetched.mp4"
            trusting = ssl.create_default_context(cafile=server.certificate)
            async with new_client(trusting) as http, httpx.AsyncClient(verify=trusting) as stock:
                nemo = NemoClient(http, server.url)
                ways: dict[str, Callable[[], Awaitable[object]]] = {
                    "bot": lambda: fetch(
                        nemo,
                        Render("render_1", RenderStatus.COMPLETED, url=url),
                        target,
                        RESULT_BYTES,
                        PROJECT,
                    ),
                    "curl": lambda: _by_curl(url, server.certificate, target),
                    "httpx": lambda: _by_httpx(stock, url, target),
                }
                speeds = await take_turns({name: _timed(way, target) for name, way in ways.items()}, ROUNDS)
    path = f"result of {RESULT_BYTES // MEGABYTE} MB over TLS to disk"
    return [
        ratio(path, speeds["bot"], speeds["curl"], unit="MB/s", peer_name="curl", goal=VS_CURL),
        ratio(path, speeds["bot"], speeds["httpx"], unit="MB/s", peer_name="stock httpx", goal=VS_HTTPX),
    ]


def _timed(way: Callable[[], Awaitable[object]], target: Path) -> Contender:
    async def run() -> float:
        began_s = time.perf_counter()
        await way()
        took_s = time.perf_counter() - began_s
        _take_away(target)
        return RESULT_BYTES / MEGABYTE / took_s

    return run


def _take_away(target: Path) -> None:
    size = target.stat().st_size
    target.unlink()
    if size != RESULT_BYTES:
        raise RuntimeError(f"{size} bytes came")


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
