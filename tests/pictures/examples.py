"""The README's pictures of timelines: ``uv run python -m tests.pictures.examples`` makes them again."""

import asyncio
import math
import tempfile
from pathlib import Path
from typing import Any

from bot.media.clip_look import ClipLook, read_clip_look
from bot.nemo.drafts import read_draft
from bot.pictures.timeline import draw_timeline
from bot.sandbox.page.clips import CLIPS
from bot.telegram.sending.formatting import timeline_labels
from bot.words import Words

FILM, MUSIC = "https://example.com/beach.mp4", "https://example.com/music.mp3"

NAMES = {"en": ("Sunset", "beach.mp4", "Calm piano"), "zh": ("日落", "海边.mp4", "舒缓的钢琴曲")}
"""Title, file name and music of each language's example."""


def example(language: str) -> dict[str, Any]:
    """A draft with a clip, music and a title."""
    title, film, music = NAMES[language]
    return {
        "d": 6000,
        "m": {"title": title, "width": 640, "height": 360},
        "t": [
            {"tt": 0, "sg": [{"name": film, "url": FILM, "start": 0, "duration": 6000}]},
            {
                "tt": 1,
                "name": "BGM",
                "sg": [{"name": music, "url": MUSIC, "start": 0, "duration": 6000, "volume": 0.35}],
            },
            {"tt": 7, "sg": [{"text": title, "start": 0, "duration": 3000}]},
        ],
    }


async def looks() -> dict[str, ClipLook]:
    """How the beach of the sandbox looks, and a piece of music."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "beach.mp4"
        CLIPS["beach.mp4"].write(path)
        with path.open("rb") as file:
            film = await read_clip_look(file)
    levels = tuple(0.25 + 0.6 * abs(math.sin(at / 9) * math.cos(at / 2.3)) for at in range(200))
    return {FILM: film, MUSIC: ClipLook((), levels, 6.0)}


async def main() -> None:
    """Write both beside this file."""
    shown = await looks()
    for language in NAMES:
        draft = read_draft(example(language))
        png = await draw_timeline(draft, labels=timeline_labels(Words(language), draft), looks=shown)
        Path(__file__).with_name(f"timeline-{language}.png").write_bytes(png)


if __name__ == "__main__":
    asyncio.run(main())
