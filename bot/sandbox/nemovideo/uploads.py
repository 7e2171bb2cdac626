"""Receive files: multipart bodies streamed to disk, and URLs that are fetched."""

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

from bot.sandbox import samples
from bot.sandbox.links import link_client
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
"""Host whose files are generated from their names, as no other host is reachable; `missing…` answers 404."""


class BadUploadError(Exception):
    """A request isn't a valid upload."""


@dataclass(slots=True)
class Received:
    """A received file.

    Attributes:
        name: Its name.
        content_type: The declared content type.
        path: The file on disk.
        file: The open file while it is received.
        size_bytes: Bytes received so far.
        digest: Digest of the bytes received so far.
    """

    name: str
    content_type: str
    path: Path
    file: BinaryIO
    size_bytes: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> None:
        """Add some bytes. Blocking."""
        self.file.write(data)
        self.digest.update(data)
        self.size_bytes += len(data)


class Multipart:
    """Reads a multipart body and streams its files to disk.

    Args:
        content_type: The request's content type, with the boundary.
        folder: Directory for files.
        limit_bytes: Maximum size of a file.

    Raises:
        BadUploadError: The request isn't multipart.
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
        """Read the whole body into `files`.

        Args:
            chunks: The body's chunks.

        Raises:
            BadUploadError: The body is no valid multipart.
            TooLargeError: A file is larger than the limit.
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
        # Browsers and most clients send UTF-8 as it is, and a quote as %22.
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
    """Open a file to receive, with a name of our own on disk.

    Args:
        folder: Directory for it.
        name: The received name.
        content_type: The declared content type.
    """
    suffix = suffix_of(name, content_type)
    safe = f".{suffix}" if suffix.isalnum() else ""
    path = folder / f"{secrets.token_hex(10)}{safe}"
    return Received(name, content_type, path, path.open("wb"))


def check_size(received: Received, limit_bytes: int) -> None:
    """Check the size of a file.

    Raises:
        TooLargeError: The file is larger than the limit.
    """
    if received.size_bytes > limit_bytes:
        raise TooLargeError(f"File too large, the limit is {limit_bytes // 1_000_000} MB")


def _sample(url: str, folder: Path) -> Received:
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    if name.startswith("missing"):
        raise BadUploadError(f"could not fetch {url}")
    if name.startswith("page"):
        received = open_received(folder, name, "text/html")
        with received.file:
            received.write(b"<!DOCTYPE html><title>Not a file</title>")
        return received
    with tempfile.TemporaryDirectory() as made_in:
        # A link need not say what it leads to; the answer's content type does then.
        name = name if "." in name else f"{name}.mp4"
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


async def fetch(url: str, folder: Path, limit_bytes: int, *, public_only: bool) -> Received:
    """Fetch a file from a URL.

    Args:
        url: An http or https URL.
        folder: Directory for the file.
        limit_bytes: Maximum size of the file.
        public_only: Whether links into this machine's networks are refused.

    Raises:
        BadUploadError: The URL isn't http, or doesn't answer with a file.
        TooLargeError: The file is larger than the limit.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadUploadError(f"not an http address: {url}")
    if parts.hostname == SAMPLES_HOST:
        return await asyncio.to_thread(_sample, url, folder)
    try:
        async with (
            await link_client(public_only=public_only) as client,
            client.stream("GET", url, timeout=_FETCH_TIMEOUT_S, follow_redirects=True) as answer,
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
    """Check a received file and serve it at a URL.

    Args:
        received: The file.
        session_id: ID of its session.
        source: ``files`` or ``url``.
        media: The store that serves it.
        base_url: This server's base URL.

    Raises:
        NotTakenError: The kind isn't accepted, or the file is empty or not what its name says.
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
