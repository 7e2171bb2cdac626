"""Files at Telegram, read as streams: over HTTP from the cloud, or from the disk of a local server."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO
from weakref import WeakValueDictionary

import httpx
import structlog
from telegram import File
from telegram.error import BadRequest, InvalidToken, NetworkError

from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import LocalizedMessage, Param
from bot.jobs.model import Attachment
from bot.jobs.ports import FileGone, FilesUnreadable, FileTooLarge, FileUnavailable, OpenFile, SendAlert
from bot.jobs.sample_clip import SAMPLE, open_sample
from bot.media.conversion import convert_file
from bot.media.errors import FileTypeUnsupported, PictureTooLarge
from bot.media.file_type import SNIFF_BYTES, is_decompression_bomb, sniff
from bot.media.kinds import CONTENT_TYPES, CONVERTED, fitting_name, kind_of
from bot.store.errors import UnsafeFile
from bot.store.files import open_beneath
from bot.telegram.reading.attachments import CLOUD_SIZE_LIMIT, LOCAL_SIZE_LIMIT
from bot.telegram.sending.api_calls import TelegramCalls

log = structlog.get_logger(__name__)


def directory_problem(directory: Path) -> tuple[str, str] | None:
    """Return what is wrong with the server's directory and what to do about it, or ``None``.

    Args:
        directory: The server's directory, as the bot sees it.
    """
    if not directory.is_dir():
        return (
            f"{directory} is not there",
            "Mount the Bot API server's directory here, or set TELEGRAM_FILES_DIR to where it is",
        )
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return (
            f"{directory} can't be read and written",
            "Run bot and Bot API server as one user, or in one group that may write there",
        )
    return None


CHUNK_BYTES = 1024 * 1024
"""How much is read from disk at a time; each read costs a switch of threads, see ``nemo/uploads.py``."""

CONVERSIONS_AT_ONCE = 2
"""Each conversion keeps a core busy."""

UNAVAILABLE_PAUSES_S = (2.0, 4.0, 8.0, 16.0, 30.0)
"""Pauses between calls while Telegram says "wrong file_id or the file is temporarily unavailable": a minute in all."""

BROKEN_PAUSES_S = (0.0, 1.0, 3.0, 5.0)
"""Pauses before a download and before it is taken up where its line broke."""

PREFETCH_TTL_S = 60.0
"""How long the answer of an early ``getFile`` is used; a job may end before it opens the file."""

OnCopy = Callable[[str], Awaitable[None]]
"""Takes the path of a copy, without the bot's token in it."""

_TOKEN = "{token}"  # noqa: S105 - a placeholder


class FileCopies(Checkpoint):
    """Copies of files that a local Bot API server made for the job."""

    name = "file_copies"
    is_shared = True
    paths: tuple[str, ...] = ()


class FileDownloads:
    """Opens files of messages for reading, converted where NemoVideo can't take them as they are.

    Args:
        telegram_calls: Makes the calls of the bot that was sent the files.
        http: Client for the cloud's files.
        local: Whether the Bot API server runs in local mode, and gives paths instead of URLs.
        server_dir: The local server's directory; nothing outside of it is read or deleted.
        send_alert: Tells the bot's admins, once in a while, that files of the local server can't be read.
    """

    def __init__(
        self,
        telegram_calls: TelegramCalls,
        http: httpx.AsyncClient,
        *,
        local: bool,
        server_dir: Path | None = None,
        send_alert: SendAlert | None = None,
    ) -> None:
        self._bot = telegram_calls.bot
        self._telegram_calls = telegram_calls
        self._http = http
        self._local = local
        self._server_dir = server_dir
        self._send_alert = send_alert
        # When it began, and the call of getFile, by file IDs.
        self._prefetches: dict[str, tuple[float, asyncio.Task[File]]] = {}
        self._conversions = asyncio.Semaphore(CONVERSIONS_AT_ONCE)
        self._conversions_of: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def prefetch(self, chat_id: int, file: Attachment) -> None:
        """Call ``getFile`` for a file that will be opened in a moment: a local server first fetches the whole file.

        Args:
            chat_id: The stored id of the chat that will need it.
            file: The file.
        """
        now_s = self._telegram_calls.clock.monotonic_s()
        self._prefetches = {
            file_id: (since_s, lookup)
            for file_id, (since_s, lookup) in self._prefetches.items()
            if now_s - since_s < PREFETCH_TTL_S
        }
        if file.file_id in self._prefetches or file.file_id == SAMPLE.file_id:
            return
        lookup = asyncio.create_task(self._find_file(chat_id, file), name=f"prefetch:{file.file_id}")
        # The opener gets the error.
        lookup.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._prefetches[file.file_id] = (now_s, lookup)

    @contextlib.asynccontextmanager
    async def open(
        self, chat_id: int, file: Attachment, on_copy: OnCopy | None = None
    ) -> AsyncIterator[OpenFile]:
        """Start to read a file.

        Args:
            chat_id: The stored id of the chat that needs it.
            file: The file to open.
            on_copy: Called with the path of the copy that a local server made, before that is read. The caller has
                to ``discard`` the copy some time.

        Raises:
            FileGone: Telegram does not have the file any more.
            FileUnavailable: Telegram did not hand out the file for a minute.
            FilesUnreadable: The local server's files can't be read.
            FileTooLarge: The cloud's Bot API gives out 20 MB at most.
            FileTypeUnsupported: By all of its signs, NemoVideo does not take the file.
            PictureTooLarge: An image has too many pixels.
            AudioTooLong: The audio has to be converted, and is too long for that.
        """
        async with contextlib.AsyncExitStack() as stack:
            if file.file_id == SAMPLE.file_id:
                yield await stack.enter_async_context(open_sample())
                return
            try:
                size, first, chunks = await self._open_content(chat_id, file, stack, on_copy)
            except FileGone as error:
                if isinstance(error, FileUnavailable) or isinstance(error.__cause__, BadRequest):
                    raise
                # Another job with the same file may just have deleted the local server's copy, which is fetched again;
                # and an address in the cloud may lead nowhere before its hour is over.
                try:
                    size, first, chunks = await self._open_content(chat_id, file, stack, on_copy)
                except FileGone as again:
                    if isinstance(again.__cause__, OSError | UnsafeFile):
                        await self._report_unreadable(again.__cause__)
                        raise FilesUnreadable(file.name) from again
                    raise
            if file.is_text:  # Its reader checks the content.
                yield OpenFile(file.name, size, "text/plain", _chain(first, chunks))
                return
            if is_decompression_bomb(first):
                raise PictureTooLarge
            found = sniff(first)
            kind = kind_of(found, file.name, file.content_type, file.kind)
            content = _chain(first, chunks)
            if found is None:
                log.info("downloads.content_unknown", kind=kind)
            if kind in CONVERTED:
                size, content = await stack.enter_async_context(self._converted(chat_id, file, kind, content))
                kind = CONVERTED[kind]
            if kind not in CONTENT_TYPES:
                raise FileTypeUnsupported(file.name, kind)
            yield OpenFile(fitting_name(file.name, kind), size, CONTENT_TYPES[kind], content)

    async def _report_unreadable(self, error: OSError | UnsafeFile) -> None:
        """Report a file of the local server that can't be opened: in the log, and to the bot's admins."""
        if self._server_dir is None or self._send_alert is None:
            return
        # Without the path, which holds the bot's token: so an OSError's own text won't do.
        reason = str(error)
        if isinstance(error, OSError):
            reason = errno.errorcode.get(error.errno or 0, "unknown")
        found, advice = directory_problem(self._server_dir) or (
            f"{self._server_dir} can be read, and the file in it can't",
            "Run bot and Bot API server as one user, and mount its directory under the same path in both",
        )
        log.error("downloads.unreadable", errno=reason, check=found, advice=advice)
        params: dict[str, Param] = {"reason": f"{reason}: {found}", "advice": advice}
        await self._send_alert("files_unreadable", LocalizedMessage("admin.files_unreadable", params))

    async def discard(self, copy: str) -> None:
        """Delete a local server's copy of a file, if it is in the server's directory.

        Args:
            copy: The path that ``open`` gave to ``on_copy``.
        """
        path = Path(copy.replace(_TOKEN, self._bot.token))
        await asyncio.to_thread(_delete, path, self._server_dir)

    async def _open_content(
        self, chat_id: int, file: Attachment, stack: contextlib.AsyncExitStack, on_copy: OnCopy | None
    ) -> tuple[int, bytes, AsyncIterator[bytes]]:
        """Look a file up, or await its prefetch, and begin to read it; return its size, first bytes and the rest."""
        since_s, lookup = self._prefetches.pop(file.file_id, (-math.inf, None))
        if lookup is None or self._telegram_calls.clock.monotonic_s() - since_s >= PREFETCH_TTL_S:
            telegram_file = await self._find_file(chat_id, file)
        else:
            telegram_file = await lookup
        if not telegram_file.file_path:
            raise FileGone(file.name)
        path, known_size = telegram_file.file_path, telegram_file.file_size or file.size
        if self._local and on_copy is not None:
            # The server keeps a bot's files in a directory that is named after the bot's token.
            await on_copy(self._path(path).replace(self._bot.token, _TOKEN))
        return await self._telegram_calls.call(
            chat_id, lambda _: self._begin(stack, path, known_size), repeatable=True
        )

    async def _find_file(self, chat_id: int, file: Attachment) -> File:
        """Call ``getFile``, and again for a minute while the file is unavailable."""
        pauses = iter(UNAVAILABLE_PAUSES_S)
        while True:
            try:
                return await self._telegram_calls.call(
                    chat_id, lambda _: self._bot.get_file(file.file_id), repeatable=True
                )
            except (BadRequest, InvalidToken) as error:
                message = error.message.lower()
                if "too big" in message:
                    raise FileTooLarge(CLOUD_SIZE_LIMIT) from error
                # PTB takes every 404 for a wrong token; a server that begins answers so, too.
                is_temporary = "temporarily unavailable" in message or isinstance(error, InvalidToken)
                if not is_temporary:
                    raise FileGone(file.name) from error
                pause_s = next(pauses, None)
                if pause_s is None:
                    raise FileUnavailable(file.name) from error
            await self._telegram_calls.clock.sleep(pause_s)

    @contextlib.asynccontextmanager
    async def _converted(
        self, chat_id: int, file: Attachment, kind: str, content: AsyncIterator[bytes]
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """Convert a file on disk: its length has to be known before it is sent, and audio's index comes first."""
        with await asyncio.to_thread(tempfile.TemporaryFile) as target:
            # One at a time for each chat, whatever its topics ask for: others get their turn.
            chats_own = self._conversions_of.setdefault(chat_id, asyncio.Lock())
            async with chats_own, self._conversions:
                with await asyncio.to_thread(tempfile.TemporaryFile) as source:
                    await _copy(content, source, LOCAL_SIZE_LIMIT if self._local else CLOUD_SIZE_LIMIT)
                    size = await convert_file(source, kind, target, file.name)
            yield size, _read(target)

    async def _begin(
        self, stack: contextlib.AsyncExitStack, path: str, size: int | None
    ) -> tuple[int, bytes, AsyncIterator[bytes]]:
        source = self._from_disk(Path(self._path(path))) if self._local else self._from_cloud(path, size)
        try:
            length, chunks = await stack.enter_async_context(source)
            first = b""
            # A slow line may deliver fewer bytes at once than the content's kind shows in.
            while len(first) < SNIFF_BYTES and (chunk := await anext(chunks, b"")):
                first += chunk
        except httpx.TransportError as error:
            # As PTB raises it, for TelegramCalls; without its text, which may hold the URL.
            raise NetworkError(f"the file's download broke: {type(error).__name__}") from None
        return length, first, chunks

    def _path(self, file_path: str) -> str:
        # PTB puts the cloud's URL, with the token in it, before a path that it can't find on disk.
        return file_path.removeprefix(f"{self._bot.base_file_url}/")

    @contextlib.asynccontextmanager
    async def _from_cloud(
        self, url: str, size: int | None
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        async with contextlib.AsyncExitStack() as stack:
            response = await self._fetch(url, stack)
            length, chunks = response.headers.get("content-length"), self._chunks(url, response, stack)
            known = int(length) if length else size
            if known is not None:
                yield known, chunks
                return
            # In neither answer, which Telegram allows; NemoVideo needs the length before the first byte.
            with await asyncio.to_thread(tempfile.TemporaryFile) as handle:
                known = await _copy(chunks, handle, CLOUD_SIZE_LIMIT)
                yield known, _read(handle)

    async def _fetch(self, url: str, stack: contextlib.AsyncExitStack) -> httpx.Response:
        # The URL holds the bot's token: it goes nowhere but into this request.
        # Not compressed, because the bytes and their length are passed on as they come.
        opened = self._http.stream("GET", url, headers={"Accept-Encoding": "identity"})
        response = await stack.enter_async_context(opened)
        if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise NetworkError(f"the file's download failed with status {response.status_code}")
        if response.status_code != httpx.codes.OK:
            raise FileGone(f"status {response.status_code}")
        return response

    async def _chunks(
        self, url: str, response: httpx.Response | None, stack: contextlib.AsyncExitStack
    ) -> AsyncIterator[bytes]:
        """Yield a file's bytes.

        After a broken connection the file, which never changes, is fetched again, and the bytes already yielded are
        skipped.
        """
        given_bytes = 0
        for pause_s in BROKEN_PAUSES_S:
            await self._telegram_calls.clock.sleep(pause_s)
            to_skip_bytes = given_bytes
            try:
                response = response or await self._fetch(url, stack)
                async for chunk in response.aiter_raw():
                    if new := chunk[to_skip_bytes:]:
                        given_bytes += len(new)
                        yield new
                    to_skip_bytes = max(0, to_skip_bytes - len(chunk))
            except (httpx.TransportError, NetworkError) as error:
                # Without its text, which may hold the URL.
                log.info("downloads.broke", error=type(error).__name__, after_bytes=given_bytes)
                response = None
            else:
                return
        raise FileUnavailable("the file's download broke")

    @contextlib.asynccontextmanager
    async def _from_disk(self, path: Path) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        if self._server_dir is None:
            raise FileGone(path.name)
        try:
            handle = await asyncio.to_thread(open_beneath, self._server_dir, path)
        except UnsafeFile as error:
            # Without the path, which may hold the bot's token.
            log.warning("downloads.path_outside_server_dir", reason=str(error))
            raise FileGone(path.name) from error
        except OSError as error:
            raise FileGone(path.name) from error
        with handle:
            yield os.fstat(handle.fileno()).st_size, _read(handle)


def _delete(path: Path, server_dir: Path | None) -> None:
    try:
        real = path.resolve(strict=True)
        if server_dir is None or not real.is_relative_to(server_dir.resolve()) or not real.is_file():
            # Without the path, which may hold the bot's token.
            log.warning("downloads.path_outside_server_dir")
            return
        real.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("files.not_deleted", error=error.strerror)


async def _read(handle: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(handle.read, CHUNK_BYTES):
        yield chunk


async def _copy(chunks: AsyncIterator[bytes], handle: IO[bytes], limit: int) -> int:
    """Write a stream to a file, and go back to its start.

    Returns:
        The file's size in bytes.

    Raises:
        FileTooLarge: The stream is larger than what the Bot API gives out.
    """
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise FileTooLarge(limit)
        await asyncio.to_thread(handle.write, chunk)
    await asyncio.to_thread(handle.seek, 0)
    return size


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        yield chunk
