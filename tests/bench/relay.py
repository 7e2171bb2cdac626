"""A clip's way from Telegram to NemoVideo: beside pipes of curl, on lines that are slow, and what memory it takes.

The bot's part is its own code: ``FileDownloads`` asks for the file and opens it, ``NemoClient`` uploads it. curl's time
includes its start, about 10 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop
from redis.asyncio import Redis

from bot.chats.telegram_ids import TelegramIds
from bot.jobs.model import Attachment
from bot.jobs.steps.upload_meter import files_to_upload
from bot.nemo.client import NemoClient
from bot.nemo.wire import Attribution, Credentials
from bot.runtime.clock import SystemClock
from bot.runtime.http import Transport, new_client, tls_context
from bot.runtime.process import collect_rarely
from bot.sandbox.botapi import DEFAULT_TOKEN
from bot.sandbox.samples import make_video
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.bot import new_bot
from bot.telegram.sending.downloads import FileDownloads
from bot.telegram.sending.rate_limiter import RateLimiter
from tests.bench.process import by_cpu, forget_peak, memory_mb, peak_mb
from tests.bench.servers import MEBIBYTE, has_tools, serve_nginx, serve_sink, serve_socks
from tests.bench.table import Contender, Figure, alone, ratio, take_turns

SIZE_MB = 256
ROUNDS = 7
CAPPED_MB = 75
CAPPED_BYTES_S = 50_000_000
CAPPED_ROUNDS = 3
MEMORY_MB = (50, 500)
MEMORY_ROUNDS = 3
WHO = Credentials("token", Attribution("bench", "1.0.0"))


@dataclass(frozen=True, slots=True)
class Telegram:
    """A server that gives one clip out.

    Args:
        api_url: Of the Bot API.
        url: Of the file.
        path: The same file on disk.
    """

    api_url: str
    url: str
    path: Path


@contextlib.contextmanager
def telegram(
    size_mb: int | None, *, limit_bytes_s: int | None = None, local: bool = False
) -> Iterator[Telegram]:
    """Serve a clip.

    Args:
        size_mb: Its size; as small as it gets when left out.
        limit_bytes_s: At most so many bytes a second.
        local: Whether as an own Bot API server does, which tells where the file lies, and not as the cloud does.
    """
    with tempfile.TemporaryDirectory(prefix="bench-relay-") as name:
        folder = Path(name)
        place = f"file/bot{DEFAULT_TOKEN}/videos/clip.mp4"
        (folder / place).parent.mkdir(parents=True)
        make_video(folder / place, 1.0, size_bytes=size_mb and size_mb * MEBIBYTE)
        path = str(folder / place) if local else "videos/clip.mp4"
        results = {
            "getMe": {"id": 1, "is_bot": True, "first_name": "Bot"},
            "getFile": {"file_id": "a", "file_unique_id": "b", "file_path": path},
        }
        answers = {
            f"/bot{DEFAULT_TOKEN}/{method}": json.dumps({"ok": True, "result": result})
            for method, result in results.items()
        }
        with serve_nginx(folder, limit_bytes_s=limit_bytes_s, answers=answers) as server:
            yield Telegram(server.url, f"{server.url}/{place}", folder / place)


@contextlib.asynccontextmanager
async def relay(
    api_url: str, nemo_url: str, *, server_dir: Path | None = None, proxy: str | None = None
) -> AsyncIterator[Contender]:
    """Connect the bot's parts as the upload step has them; gives what relays once, and the seconds that it takes.

    Args:
        api_url: Of the Bot API.
        nemo_url: Of NemoVideo.
        server_dir: Where an own Bot API server has its files; without it the server is the cloud.
        proxy: For both ways.
    """
    local = server_dir is not None
    # A file is read without a turn: neither the count nor the addresses are asked.
    redis, clock = Redis(), SystemClock()
    rate_limiter = RateLimiter(redis, clock)
    bot = new_bot(
        DEFAULT_TOKEN, api_url, lambda: Transport(tls_context(), proxy=proxy), rate_limiter, local=local
    )
    async with bot, new_client(proxy=proxy) as cloud, new_client(proxy=proxy) as http:
        telegram_calls = TelegramCalls(bot, clock, TelegramIds(redis), rate_limiter)
        files = FileDownloads(telegram_calls, cloud, local=local, server_dir=server_dir)
        nemo = NemoClient(http, nemo_url)

        async def once() -> float:
            began_s = time.perf_counter()
            async with files.open(1, Attachment("file", "video", "clip.mp4", None, "video/mp4")) as opened:
                await nemo.upload_files(WHO, "session", files_to_upload([opened], lambda _: None))
            return time.perf_counter() - began_s

        yield once


def speed(seconds: Callable[[], Awaitable[float]], size_mb: int) -> Contender:
    """Measure by MB/s what is measured by seconds."""

    async def contend() -> float:
        return size_mb / await seconds()

    return contend


async def seconds_of(command: str) -> float:
    """How long a command of the shell takes."""
    began_s = time.perf_counter()
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    if process.returncode or b"data" not in said:
        raise RuntimeError(f"failed: {command}")
    return time.perf_counter() - began_s


async def measure_speed() -> list[Figure]:
    """On lines without a limit."""

    async def curl(upload: str) -> float:
        return await seconds_of(f"curl -s {source.url} | curl -s {upload} {sink.url}/")

    with telegram(SIZE_MB) as source, serve_sink() as sink:
        async with relay(source.api_url, sink.url) as bot:
            ways: dict[str, Contender] = {
                "bot": bot,
                "curl into curl -T -": partial(curl, "-T -"),
                "curl into curl -F": partial(curl, "-F files=@-"),
            }
            taken = await take_turns({name: speed(way, SIZE_MB) for name, way in ways.items()}, ROUNDS)
            by_use = await take_turns({name: by_cpu(way, SIZE_MB) for name, way in ways.items()}, ROUNDS)
    return [
        ratio(f"relay, {SIZE_MB} MB", taken["bot"], taken[peer], unit="MB/s", peer_name=peer, goal=goal)
        for peer, goal in (("curl into curl -T -", 0.8), ("curl into curl -F", 1.4))
    ] + [
        ratio(
            f"relay, {SIZE_MB} MB, CPU",
            by_use["bot"],
            by_use[peer],
            unit="MB/CPU s",
            peer_name=peer,
            goal=goal,
        )
        for peer, goal in (("curl into curl -T -", 1.3), ("curl into curl -F", 2.0))
    ]


async def measure_proxied() -> Figure:
    """Both ways through one SOCKS proxy."""
    with telegram(SIZE_MB) as source, serve_sink() as sink, serve_socks() as proxy:
        curl = f"curl -s -x {proxy}"
        piped = partial(seconds_of, f"{curl} {source.url} | {curl} -T - {sink.url}/")
        async with relay(source.api_url, sink.url, proxy=proxy) as bot:
            contenders = {"curl": speed(piped, SIZE_MB), "bot": speed(bot, SIZE_MB)}
            taken = await take_turns(contenders, ROUNDS)
    path = f"relay, {SIZE_MB} MB, both ways through a SOCKS proxy"
    return ratio(path, taken["bot"], taken["curl"], unit="MB/s", peer_name="curl into curl -T -", goal=0.5)


async def measure_capped() -> list[Figure]:
    """On lines with a limit: how much longer than the slower one alone."""
    with (
        telegram(CAPPED_MB, limit_bytes_s=CAPPED_BYTES_S) as source,
        serve_sink(limit_bytes_s=CAPPED_BYTES_S) as sink,
    ):
        async with relay(source.api_url, sink.url) as bot:
            contenders: Mapping[str, Contender] = {
                "bot": bot,
                "fetch": partial(seconds_of, f"curl -s -o /dev/null -w data {source.url}"),
                "send": partial(seconds_of, f"curl -s -F files=@{source.path} {sink.url}/"),
            }
            taken = await take_turns(contenders, CAPPED_ROUNDS)
    slower = [max(pair) for pair in zip(taken["fetch"], taken["send"], strict=True)]
    path = f"relay, {CAPPED_MB} MB, both lines capped at {CAPPED_BYTES_S // 1_000_000} MB/s"
    return [
        ratio(path, taken["bot"], slower, unit="s", peer_name="slower line alone", goal=1.05, at_least=False)
    ]


async def measure_memory(size_mb: int) -> Figure:
    """How far a process grows that does nothing else, beyond what it has after a small file."""
    growths_mb = []
    with telegram(None) as small, telegram(size_mb) as large, serve_sink() as sink:
        for _ in range(MEMORY_ROUNDS):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "tests.bench.relay", small.api_url, large.api_url, sink.url),
                stdout=asyncio.subprocess.PIPE,
            )
            said, _ = await process.communicate()
            growths_mb.append(float(said))
    return alone(f"relay, memory for {size_mb} MB", growths_mb, unit="MB", goal=8)


async def growth_mb(small_url: str, large_url: str, nemo_url: str) -> float:
    """Relay a small file, then a large one, and give by how much this process grew (Linux, glibc)."""
    async with relay(small_url, nemo_url) as small, relay(large_url, nemo_url) as large:
        await small()
        # What starting has let go of would otherwise be taken up unseen.
        ctypes.CDLL(None).malloc_trim(0)
        forget_peak()
        before_mb = memory_mb()
        await large()
        return peak_mb() - before_mb


async def measure() -> list[Figure]:
    """Measure all."""
    if not has_tools("relay", "nginx", "curl"):
        return []
    collect_rarely()  # As a running bot does.
    figures = await measure_speed()
    figures += [await measure_memory(size_mb) for size_mb in MEMORY_MB]
    if has_tools("relay through a proxy", "microsocks"):
        figures.append(await measure_proxied())
    return figures + await measure_capped()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(growth_mb(*sys.argv[1:])))
