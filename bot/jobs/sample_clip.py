"""The sample clip: a small video of our own, for people who have none at hand."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from bot.jobs.model import Attachment
from bot.jobs.ports import OpenFile

SAMPLE_PATH: Final = Path(__file__).with_name("sample.mp4")

SAMPLE: Final = Attachment(
    file_id="sample",
    kind="video",
    name="sample.mp4",
    size=SAMPLE_PATH.stat().st_size,
    content_type="video/mp4",
    duration_s=6.0,
    width=640,
    height=360,
)
"""The clip as a file of a job. Its id isn't Telegram's: the file is read from this package."""


@contextlib.asynccontextmanager
async def open_sample() -> AsyncIterator[OpenFile]:
    """Open the sample clip, as the responder opens Telegram's files."""
    content = SAMPLE_PATH.read_bytes()

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    yield OpenFile(SAMPLE.name, len(content), SAMPLE.content_type, chunks())
