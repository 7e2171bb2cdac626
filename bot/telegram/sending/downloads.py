"""A file that lies with Telegram, read as a stream: over HTTP from the cloud, from disk beside an own server."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO

import httpx
import structlog
from telegram import Bot
from telegram.error import BadRequest, NetworkError

from bot.jobs.model import Attachment
from bot.jobs.ports import FileGone, FileTooLarge, OpenFile
from bot.media.audio_conversion import convert_audio
from bot.media.errors import FileTypeUnsupported
from bot.media.file_type import SNIFF_BYTES, is_decompression_bomb, sniff
from bot.telegram.reading.attachments import (
    CLOUD_SIZE_LIMIT,
    CONTENT_TYPES,
    CONVERTED,
    LOCAL_SIZE_LIMIT,
    fitting_name,
    kind_of_content,
)
from bot.telegram.sending.api_calls import TelegramCalls

log = structlog.get_logger(__name__)

CHUNK_BYTES = 1024 * 1024
"""Read from disk at a time: each costs a turn of a thread, see ``nemo/uploads.py``."""

CONVERSIONS_AT_ONCE = 2
"""Each keeps a core busy."""


OnCopy = Callable[[str], Awaitable[None]]
"""Is told the name of a copy; the bot's token in it is left out."""

_TOKEN = "{token}"  # noqa: S105 - what stands for it


class FileDownloads:
    """Opens files.

    Args:
        bot: Telegram.
        telegram_calls: Makes the calls.
        http: For the cloud's files.
        local: Whether the Bot API server is an own one in local mode, which gives paths instead of addresses.
        server_dir: That server's directory: nothing outside of it is deleted.
    """

    def __init__(
        self,
        bot: Bot,
        telegram_calls: TelegramCalls,
        http: httpx.AsyncClient,
        *,
        local: bool,
        server_dir: Path | None = None,
    ) -> None:
        self._bot = bot
        self._telegram_calls = telegram_calls
        self._http = http
        self._local = local
        self._server_dir = server_dir
        self._conversions = asyncio.Semaphore(CONVERSIONS_AT_ONCE)

    @contextlib.asynccontextmanager
    async def open(
        self, chat_id: int, file: Attachment, on_copy: OnCopy | None = None
    ) -> AsyncIterator[OpenFile]:
        """Start to read a file.

        Args:
            chat_id: For whose sake.
            file: Which one.
            on_copy: Is told the name of the copy that an own server made, before it is read. Whoever is told has to
                ``discard`` it some time.

        Raises:
            FileGone: Telegram does not have it any more.
            FileTooLarge: The cloud's Bot API gives out 20 MB at most.
            FileNotTaken: Its first bytes are of no kind that NemoVideo takes, or of a picture too large to open.
            SoundTooLong: It would have to be converted, and is too long for that.
        """
        async with contextlib.AsyncExitStack() as stack:
            try:
                size, first, chunks = await self._found(chat_id, file, stack, on_copy)
            except FileGone:
                if not self._local:
                    raise
                # Another job that used the same file may just have deleted it: asked again, the server fetches it anew.
                size, first, chunks = await self._found(chat_id, file, stack, on_copy)
            if file.is_text:  # Whether it is one, its reader sees.
                yield OpenFile(file.name, size, "text/plain", _chain(first, chunks))
                return
            kind, content = kind_of_content(file, sniff(first)), _chain(first, chunks)
            if kind in CONVERTED:
                size, content = await stack.enter_async_context(self._converted(file, kind, content))
                kind = CONVERTED[kind]
            if kind is None or kind not in CONTENT_TYPES or is_decompression_bomb(first):
                raise FileTypeUnsupported(file.name)
            yield OpenFile(fitting_name(file.name, kind), size, CONTENT_TYPES[kind], content)

    async def discard(self, copy: str) -> None:
        """Delete an own server's copy of a file, if it is there and lies where such copies lie.

        Args:
            copy: Its name, as ``open`` told it.
        """
        path = Path(copy.replace(_TOKEN, self._bot.token))
        await asyncio.to_thread(_delete, path, self._server_dir)

    async def _found(
        self, chat_id: int, file: Attachment, stack: contextlib.AsyncExitStack, on_copy: OnCopy | None
    ) -> tuple[int, bytes, AsyncIterator[bytes]]:
        try:
            found = await self._telegram_calls.call(
                chat_id, lambda _: self._bot.get_file(file.file_id), repeatable=True
            )
        except BadRequest as error:
            if "too big" in error.message.lower():
                raise FileTooLarge(CLOUD_SIZE_LIMIT) from error
            raise FileGone(file.name) from error
        if not found.file_path:
            raise FileGone(file.name)
        path, known_size = found.file_path, found.file_size or file.size
        if self._local and on_copy is not None:
            # The server keeps a bot's files in a directory that has its token for a name.
            await on_copy(self._path(path).replace(self._bot.token, _TOKEN))
        return await self._telegram_calls.call(
            chat_id, lambda _: self._begin(stack, path, known_size), repeatable=True
        )

    @contextlib.asynccontextmanager
    async def _converted(
        self, file: Attachment, kind: str, content: AsyncIterator[bytes]
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """Sound in a kind that is taken, by way of the disk: its length has to be known, and its index goes first."""
        with await asyncio.to_thread(tempfile.TemporaryFile) as target:
            async with self._conversions:
                with await asyncio.to_thread(tempfile.TemporaryFile) as source:
                    try:
                        await _copy(content, source, LOCAL_SIZE_LIMIT if self._local else CLOUD_SIZE_LIMIT)
                    except httpx.TransportError as error:
                        raise NetworkError(f"the file's download broke: {type(error).__name__}") from None
                    size = await convert_audio(source, kind, target, CONVERTED[kind], file.name)
            yield size, _read(target)

    async def _begin(
        self, stack: contextlib.AsyncExitStack, path: str, size: int | None
    ) -> tuple[int, bytes, AsyncIterator[bytes]]:
        source = self._from_disk(Path(self._path(path))) if self._local else self._from_cloud(path, size)
        try:
            length, chunks = await stack.enter_async_context(source)
            first = b""
            # A slow line may deliver less at once than it takes to tell what it is.
            while len(first) < SNIFF_BYTES and (chunk := await anext(chunks, b"")):
                first += chunk
        except httpx.TransportError as error:
            # As PTB says it, for the outbox; without its words, which may hold the address.
            raise NetworkError(f"the file's download broke: {type(error).__name__}") from None
        return length, first, chunks

    def _path(self, file_path: str) -> str:
        # PTB puts the cloud's address before a path that it can't see itself, with the token in it.
        return file_path.removeprefix(f"{self._bot.base_file_url}/")

    @contextlib.asynccontextmanager
    async def _from_cloud(
        self, address: str, size: int | None
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        # The address holds the bot's token: it goes nowhere but into this request.
        # Not compressed: the bytes go on as they come, and their length with them.
        async with self._http.stream("GET", address, headers={"Accept-Encoding": "identity"}) as response:
            if response.is_server_error:
                raise NetworkError(f"the file's download failed with status {response.status_code}")
            if response.status_code != httpx.codes.OK:
                raise FileGone(f"status {response.status_code}")
            length = response.headers.get("content-length")
            known = int(length) if length else size
            if known is not None:
                yield known, response.aiter_raw()
                return
            # Told by neither answer, which Telegram allows; NemoVideo has to be told before the first byte.
            with await asyncio.to_thread(tempfile.TemporaryFile) as handle:
                known = await _copy(response.aiter_raw(), handle, CLOUD_SIZE_LIMIT)
                yield known, _read(handle)

    @contextlib.asynccontextmanager
    async def _from_disk(self, path: Path) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        try:
            handle = await asyncio.to_thread(path.open, "rb")
        except OSError as error:
            raise FileGone(path.name) from error
        with handle:
            yield (await asyncio.to_thread(path.stat)).st_size, _read(handle)


def _delete(path: Path, server_dir: Path | None) -> None:
    try:
        real = path.resolve(strict=True)
        if server_dir is None or not real.is_relative_to(server_dir.resolve()) or not real.is_file():
            # Without its name, which may hold the bot's token.
            log.warning("files.not_of_the_server")
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
    """Keep a stream in a file, to be read from its start.

    Returns:
        Its bytes.

    Raises:
        FileTooLarge: More than the Bot API gives out.
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
