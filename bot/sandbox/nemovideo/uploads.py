"""Takes files in: multipart bodies streamed to disk, and addresses that are fetched."""

import asyncio
import hashlib
import secrets
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import unquote, urlsplit

import httpx
from python_multipart.multipart import MultipartParser, parse_options_header

from bot.runtime.http import tls_context
from bot.sandbox import samples
from bot.sandbox.nemovideo.media import (
    MediaStore,
    NotTakenError,
    Served,
    TooLargeError,
    Upload,
    kind_of,
    probe,
    suffix_of,
)

FIELD = "files"
_BATCH_BYTES = 1 << 19
_FETCH_TIMEOUT_S = 60.0

SAMPLES_HOST = "samples.example.com"
"""Files of this host are made on the spot by their names, as no other one can be reached; `missing…` is not there."""


class BadUploadError(Exception):
    """A request that is not the upload call."""


@dataclass(slots=True)
class Received:
    """A file as it came in.

    Attributes:
        name: Its name.
        content_type: As declared.
        path: Where it was put.
        file: Open while it comes.
        size_bytes: How much has come.
        digest: Of what has come.
    """

    name: str
    content_type: str
    path: Path
    file: BinaryIO
    size_bytes: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> None:
        """Add some bytes; blocking."""
        self.file.write(data)
        self.digest.update(data)
        self.size_bytes += len(data)


class Multipart:
    """Reads a multipart body; its files go to disk, so that memory stays flat.

    Args:
        content_type: Of the request, with its boundary.
        folder: Where files go.
        limit_bytes: The largest file taken.

    Raises:
        BadUploadError: The request is not multipart.
    """

    def __init__(self, content_type: str, folder: Path, limit_bytes: int) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise BadUploadError("multipart/form-data with a boundary is expected")
        self._folder, self._limit_bytes = folder, limit_bytes
        self._name, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._current: Received | None = None
        self.files: list[Received] = []
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._part_begin,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
            },
        )

    async def read(self, chunks: AsyncIterator[bytes]) -> None:
        """Take the whole body into `files`.

        Args:
            chunks: The body as it comes.

        Raises:
            BadUploadError: The body is not what was announced.
            TooLargeError: A file is above the limit.
        """
        batch = bytearray()
        try:
            async for chunk in chunks:
                batch += chunk
                if len(batch) >= _BATCH_BYTES:
                    await asyncio.to_thread(self._parser.write, bytes(batch))
                    batch.clear()
            await asyncio.to_thread(self._parser.write, bytes(batch))
            self._parser.finalize()
        except ValueError as error:
            raise BadUploadError(str(error)) from error
        finally:
            for received in self.files:
                received.file.close()
        if not self.files:
            raise BadUploadError(f"no file in the field {FIELD!r}")

    def _header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _part_begin(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name", b"").decode() != FIELD or b"filename" not in options:
            return
        # Browsers and most clients write UTF-8 as it is, and a quote as %22.
        name = options[b"filename"].decode("utf-8", "replace").replace("%22", '"')
        content_type = self._headers.get(b"content-type", b"").decode("latin-1")
        self._current = open_received(self._folder, name, content_type)
        self.files.append(self._current)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current is not None:
            self._current.write(data[start:end])
            check_size(self._current, self._limit_bytes)

    def _part_end(self) -> None:
        if self._current is not None:
            self._current.file.close()
            self._current = None


def open_received(folder: Path, name: str, content_type: str) -> Received:
    """Begin a file; its name on disk is ours.

    Args:
        folder: Where.
        name: As it came.
        content_type: As declared.
    """
    suffix = suffix_of(name, content_type)
    safe = f".{suffix}" if suffix.isalnum() else ""
    path = folder / f"{secrets.token_hex(10)}{safe}"
    return Received(name, content_type, path, path.open("wb"))


def check_size(received: Received, limit_bytes: int) -> None:
    """Refuse what is above the limit.

    Raises:
        TooLargeError: It is.
    """
    if received.size_bytes > limit_bytes:
        raise TooLargeError(f"File too large, the limit is {limit_bytes // 1_000_000} MB")


def _sample(url: str, folder: Path) -> Received:
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    if name.startswith("missing"):
        raise BadUploadError(f"could not fetch {url}")
    with tempfile.TemporaryDirectory() as made_in:
        path = Path(made_in) / name
        match path.suffix.lower():
            case ".jpg" | ".png" | ".gif" | ".webp":
                samples.make_photo(path, 160, 90)
            case ".mp3" | ".m4a" | ".wav" | ".aac":
                samples.make_audio(path, 2)
            case _:
                samples.make_video(path, 2, 160, 90)
        received = open_received(folder, name, "")
        with received.file:
            received.write(path.read_bytes())
    return received


async def fetch(url: str, folder: Path, limit_bytes: int) -> Received:
    """Fetch a file from its address.

    Args:
        url: Http or https.
        folder: Where it goes.
        limit_bytes: The largest file taken.

    Raises:
        BadUploadError: The address is not http, or does not answer with a file.
        TooLargeError: The file is above the limit.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadUploadError(f"not an http address: {url}")
    if parts.hostname == SAMPLES_HOST:
        return await asyncio.to_thread(_sample, url, folder)
    # Loading the certificates blocks for a tenth of a second, the first time.
    tls = await asyncio.to_thread(tls_context)
    try:
        async with (
            httpx.AsyncClient(
                follow_redirects=True, timeout=_FETCH_TIMEOUT_S, trust_env=False, verify=tls
            ) as client,
            client.stream("GET", url) as answer,
        ):
            answer.raise_for_status()
            name = unquote(parts.path.rpartition("/")[2]) or "file"
            received = open_received(folder, name, answer.headers.get("content-type", ""))
            with received.file:
                async for chunk in answer.aiter_bytes():
                    await asyncio.to_thread(received.write, chunk)
                    check_size(received, limit_bytes)
            return received
    except httpx.HTTPError as error:
        raise BadUploadError(f"could not fetch {url}") from error


async def accept(
    received: Received,
    *,
    session_id: str,
    source: Literal["files", "url"],
    media: MediaStore,
    base_url: str,
) -> Upload:
    """Look into a file and give it an address.

    Args:
        received: The file.
        session_id: Where it goes.
        source: How it came.
        media: Where it is served from.
        base_url: This server's address.

    Raises:
        NotTakenError: It is of a kind that is not taken, or empty, or not what its name says.
    """
    kind = kind_of(received.name, received.content_type)
    if not received.size_bytes:
        raise NotTakenError(f"The file {received.name} is empty")
    found = await asyncio.to_thread(probe, received.path, kind)
    return Upload(
        id=f"up_{secrets.token_hex(6)}",
        session_id=session_id,
        name=received.name,
        content_type=received.content_type,
        kind=kind,
        size_bytes=received.size_bytes,
        sha256=received.digest.hexdigest(),
        url=media.add(base_url, Served(received.path.name, received.path)),
        source=source,
        probe=found,
    )
