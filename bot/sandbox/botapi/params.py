"""Read a request's query, form, JSON or multipart body into one set of parameters.

Files of a multipart body are streamed to disk, in chunks of about a megabyte written off the event loop.
"""

import asyncio
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from bot.sandbox.botapi.errors import TOO_LARGE, ApiError, bad_request

MAX_PLAIN_BYTES = 8 * 1024 * 1024
"""Maximum size of a body without files, and of a single value beside files."""

WRITE_BYTES = 1024 * 1024
"""Size of a single write off the event loop."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart request, complete on disk.

    Attributes:
        path: The file, until it is adopted or deleted.
        name: The client's name for it.
        size: Its size in bytes.
        sha256: Its digest in hex.
        content_type: The declared content type; may be empty.
    """

    path: Path
    name: str
    size: int
    sha256: str
    content_type: str

    def summary(self) -> dict[str, Any]:
        """Return what the journal shows of it."""
        return {"file_name": self.name, "size": self.size, "sha256": self.sha256}


class Params:
    """A request's parameters, read as leniently as Telegram reads them.

    Args:
        values: Plain values: strings from forms, any JSON from JSON bodies.
        uploads: Files by their part's name.
    """

    def __init__(self, values: Mapping[str, Any], uploads: Mapping[str, Upload] | None = None) -> None:
        self.values = dict(values)
        self.uploads = dict(uploads or {})

    def has(self, name: str) -> bool:
        """Return whether a parameter is given and not null."""
        return self.values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter as text; empty by default."""
        value = self.values.get(name)
        if value is None:
            return default
        return value if isinstance(value, str) else json.dumps(value)

    def number(self, name: str) -> float | None:
        """Return a parameter as a number, or ``None`` if it isn't one."""
        try:
            return float(self.values[name])
        except (KeyError, TypeError, ValueError):
            return None

    def integer(self, name: str, default: int = 0) -> int:
        """Return a parameter as an integer, or the default if it isn't one."""
        value = self.values.get(name)
        try:
            return default if value is None else int(value)
        except (TypeError, ValueError):
            return default

    def integers(self, name: str) -> list[int]:
        """Return a parameter as a list of integers without anything else."""
        given = self.json(name, name.replace("_", " "))
        if not isinstance(given, list):
            return []
        return [int(one) for one in given if isinstance(one, int) or str(one).lstrip("-").isdecimal()]

    def flag(self, name: str) -> bool:
        """Return a boolean parameter in any of the spellings that clients use."""
        return self.text(name).lower() in {"true", "1", "yes"}

    def json(self, name: str, what: str) -> Any:
        """Return a structured parameter, given as JSON or as a string of JSON.

        Args:
            name: The parameter's name.
            what: Telegram's name for it in the error.

        Raises:
            ApiError: The value is no JSON.
        """
        value = self.values.get(name)
        if not isinstance(value, str) or not value:
            return value or None
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {what} JSON object") from None

    def names(self, name: str) -> list[str]:
        """Return one or several names in lower case."""
        value = self.values.get(name)
        if not value:
            return []
        return [str(one).lower() for one in (value if isinstance(value, list) else [value])]

    def discard_uploads(self) -> None:
        """Delete the uploads that weren't adopted."""
        for upload in self.uploads.values():
            upload.path.unlink(missing_ok=True)

    def summary(self) -> dict[str, Any]:
        """Return all parameters, with files as name, size and digest."""
        return {**self.values, **{name: file.summary() for name, file in self.uploads.items()}}


@dataclass(slots=True)
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    file_name: str | None = None
    value: bytearray = field(default_factory=bytearray)
    path: Path = Path()
    handle: IO[bytes] | None = None
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


class _Form:
    """Collects the parts of a multipart body."""

    def __init__(self, boundary: bytes, directory: Path) -> None:
        self.values: dict[str, str] = {}
        self.uploads: dict[str, Upload] = {}
        self.made: list[Path] = []
        self._directory = directory
        self._part = _Part()
        self._header = b""
        self._header_value = b""
        self._pending: list[tuple[_Part, bytes | None]] = []
        self._pending_bytes = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_data,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end,
            },
        )

    async def feed(self, chunk: bytes) -> None:
        self._parser.write(chunk)
        if self._pending_bytes >= WRITE_BYTES:
            await self._flush()

    async def finish(self) -> None:
        self._parser.finalize()
        await self._flush()

    async def _flush(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        if pending:
            await asyncio.to_thread(self._write, pending)

    def _write(self, pending: list[tuple[_Part, bytes | None]]) -> None:
        for part, data in pending:
            if part.handle is None:
                part.handle = part.path.open("wb")
            if data is not None:
                part.handle.write(data)
                part.digest.update(data)
                part.size += len(data)
                continue
            part.handle.close()
            self.uploads[part.name] = Upload(
                part.path,
                part.file_name or "",
                part.size,
                part.digest.hexdigest(),
                part.headers.get(b"content-type", b"").decode("latin-1"),
            )

    def close(self) -> None:
        for part, _ in [*self._pending, (self._part, None)]:
            if part.handle is not None:
                part.handle.close()
        for path in self.made:
            path.unlink(missing_ok=True)

    def _begin(self) -> None:
        self._part = _Part()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_data(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._part.headers[self._header.lower()] = self._header_value
        self._header = self._header_value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition", b""))
        self._part.name = options.get(b"name", b"").decode(errors="replace")
        if b"filename" in options:
            self._part.file_name = options[b"filename"].decode(errors="replace")
            self._part.path = self._directory / uuid.uuid4().hex
            self.made.append(self._part.path)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.file_name is not None:
            self._pending.append((self._part, data[start:end]))
            self._pending_bytes += end - start
            return
        self._part.value += data[start:end]
        if len(self._part.value) > MAX_PLAIN_BYTES:
            raise ApiError(*TOO_LARGE)

    def _end(self) -> None:
        if self._part.file_name is not None:
            self._pending.append((self._part, None))
        else:
            self.values[self._part.name] = self._part.value.decode(errors="replace")


async def read_params(request: Request, directory: Path, max_bytes: int) -> Params:
    """Read a request to its end.

    Args:
        request: The unread request.
        directory: Directory for the files of a multipart body.
        max_bytes: Maximum size of the body. A larger one is read to its end, so that the client gets the refusal.

    Raises:
        ApiError: The body is too large (413) or can't be read.
        starlette.requests.ClientDisconnect: The client disconnected.
    """
    values: dict[str, Any] = dict(request.query_params)
    kind, options = parse_options_header(request.headers.get("content-type"))
    declared = int(request.headers.get("content-length") or 0)
    if declared > max_bytes:
        async for _ in request.stream():
            pass
        raise ApiError(*TOO_LARGE)
    if kind == b"multipart/form-data" and b"boundary" in options:
        form = _Form(options[b"boundary"], directory)
        try:
            size = 0
            async for chunk in request.stream():
                size += len(chunk)
                if chunk and size <= max_bytes:
                    await form.feed(chunk)
            if size <= max_bytes:
                await form.finish()
        except FormParserError:
            form.close()
            raise bad_request("can't parse the multipart body") from None
        except BaseException:
            form.close()
            raise
        if size > max_bytes:
            form.close()
            raise ApiError(*TOO_LARGE)
        return Params({**values, **form.values}, form.uploads)
    body = bytearray()
    async for chunk in request.stream():
        if len(body) <= MAX_PLAIN_BYTES:
            body += chunk
    if len(body) > MAX_PLAIN_BYTES:
        raise ApiError(*TOO_LARGE)
    if kind == b"application/json":
        values.update(_json_body(bytes(body)))
    elif kind == b"application/x-www-form-urlencoded":
        values.update(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    return Params(values)


def _json_body(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        values = json.loads(body)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise bad_request("can't parse JSON object")
    return values
