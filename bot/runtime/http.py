"""The one place where HTTP clients are made: httpx on the outside, aiohttp's connections inside.

httpx's own pool costs time in proportion to its open connections for every request, which thousands of event
streams cannot bear; ``httpx-aiohttp`` keeps httpx's interface and does away with that. What has to be set
right around it is set here:

* Its exception map reports every lost connection as ``ConnectTimeout``, also one that was lost after the
  request had gone out. :class:`Transport` gives each failure the class that httpx documents for it, so that
  :func:`surely_not_sent` can be trusted.
* aiohttp repeats a GET by itself when a kept connection turns out to be dead, and never a POST. A kept
  connection is given up before the usual server gives it up (``KEEPALIVE_S``), so that a POST rarely meets a
  dead one.
* httpx reads the files of a form in the event loop, 64 KB a time, and lets nobody else run as long as the connection
  takes all. Here a thread reads them, in larger pieces: while 200 MB go out on loopback, everything else waits for
  20 ms at most, not for up to 550.
* Neither aiohttp nor httpx keeps cookies: many people's requests go through one client.
* Neither reads proxies or passwords from the environment.
"""

import asyncio
import functools
import http.cookiejar
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream

from bot.runtime.allowed_hosts import is_public

MAX_CONNECTIONS = 10_000
"""Open at once, event streams included; the system's limit of open files has to allow it."""
KEEPALIVE_S = 4.0
"""Below the 5 s of uvicorn, the shortest usual patience of a server with an idle connection."""
READ_CHUNK_BYTES = 256 * 1024
"""Pieces in which a body arrives at most; with the transport's own 16 KB it is 2.1 GB/s, not 3.7."""
FORM_PIECE_BYTES = 512 * 1024
"""Pieces in which a form with files leaves, at least."""
MAX_HEADER_BYTES = 64 * 1024
"""For one header line. Redirects to signed addresses exceed aiohttp's 8 KB."""
DEFAULT_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=30.0)

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@functools.cache
def tls_context() -> ssl.SSLContext:
    """The one SSL context of this process: to build it blocks for up to 0.1 s."""
    return httpx.create_ssl_context()


def surely_not_sent(error: BaseException) -> bool:
    """Whether a failed request can't have reached its server, so that it may be repeated without doubling it.

    Holds for clients made here and for httpx's stock transport, and looks through the errors of libraries
    that wrap httpx's (python-telegram-bot's ``NetworkError`` and ``TimedOut``).

    Args:
        error: What the call raised.

    Returns:
        False whenever there is doubt.
    """
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, httpx.RequestError):
        seen = seen.__cause__
    if isinstance(seen, httpx.RequestError) and isinstance(seen.__cause__, aiohttp.ClientError):
        return isinstance(seen.__cause__, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
    return isinstance(seen, _NEVER_SENT)


class Transport(httpx.AsyncBaseTransport):
    """aiohttp's connections behind httpx's interface, with httpx's meaning of each exception.

    Made outside or inside a running loop; the connections belong to the loop of the first request. Whoever
    made it closes it: through the client that was given it, or by ``aclose()``.

    Args:
        ssl_context: Shared by all clients: building one takes about 0.1 s and blocks the loop.
        max_connections: Open at once. Requests beyond it wait for the pool timeout.
        public_only: Whether a name that leads into a private network is refused. Addresses that are numbers are not
            looked up, and so not judged here.
    """

    def __init__(
        self,
        ssl_context: ssl.SSLContext,
        max_connections: int = MAX_CONNECTIONS,
        *,
        public_only: bool = False,
    ) -> None:
        self._ssl_context = ssl_context
        self._max_connections = max_connections
        self._public_only = public_only
        self._session: aiohttp.ClientSession | None = None
        self._inner = AiohttpTransport(verify=ssl_context, trust_env=False, client=self._connections)

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._max_connections,
                    keepalive_timeout=KEEPALIVE_S,
                    ssl=self._ssl_context,
                    resolver=PublicResolver() if self._public_only else None,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
                read_bufsize=READ_CHUNK_BYTES,
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,
            )
        return self._session

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, patience: httpx.Timeout
    ) -> tuple[int, bytes]:
        """Send a small request and read its whole answer, without httpx's objects around either.

        For calls of which there are many at once: those objects take as long as all the rest of a call.

        Returns:
            The status and the decoded body.

        Raises:
            httpx.TransportError: As of :meth:`handle_async_request`.
        """
        limits = aiohttp.ClientTimeout(
            sock_connect=patience.connect, sock_read=patience.read, connect=patience.pool
        )
        try:
            async with self._connections().request(
                method, url, headers=headers, data=body, timeout=limits, allow_redirects=False
            ) as response:
                return response.status, await response.read()
        except aiohttp.ClientResponseError as error:
            message = f"no valid HTTP: {error.message}"  # See above: without its cause.
        except aiohttp.ClientError as error:
            raise _named(error, httpx.ReadError(str(error))) from error
        raise httpx.RemoteProtocolError(message)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            httpx.ConnectError: No connection came about; nothing was sent.
            httpx.ConnectTimeout: Neither in time; nothing was sent.
            httpx.TransportError: Any other; the request may have arrived.
        """
        if isinstance(request.stream, httpx.SyncByteStream) and not isinstance(
            request.stream, httpx.ByteStream
        ):
            request.stream = _Form(request.stream)
        try:
            response = await self._inner.handle_async_request(request)
        except httpx.TransportError as error:
            raise _corrected_error(error) from error.__cause__
        except aiohttp.ClientResponseError as error:
            # Not in the library's map. Its repr holds the request's headers, and so a token: not kept as a
            # cause.
            message = f"no valid HTTP: {error.message}"
        except aiohttp.ClientError as error:
            message = str(error)
        else:
            if isinstance(response.stream, AiohttpResponseStream):
                response.stream.CHUNK_SIZE = READ_CHUNK_BYTES
                response.stream = _Body(response.stream)
            return response
        raise httpx.RemoteProtocolError(message)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()


class PublicResolver(AbstractResolver):
    """Looks names up once, for the connection itself: it goes to an address that was judged, and to no other.

    Has to be made inside a running loop.
    """

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give a name's public addresses.

        Raises:
            OSError: It has none.
        """
        found = await self._inner.resolve(host, port, family)
        public = [one for one in found if _is_public(one["host"])]
        if not public:
            raise OSError(f"{host} leads into a private network")
        return public

    async def close(self) -> None:
        """Nothing to let go of."""
        await self._inner.close()


def _is_public(address: str) -> bool:
    try:
        return is_public(ipaddress.ip_address(address))
    except ValueError:
        return False  # With a zone, as addresses of the link itself have it.


class _Form(httpx.AsyncByteStream):
    """A form with files, which a thread reads."""

    def __init__(self, inner: httpx.SyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self._inner)
        while piece := await asyncio.to_thread(_next_of, pieces):
            yield piece


def _next_of(pieces: Iterator[bytes]) -> bytes:
    taken, size = [], 0
    for piece in pieces:
        taken.append(piece)
        size += len(piece)
        if size >= FORM_PIECE_BYTES:
            break
    return b"".join(taken)


class _Body(httpx.AsyncByteStream):
    """An answer's body; when it breaks, the error says so."""

    def __init__(self, inner: AiohttpResponseStream) -> None:
        self._inner = inner
        # The library's own iterator, not one more generator around it: that would cost at every chunk.
        self._chunks = inner.__aiter__()

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except httpx.TransportError as error:
            raise _corrected_error(error) from error.__cause__

    async def aclose(self) -> None:
        await self._inner.aclose()


def _corrected_error(error: httpx.TransportError) -> httpx.TransportError:
    return _named(error.__cause__, error)


def _named(error: BaseException | None, otherwise: httpx.TransportError) -> httpx.TransportError:
    """What httpx calls a failure of aiohttp's."""
    message = str(error)
    match error:
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            # Its words are the address, which may hold the bot's token.
            return httpx.UnsupportedProtocol("not an address")
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(message)
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout(message)
        case aiohttp.ServerTimeoutError():
            return httpx.ReadTimeout(message)
        case aiohttp.ServerDisconnectedError():
            return httpx.RemoteProtocolError(message)
        case aiohttp.ClientConnectionError():
            return httpx.ReadError(message)
    return otherwise


def new_client(
    ssl_context: ssl.SSLContext | None = None,
    *,
    timeout: httpx.Timeout = DEFAULT_TIMEOUT,
    max_connections: int = MAX_CONNECTIONS,
    public_only: bool = False,
) -> httpx.AsyncClient:
    """Make a client. At start only, and one for each service: each has a pool of its own.

    Whoever made it closes it, with ``async with`` or ``await client.aclose()``, in the loop that used it: its
    connections are aiohttp's and are not closed by being forgotten.

    Args:
        ssl_context: This process's ``tls_context()`` when left out.
        timeout: Default of each request. There is no limit to a whole request, and none to writing a body:
            aiohttp has none, so uploads want a watchdog of their own.
        max_connections: Open at once.
        public_only: Whether names that lead into a private network are refused.
    """
    return httpx.AsyncClient(
        transport=Transport(ssl_context or tls_context(), max_connections, public_only=public_only),
        timeout=timeout,
        trust_env=False,
        cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
    )
