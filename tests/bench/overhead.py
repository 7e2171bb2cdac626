"""What the bot itself adds to the main job: a clip with a request, in a chat that is new to it, until its video.

The bot is a process of its own, with an embedded store; the stand-ins are in this one. Measured is from the moment the
clip is in the chat to the one the video is, both as the Bot API's stand-in noted them. What the stand-ins, and the
bot between two looks at a render, were told to take is subtracted, and nothing else:

* The agent, the upload and the render are told to take no time at all. The render is found ready made: the same clip
  and request were rendered in the rounds that do not count.
* Each look at the render comes ``LOOK_S`` after the one before, because the settings say so (2 s and more without
  them). That pause is subtracted once for each look that NemoVideo's stand-in counted, which is one.

So the figure holds everything else: fetching updates, the store (each write is on the disk before it counts), the
account and the project of a new chat, every request on both sides, both passages of the bytes, the choice of a cover.
It holds the stand-ins' own work too, some 30 ms in all, which real services do on other machines.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bot.sandbox import samples
from bot.sandbox.botapi.client import People, Seen
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import bot_process
from bot.sandbox.services import serve_services
from tests.bench.table import Figure, alone

LOOK_S = 0.1
UNCOUNTED, ROUNDS = 3, 15
PATIENCE_S = 30.0
NO_TIME = {"text_s": 0.0, "edit_s": 0.0, "generate_s": 0.0, "render_s": 0.0, "upload_s": 0.0}


async def measure() -> list[Figure]:
    """One person after another."""
    return [
        alone(
            "main job: what the bot adds, new chat, 720p clip of 5 s", await overheads(), unit="s", goal=0.3
        )
    ]


async def overheads() -> Sequence[float]:
    """Seconds of each round that counts."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data_dir = Path(folder)
        clip = samples.make_video(data_dir / "clip.mp4", 5, 1280, 720)
        async with (
            serve_services(data_dir / "services") as services,
            People(services.people_url) as people,
            NemoControl(services.nemo_control_url) as nemo,
            bot_process(services, data_dir / "bot", RENDER_POLL_S=str(LOOK_S)),
        ):
            await nemo.set(pace=NO_TIME, anonymous_per_address=None)
            taken = [await _one(people, nemo, clip, number) for number in range(UNCOUNTED + ROUNDS)]
            return taken[UNCOUNTED:]


async def _one(people: People, nemo: NemoControl, clip: Path, number: int) -> float:
    ada = await people.person(f"Ada{number}")
    await ada.open()
    await ada.send_file("video", clip, caption="trim it to 4 seconds")
    shown = await ada.chat.wait(kind="video", timeout_s=PATIENCE_S)
    asked, *_ = await ada.chat.messages(kind="video")
    render = (await nemo.renders())[-1]
    return _at_s(shown) - _at_s(asked) - render.polls * LOOK_S


def _at_s(message: Seen) -> float:
    return datetime.fromisoformat(message.stamps[0]).timestamp()
