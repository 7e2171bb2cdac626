"""Download of a finished video to the disk: its facts and its cover can only be read from a file."""

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

from bot.nemo.client import NemoClient
from bot.nemo.render_answers import Render
from bot.projects.projects import Project
from bot.runtime import metrics
from bot.runtime.disk import has_room

WRITE_BYTES = 512 * 1024  # collected before a write, so that threads are not started for every small piece


class TooLarge(Exception):
    """The result is larger than what can be sent.

    Args:
        size: Bytes; ``None`` if the download doesn't say.
    """

    def __init__(self, size: int | None = None) -> None:
        super().__init__(size)
        self.size = size


class NoRoom(TooLarge):
    """The result is larger than what the disk has left."""


async def fetch(nemo: NemoClient, render: Render, path: Path, limit: int, project: Project) -> int:
    """Stream a result to disk.

    Args:
        nemo: The client to download with.
        render: The finished render.
        path: The file to write; it appears once it is whole.
        limit: The size of the largest file that can be sent, in bytes.
        project: The project of the render.

    Returns:
        Its size in bytes.

    Raises:
        TooLarge: More than the limit.
        NoRoom: More than the disk has.
        NemoError: See ``NemoClient.download``.
    """
    async with nemo.download(project.credentials, render) as download:
        if download.size_bytes is not None and download.size_bytes > limit:
            raise TooLarge(download.size_bytes)
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        if not await asyncio.to_thread(has_room, path.parent, download.size_bytes or 0):
            raise NoRoom(download.size_bytes)
        # Put in its place when whole: a worker that was taken for dead may be at the same job still.
        part = path.with_name(f"{path.stem}.{uuid4().hex}.part{path.suffix}")
        try:
            size = await _write(download.chunks, part, limit)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise NoRoom(download.size_bytes) from error
        else:
            await asyncio.to_thread(part.replace, path)
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)
    return size


async def _write(chunks: AsyncIterator[bytes], path: Path, limit: int) -> int:
    size = waiting_bytes = 0
    waiting: list[bytes] = []
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in chunks:
            waiting.append(chunk)
            waiting_bytes += len(chunk)
            size += len(chunk)
            metrics.DOWNLOADED.inc(len(chunk))
            if size > limit:
                raise TooLarge
            if waiting_bytes >= WRITE_BYTES:
                await asyncio.to_thread(file.writelines, waiting)
                waiting, waiting_bytes = [], 0
        await asyncio.to_thread(file.writelines, waiting)
    return size
