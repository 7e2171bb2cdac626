"""What the clips of a timeline look like, for its picture."""

import asyncio
import tempfile
from collections.abc import Mapping

import structlog

from bot.media.clip_look import ClipLook, read_clip_look
from bot.media.decoder_process import NotDecoded
from bot.nemo.client import NemoClient
from bot.nemo.drafts import Draft, TrackKind
from bot.nemo.errors import NemoError
from bot.nemo.wire import Credentials

log = structlog.get_logger(__name__)

MAX_CLIPS = 6
MAX_BYTES = 16_000_000  # of a clip; a larger one is not pictured
MAX_WAIT_S = 3.0
"""How long the picture of a timeline waits for what its clips look like."""


async def clip_looks(nemo: NemoClient, credentials: Credentials, draft: Draft) -> Mapping[str, ClipLook]:
    """Return how the first clips look that can be had in time, by the URL of their media. Never fails."""
    tracks = [track for track in draft.tracks if track.kind in (TrackKind.VIDEO, TrackKind.AUDIO)]
    media = dict.fromkeys(one.media for track in tracks for one in track.segments if one.media)
    tasks = {url: asyncio.create_task(_look(nemo, credentials, url)) for url in list(media)[:MAX_CLIPS]}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=MAX_WAIT_S)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    return {
        url: look
        for url, task in tasks.items()
        if not task.cancelled() and (look := task.result()) is not None
    }


async def _look(nemo: NemoClient, credentials: Credentials, url: str) -> ClipLook | None:
    try:
        with tempfile.TemporaryFile() as file:
            async with nemo.download_file(credentials, url) as download:
                if (download.size_bytes or 0) > MAX_BYTES:
                    return None
                async for chunk in download.chunks:
                    await asyncio.to_thread(file.write, chunk)
                    if file.tell() > MAX_BYTES:
                        return None
            await asyncio.to_thread(file.flush)
            file.seek(0)
            return await read_clip_look(file)
    except (NemoError, NotDecoded, OSError) as error:
        log.info("clip_looks.not_read", error=str(error))
        return None
