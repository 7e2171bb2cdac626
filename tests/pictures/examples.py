"""The README's pictures of timelines: ``uv run python -m tests.pictures.examples`` makes them again."""

import asyncio
from pathlib import Path
from typing import Any

from bot.nemo.drafts import read_draft
from bot.pictures import draw_timeline
from bot.telegram.sending.formatting import timeline_labels
from bot.words import Words


def _segment(name: str, start_ms: int, duration_ms: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "start": start_ms, "duration": duration_ms, **more}


EXAMPLES: dict[str, dict[str, Any]] = {
    "en": {
        "d": 10_000,
        "m": {"title": "City at night", "width": 1080, "height": 1920},
        "t": [
            {"tt": 0, "sg": [_segment("city timelapse", 0, 10_000)]},
            {"tt": 1, "sg": [_segment("Lo-fi", 0, 10_000, volume=0.35)]},
            {"tt": 7, "sg": [{"text": "Urban Dreams", "start": 0, "duration": 3000}]},
        ],
    },
    "zh": {
        "d": 10_000,
        "m": {"title": "夜晚的城市 🌃 City at night", "width": 1080, "height": 1920},
        "t": [
            {"tt": 0, "sg": [_segment("城市延时摄影", 0, 6000), _segment("海边日落 sunset.mp4", 6500, 3500)]},
            {"tt": 1, "sg": [_segment("轻快的钢琴曲，带一点鼓点和弦乐的渐强", 0, 10_000, volume=0.35)]},
            {
                "tt": 7,
                "sg": [
                    {"text": "“城市之梦” Don’t stop", "start": 0, "duration": 3000},
                    {"text": "再见 👋", "start": 8000, "duration": 2000},
                ],
            },
        ],
    },
}


async def draw(language: str) -> bytes:
    """One example in its language."""
    draft = read_draft(EXAMPLES[language])
    return await draw_timeline(draft, labels=timeline_labels(Words(language), draft))


def main() -> None:
    """Write both beside this file."""
    for language in EXAMPLES:
        Path(__file__).with_name(f"timeline-{language}.png").write_bytes(asyncio.run(draw(language)))


if __name__ == "__main__":
    main()
