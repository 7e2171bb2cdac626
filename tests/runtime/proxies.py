"""A real proxy on loopback: HTTP's CONNECT and forwarding, and SOCKS5, both with a user and a password."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

USER, PASSWORD = "user", "p/ss:word"
LOGIN = "user:p%2Fss%3Aword"
CHUNK_BYTES = 256 * 1024

_ALLOWED = b"Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode())
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_UNAUTHORIZED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"


@dataclass(slots=True)
class Proxy:
    """A proxy that runs.

    Args:
        port: On loopback.
        targets: Host and port of each connection that it opened.
    """

    port: int
    targets: list[tuple[str, int]] = field(default_factory=list)

    def url(self, scheme: str, login: str = LOGIN) -> str:
        """Return its URL with a user and a password."""
        return f"{scheme}://{login}@127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def serve_proxy(tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """Serve both protocols on one port, told apart by the first byte.

    Args:
        tls: The server's side, for an ``https`` proxy.
    """
    proxy, tasks = Proxy(0), set[asyncio.Task[None]]()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, _RefusedError
        ):
            first = await reader.readexactly(1)
            await (_socks if first == b"\5" else _http)(proxy, first, reader, writer)
        tasks.discard(task)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls, limit=CHUNK_BYTES)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _RefusedError(Exception):
    pass


async def _http(
    proxy: Proxy, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    head = first + await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.split(b" ", 2)
    if b"Proxy-Authorization: " + _ALLOWED not in head:
        writer.write(_UNAUTHORIZED)
        await writer.drain()
        return
    is_tunnel = method == b"CONNECT"
    host, _, port = (target if is_tunnel else target.split(b"/")[2]).decode().partition(":")
    upstream = await _open(proxy, host, int(port or 80))
    if is_tunnel:
        writer.write(_ESTABLISHED)
    else:
        # One request a connection: the server, which expects its own form of address, closes after it.
        path = b"/" + target.split(b"/", 3)[3]
        upstream[1].write(head.replace(target, path, 1).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
    await _pipe_both(reader, writer, *upstream)


async def _socks(proxy: Proxy, _: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak RFC 1928 and RFC 1929."""
    methods = await reader.readexactly((await reader.readexactly(1))[0])
    if b"\2" not in methods:
        writer.write(b"\5\xff")
        return
    writer.write(b"\5\2")
    await reader.readexactly(1)
    user = await reader.readexactly((await reader.readexactly(1))[0])
    password = await reader.readexactly((await reader.readexactly(1))[0])
    if (user.decode(), password.decode()) != (USER, PASSWORD):
        writer.write(b"\1\1")
        return
    writer.write(b"\1\0")
    kind = (await reader.readexactly(4))[3]
    if kind == 1:
        host = ".".join(map(str, await reader.readexactly(4)))
    else:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    port = int.from_bytes(await reader.readexactly(2), "big")
    try:
        upstream = await _open(proxy, host, port)
    except OSError:
        writer.write(b"\5\5\0\1" + bytes(6))
        return
    writer.write(b"\5\0\0\1" + bytes(6))
    await _pipe_both(reader, writer, *upstream)


async def _open(proxy: Proxy, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    proxy.targets.append((host, port))
    return await asyncio.open_connection(host, port, limit=CHUNK_BYTES)


async def _pipe_both(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    upstream_reader: asyncio.StreamReader,
    upstream_writer: asyncio.StreamWriter,
) -> None:
    try:
        await asyncio.gather(_pipe(reader, upstream_writer), _pipe(upstream_reader, writer))
    finally:
        upstream_writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    writer.close()
