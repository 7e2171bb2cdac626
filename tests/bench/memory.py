"""Memory of the bot's process while large files pass: an own-server set-up both ways, and the cloud's.

The bot runs as the one process that is looked at; the stand-ins are in this one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bot.sandbox import samples
from bot.sandbox.botapi.client import People
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import bot_process
from bot.sandbox.services import serve_services
from tests.bench.process import forget_peak, memory_mb, peak_mb
from tests.bench.table import Figure, alone

MEBIBYTE = 1024 * 1024
PATIENCE_S = 60.0
ROUNDS = 2
MAX_GROWTH_MB = 8.0
SET_UPS = (("own server, by path", 470, 500, True), ("cloud, by HTTP", 19, 45, False))
"""What it is, MB in, MB out, and whether the Bot API server is an own one."""


async def growth(sent_mb: int, result_mb: int, *, local: bool) -> float:
    """Let one large file pass both ways, after a small one that warms everything up.

    Args:
        sent_mb: Size of the file that comes in.
        result_mb: Size of the video that goes out.
        local: Whether the Bot API server is an own one.

    Returns:
        MB by which the bot's process grew at the most.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data_dir = Path(folder)
        settings = {
            "RENDER_POLL_S": "0.2",
            "TELEGRAM_LOCAL_MODE": str(local).lower(),
            "TELEGRAM_FILES_DIR": str(data_dir / "services" / "telegram"),
        }
        async with (
            serve_services(data_dir / "services", local=local, flood_limits=None) as services,
            People(services.people_url) as people,
            NemoControl(services.nemo_control_url) as nemo,
            bot_process(services, data_dir / "bot", **settings) as pid,
        ):
            ada = await people.person("Ada")
            await ada.open()
            small = samples.make_video(data_dir / "small.mp4", 2)
            await ada.send_file("video", small, caption="trim it to 1 second")
            await ada.chat.wait(kind="video", timeout_s=PATIENCE_S)
            await nemo.set(render_bytes=result_mb * MEBIBYTE)
            large = samples.make_video(data_dir / "large.mp4", 3, size_bytes=sent_mb * MEBIBYTE)
            forget_peak(pid)
            before_mb = memory_mb(pid)
            await ada.send_file("video", large, caption="trim it to 2 seconds")
            delivered = (await ada.chat.wait_all(2, kind="video", timeout_s=PATIENCE_S))[-1]
            if delivered.media["file_size"] != result_mb * MEBIBYTE:
                raise RuntimeError(f"delivered {delivered.media['file_size']} bytes")
            return peak_mb(pid) - before_mb


async def measure() -> list[Figure]:
    """Both set-ups: the own server's large files, and as much as the cloud lets pass."""
    figures = []
    for name, sent_mb, result_mb, local in SET_UPS:
        grown_mb = [await growth(sent_mb, result_mb, local=local) for _ in range(ROUNDS)]
        path = f"the whole bot's memory, {name}: {sent_mb} MB in, {result_mb} MB out"
        figures.append(alone(path, grown_mb, unit="MB", goal=MAX_GROWTH_MB))
    return figures
