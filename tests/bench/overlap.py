"""From a render's end to Telegram's answer to the video, over links of limited speed, beside the slower of the two.

NemoVideo and the Bot API are reached through relays that pass so many bytes a second, as long lines do; the peer sends
the same bytes through one to somebody who throws them away. It begins when NemoVideo is asked for the video, right
after it said that the render is done, and ends with the answer to `sendVideo`. Telegram's cloud takes 50 MB; an own
server with `--local` reads the file from the disk, once it is whole, and its own upload to Telegram is not measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bot.sandbox.botapi.client import People
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import bot_process
from bot.sandbox.services import serve_services
from tests.bench.overhead import NO_TIME
from tests.bench.table import Figure, ratio, take_turns

MEGABYTE = 1_000_000
SLOW_MB_PER_S, FAST_MB_PER_S = 8.0, 50.0
BURST_S = 0.1
"""What a link keeps for somebody who was not there to use it: a busy machine is late for many blocks."""
BLOCK = 64 * 1024
ROUNDS = 2
LOOK_S = 0.1
PATIENCE_S = 120.0
GOAL = 1.15


async def measure() -> list[Figure]:
    """Each size a few times, in turns with the transfer of the same bytes over one such link."""
    figures = []
    for size_mb, mb_per_s, local in (
        (20, SLOW_MB_PER_S, False),
        (45, SLOW_MB_PER_S, False),
        (500, FAST_MB_PER_S, True),
    ):
        contenders = {
            "bot": partial(_seconds, size_mb, mb_per_s, local=local),
            "transfer": partial(_transfer_s, size_mb, mb_per_s),
        }
        took = await take_turns(contenders, ROUNDS)
        links = f"from NemoVideo {mb_per_s:g} MB/s, own server" if local else f"both links {mb_per_s:g} MB/s"
        path = f"render's end → sendVideo's answer, {size_mb} MB, {links}"
        peer = "one transfer"
        figures.append(
            ratio(path, took["bot"], took["transfer"], unit="s", peer_name=peer, goal=GOAL, at_least=False)
        )
    return figures


async def _transfer_s(size_mb: int, mb_per_s: float) -> float:
    """Seconds that one link takes for so many bytes, until the answer to them."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(size_mb * MEGABYTE)
        writer.write(b".")

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server, _capped(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", mb_per_s) as url:
        began_s, target = time.monotonic(), urlsplit(url)
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        for _ in range(size_mb):
            writer.write(bytes(MEGABYTE))
            await writer.drain()
        await reader.readexactly(1)
        writer.close()
        return time.monotonic() - began_s


async def _seconds(size_mb: int, mb_per_s: float, *, local: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data_dir = Path(folder)
        async with (
            serve_services(data_dir / "services", flood_limits=None, local=local) as services,
            _capped(services.telegram_url, mb_per_s) as telegram_url,
            _capped(services.nemo_url, mb_per_s) as nemo_url,
            People(services.people_url) as people,
            NemoControl(services.nemo_control_url) as nemo,
            bot_process(
                replace(services, telegram_url=telegram_url, nemo_url=nemo_url),
                data_dir / "bot",
                RENDER_POLL_S=str(LOOK_S),
                TELEGRAM_LOCAL_MODE=str(local),
            ),
        ):
            await nemo.set(pace=NO_TIME, render_bytes=size_mb * MEGABYTE, media_origin=nemo_url)
            ann = await people.person()
            await ann.open()
            await ann.say("make a 1 second video of a cat")
            await ann.chat.wait(kind="video", timeout_s=PATIENCE_S)
            (call,) = await people.wait_calls("sendVideo", timeout_s=PATIENCE_S)
            asked_at = [one.at for one in await nemo.requests() if one.endpoint == "media"][-1]
            return (datetime.fromisoformat(call["ended"]) - asked_at).total_seconds()


@contextlib.asynccontextmanager
async def _capped(url: str, mb_per_s: float) -> AsyncIterator[str]:
    """Pass on what goes to a server and back, each way at the link's speed over all connections."""
    target = urlsplit(url)
    ways = (_Link(mb_per_s), _Link(mb_per_s))
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(ways[0].pass_on(reader, there_writer), ways[1].pass_on(there_reader, writer))

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Link:
    """One direction of a line.

    Args:
        mb_per_s: Its speed.
    """

    def __init__(self, mb_per_s: float) -> None:
        self._bytes_per_s = mb_per_s * MEGABYTE
        self._free_at_s = 0.0

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on bytes until one side ends."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while block := await reader.read(BLOCK):
                self._free_at_s = max(self._free_at_s, loop.time() - BURST_S) + len(block) / self._bytes_per_s
                await asyncio.sleep(self._free_at_s - loop.time())
                writer.write(block)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()
