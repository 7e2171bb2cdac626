"""Download of a finished video to the disk: its facts and its cover can only be read from a file."""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from bot.jobs.worker.attempt import Attempt
from bot.nemo.client import NemoClient
from bot.nemo.render_answers import Render
from bot.projects.projects import Project
from bot.runtime import metrics
from bot.runtime.arriving_file import ArrivingFile, NeverArrived
from bot.runtime.disk import has_room

WRITE_BYTES = 512 * 1024  # collected before a write, so that threads are not started for every small piece

MIN_STREAMED_BYTES = 4_000_000
"""Smaller files are sent only once they are whole."""

HEAD_BYTES = 1_000_000
"""Bytes of a larger file that must have arrived: the index that players need, and frames to choose a cover from."""

FetchAll = Callable[[Callable[[ArrivingFile], None]], Coroutine[Any, Any, int]]


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


async def fetch(
    nemo: NemoClient,
    render: Render,
    path: Path,
    limit: int,
    project: Project,
    *,
    on_start: Callable[[ArrivingFile], None] = lambda _: None,
) -> int:
    """Stream a result to disk.

    Args:
        nemo: The client to download with.
        render: The finished render.
        path: The file to write; it appears once it is whole.
        limit: The size of the largest file that can be sent, in bytes.
        project: The project of the render.
        on_start: Called with the file once its size is known and it is there, before anything is in it.

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
        arriving = ArrivingFile(part, path, download.size_bytes or 0)
        try:
            size = await _write(download.chunks, part, limit, arriving, on_start)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise NoRoom(download.size_bytes) from error
        else:
            await asyncio.to_thread(part.replace, path)
        finally:
            arriving.end()
            await asyncio.to_thread(part.unlink, missing_ok=True)
    return size


async def fetch_ahead(attempt: Attempt, fetch_all: FetchAll) -> int:
    """Fetch a result, and let the attempt go on as soon as its beginning is there, if it can be sent meanwhile.

    Args:
        attempt: Gets the file, and the task that fetches the rest.
        fetch_all: Fetches it, and calls its argument as `fetch` does.

    Returns:
        Its size in bytes, once it is whole.
    """
    started: asyncio.Future[ArrivingFile] = asyncio.get_running_loop().create_future()

    def on_start(file: ArrivingFile) -> None:
        if not started.done():
            started.set_result(file)

    attempt.fetching = asyncio.create_task(fetch_all(on_start))
    try:
        begun: set[asyncio.Future[Any]] = {attempt.fetching, started}
        await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        if (
            started.done()
            and MIN_STREAMED_BYTES <= started.result().size_bytes <= attempt.responder.send_limit_bytes
        ):
            with contextlib.suppress(NeverArrived):  # Raised again by the task.
                await started.result().wait_for(HEAD_BYTES)
                attempt.arriving = started.result()
                return attempt.arriving.size_bytes
        return await attempt.fetching
    except asyncio.CancelledError:
        attempt.fetching.cancel()
        raise


async def _write(
    chunks: AsyncIterator[bytes],
    path: Path,
    limit: int,
    arriving: ArrivingFile,
    on_start: Callable[[ArrivingFile], None],
) -> int:
    size = waiting_bytes = 0
    waiting: list[bytes] = []
    with await asyncio.to_thread(path.open, "wb") as file:
        if arriving.size_bytes:
            on_start(arriving)
        async for chunk in chunks:
            waiting.append(chunk)
            waiting_bytes += len(chunk)
            size += len(chunk)
            metrics.DOWNLOADED.inc(len(chunk))
            if size > limit:
                raise TooLarge
            if waiting_bytes >= WRITE_BYTES:
                await asyncio.to_thread(_write_out, file, waiting)
                arriving.add(waiting_bytes)
                waiting, waiting_bytes = [], 0
        await asyncio.to_thread(_write_out, file, waiting)
        arriving.add(waiting_bytes)
    return size


def _write_out(file: BinaryIO, chunks: list[bytes]) -> None:
    file.writelines(chunks)
    file.flush()
