"""HTTP connection of the control API's client."""

import asyncio
import json
import mimetypes
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

CHUNK_BYTES = 512 * 1024
ANSWER_TIMEOUT_S = 60.0


class ControlError(Exception):
    """The control API refused an impossible request."""


class Transport:
    """A connection pool to a stand-in.

    Args:
        url: The stand-in's base URL.
        app: The stand-in's app, to be called in place of a connection.
    """

    def __init__(self, url: str, app: ASGIApp | None = None) -> None:
        # Plain http needs no certificates, whose loading blocks for a tenth of a second. Use no proxy.
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=ANSWER_TIMEOUT_S,
            verify=False,  # noqa: S501 - see above
            trust_env=False,
            transport=httpx.ASGITransport(app) if app else None,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, action: str, values: Mapping[str, Any]) -> Any:
        """Run an action with JSON.

        Args:
            action: The action's name.
            values: Its parameters; ``None`` values are left out.

        Raises:
            ControlError: The action was refused.
        """
        body = {name: value for name, value in values.items() if value is not None}
        timeout_s = ANSWER_TIMEOUT_S + float(values.get("timeout_s") or 0)
        return _answer(await self._client.post(f"/control/{action}", json=body, timeout=timeout_s))

    async def upload(
        self, action: str, values: Mapping[str, Any], files: Mapping[str, tuple[str, Path | bytes, str]]
    ) -> Any:
        """Run an action with files, streamed from disk.

        Args:
            action: The action's name.
            values: Its parameters; ``None`` values are left out.
            files: Name, content and content type by parameter.
        """
        boundary = uuid.uuid4().hex
        parts: list[bytes | Path] = []
        for name, value in values.items():
            if value is not None:
                text = value if isinstance(value, str) else json.dumps(value)
                parts.append(_head(boundary, name) + text.encode() + b"\r\n")
        for name, (file_name, content, content_type) in files.items():
            declared = content_type or mimetypes.guess_type(file_name)[0] or "application/octet-stream"
            parts += [_head(boundary, name, file_name, declared), content, b"\r\n"]
        parts.append(f"--{boundary}--\r\n".encode())
        length = sum(part.stat().st_size if isinstance(part, Path) else len(part) for part in parts)
        response = await self._client.post(
            f"/control/{action}",
            content=_pieces(parts),
            headers={
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(length),
            },
        )
        return _answer(response)

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """Stream a file."""
        async with self._client.stream("GET", path) as response:
            if not response.is_success:
                raise ControlError(f"{path}: {response.status_code}")
            async for chunk in response.aiter_raw():
                yield chunk

    async def save(self, path: str, target: Path) -> None:
        """Save a file to disk."""
        with target.open("wb") as handle:
            async for chunk in self.stream(path):
                await asyncio.to_thread(handle.write, chunk)


def _answer(response: httpx.Response) -> Any:
    if not response.is_success:
        raise ControlError(response.text)
    return response.json()


def _head(boundary: str, name: str, file_name: str = "", content_type: str = "") -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
    if file_name:
        quoted = file_name.replace("\\", "\\\\").replace('"', "%22").replace("\r", "").replace("\n", " ")
        head += f'; filename="{quoted}"\r\nContent-Type: {content_type}'
    return f"{head}\r\n\r\n".encode()


async def _pieces(parts: list[bytes | Path]) -> AsyncIterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        with part.open("rb") as handle:
            while chunk := await asyncio.to_thread(handle.read, CHUNK_BYTES):
                yield chunk
