"""Memory of the bot's process while large files pass: an own-server set-up both ways, and the cloud's.

The bot runs as the one process that is looked at; the stand-ins are in this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bot.sandbox import samples
from bot.sandbox.botapi.client import People
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.services import Services, serve_services

MEBIBYTE = 1024 * 1024
SAMPLE_S = 0.02
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Passage:
    """What was measured of one job.

    Args:
        name: The set-up.
        sent_mb: Size of the file that came in.
        result_mb: Size of the video that went out.
        before_mb: Resident memory after a small job.
        peak_mb: The highest while the large one passed.
        took_s: From sending to the video in the chat.
    """

    name: str
    sent_mb: int
    result_mb: int
    before_mb: float
    peak_mb: float
    took_s: float


def resident_mb(pid: int) -> float:
    """A process's resident memory (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@contextlib.asynccontextmanager
async def bot_process(services: Services, data_dir: Path, **settings: str) -> AsyncIterator[int]:
    """The bot as ``nemovideo-bot run`` has it, in a process of its own; gives its id."""
    environment = {
        **os.environ,
        "TELEGRAM_BOT_TOKEN": services.token,
        "TELEGRAM_API_URL": services.telegram_url,
        "NEMO_API_URL": services.nemo_url,
        "NEMO_WEB_URL": services.nemo_url,
        "DATA_DIR": str(data_dir),
        "RENDER_POLL_S": "0.2",
        "LOG_LEVEL": "WARNING",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from bot.cli import main; main()", "run", env=environment
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def passage(name: str, sent_mb: int, result_mb: int, *, local: bool) -> Passage:
    """Let one large file pass both ways, after a small one that warms everything up."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data_dir = Path(folder)
        async with (
            serve_services(data_dir / "services", local=local, flood_limits=None) as services,
            People(services.telegram_url) as people,
            NemoControl(services.nemo_url) as nemo,
            bot_process(services, data_dir / "bot", TELEGRAM_LOCAL_MODE=str(local).lower()) as pid,
        ):
            ada = await people.person("Ada")
            await ada.open()
            small = samples.make_video(data_dir / "small.mp4", 2)
            await ada.send_file("video", small, caption="trim it to 1 second")
            await ada.chat.wait(kind="video", timeout_s=PATIENCE_S)
            await nemo.set(render_bytes=result_mb * MEBIBYTE)
            large = samples.make_video(data_dir / "large.mp4", 3, size_bytes=sent_mb * MEBIBYTE)
            before_mb = peak_mb = resident_mb(pid)
            began_s = time.monotonic()
            await ada.send_file("video", large, caption="trim it to 2 seconds")
            waiting = asyncio.create_task(ada.chat.wait_all(2, kind="video", timeout_s=PATIENCE_S))
            while not waiting.done():
                peak_mb = max(peak_mb, resident_mb(pid))
                await asyncio.wait({waiting}, timeout=SAMPLE_S)
            delivered = waiting.result()[-1]
            if delivered.media["file_size"] != result_mb * MEBIBYTE:
                raise RuntimeError(f"delivered {delivered.media['file_size']} bytes")
            return Passage(name, sent_mb, result_mb, before_mb, peak_mb, time.monotonic() - began_s)


async def measure() -> list[Passage]:
    """Both set-ups: the own server's large files, and as much as the cloud lets pass."""
    return [
        await passage("own server, by path", 300, 300, local=True),
        await passage("cloud, by HTTP", 19, 45, local=False),
    ]


def main() -> None:
    """Measure and print a table."""
    print("| set-up | in | out | before | peak | growth | took |")
    print("|---|---|---|---|---|---|---|")
    for p in asyncio.run(measure()):
        print(
            f"| {p.name} | {p.sent_mb} MB | {p.result_mb} MB | {p.before_mb:.1f} MB | {p.peak_mb:.1f} MB "
            f"| {p.peak_mb - p.before_mb:+.1f} MB | {p.took_s:.1f} s |"
        )


if __name__ == "__main__":
    main()
