"""HTTP clients: httpx's interface over aiohttp's connections.

httpx's own pool takes time proportional to its open connections for each request, too slow with thousands of event
streams; ``httpx-aiohttp`` avoids that and keeps httpx's interface. This module corrects what needs it:

* The library reports every lost connection as ``ConnectTimeout``, even one lost after the request was sent.
  :class:`Transport` raises the exception that httpx documents for each failure, so that :func:`surely_not_sent` is
  reliable.
* aiohttp retries a GET by itself when a kept connection turns out to be dead, and never a POST. Idle connections are
  closed before servers usually close them (``KEEPALIVE_S``), so that a POST rarely meets a dead one.
* httpx reads the files of a form in the event loop, 64 KB at a time, and blocks it while the connection takes all of
  them. Here a thread reads them in larger chunks: while 200 MB go out on loopback, other tasks wait for at most 20 ms
  instead of up to 550.
* No cookies are kept: one client sends many people's requests.
* No proxies or passwords are read from the environment.

Through a proxy, httpx's own transport takes aiohttp's place: it speaks SOCKS and TLS to the proxy too.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from urllib.parse import urlsplit

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream
from opentelemetry.trace import SpanKind

from bot.runtime.arriving_file import ArrivingReader
from bot.runtime.hosts import address_of, is_public
from bot.runtime.tracing import traced

MAX_CONNECTIONS = 10_000
"""Open connections, event streams included; the limit of open files must allow as many."""

KEEPALIVE_S = 4.0  # below the 5 s of uvicorn, the shortest common keep-alive timeout of servers
READ_CHUNK_BYTES = 256 * 1024  # largest chunk of a response: 3.7 GB/s instead of 2.1 with the library's 16 KB
FORM_CHUNK_BYTES = 512 * 1024  # smallest chunk of a form with files, except for the last one
MAX_HEADER_BYTES = 64 * 1024  # longest header line. Redirects to signed URLs exceed aiohttp's 8 KB
DEFAULT_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=30.0)

STATUS_CODE = "http.response.status_code"  # OpenTelemetry's name

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the one SSL context of this process; building one blocks for up to 0.1 s."""
    return httpx.create_ssl_context()


def surely_not_sent(error: BaseException) -> bool:
    """Return whether a failed request certainly did not reach its server, so that a retry can't duplicate it.

    Works for clients made here and for httpx's own transport, and for errors that wrap httpx's (python-telegram-bot's
    ``NetworkError`` and ``TimedOut``).

    Returns:
        False in case of doubt.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, httpx.RequestError):
        cause = cause.__cause__
    if isinstance(cause, httpx.RequestError) and isinstance(cause.__cause__, aiohttp.ClientError):
        return isinstance(cause.__cause__, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
    return isinstance(cause, _NEVER_SENT)


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Read none: a jar that refuses all of them takes a tenth of what a request does."""


class _Client(httpx.AsyncClient):
    cookies = _NoCookies()  # type: ignore[override]


class Transport(httpx.AsyncBaseTransport):
    """aiohttp's connections behind httpx's interface, raising httpx's exceptions.

    The connections belong to the loop of the first request. Close it through the client that uses it, or with
    ``aclose()``.

    Args:
        ssl_context: The context that all clients share.
        max_connections: Open connections. Further requests wait for up to the pool timeout.
        public_only: Whether a name that resolves into a private network is refused. Numeric addresses are not resolved,
            and so not checked here. A proxy resolves names itself: none is checked then.
        proxy: URL of a proxy (http, https or socks5) with its user and password.
    """

    def __init__(
        self,
        ssl_context: ssl.SSLContext,
        max_connections: int = MAX_CONNECTIONS,
        *,
        public_only: bool = False,
        proxy: str | None = None,
    ) -> None:
        self._ssl_context = ssl_context
        self._max_connections = max_connections
        self._public_only = public_only
        self._session: aiohttp.ClientSession | None = None
        self._proxied = None if proxy is None else _proxied(proxy, ssl_context, max_connections)
        self._inner = self._proxied or AiohttpTransport(
            verify=ssl_context, trust_env=False, client=self._connections
        )

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
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeouts: httpx.Timeout
    ) -> tuple[int, bytes]:
        """Send a small request and read its response without httpx's objects, which take half of a call's time.

        Args:
            method: The HTTP method.
            url: The URL.
            headers: The request's headers.
            body: The request's body.
            timeouts: Its ``connect``, ``read`` and ``pool`` apply.

        Returns:
            The status and the decompressed body.

        Raises:
            httpx.TransportError: As from :meth:`handle_async_request`.
        """
        with traced(f"HTTP {method}", SpanKind.CLIENT, server__address=urlsplit(url).hostname or "") as span:
            status, answer = await self._exchange(method, url, headers, body, timeouts)
            span.set_attribute(STATUS_CODE, status)
        return status, answer

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeouts: httpx.Timeout
    ) -> tuple[int, bytes]:
        if self._proxied is not None:
            request = httpx.Request(
                method, url, headers=headers, content=body, extensions={"timeout": timeouts.as_dict()}
            )
            answer = await self._proxied.handle_async_request(request)
            try:
                return answer.status_code, await answer.aread()
            finally:
                await answer.aclose()
        limits = aiohttp.ClientTimeout(
            sock_connect=timeouts.connect, sock_read=timeouts.read, connect=timeouts.pool
        )
        try:
            async with self._connections().request(
                method, url, headers=headers, data=body, timeout=limits, allow_redirects=False
            ) as response:
                return response.status, await response.read()
        except aiohttp.ClientResponseError as error:
            message = _describe_invalid(error)
        except aiohttp.ClientError as error:
            raise _to_httpx(error, httpx.ReadError(str(error))) from error
        raise httpx.RemoteProtocolError(message)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            httpx.ConnectError: No connection could be made; nothing was sent.
            httpx.ConnectTimeout: No connection was made in time; nothing was sent.
            httpx.TransportError: It failed otherwise; the request may have arrived.
        """
        with traced(f"HTTP {request.method}", SpanKind.CLIENT, server__address=request.url.host) as span:
            response = await self._send(request)
            span.set_attribute(STATUS_CODE, response.status_code)
        return response

    async def _send(self, request: httpx.Request) -> httpx.Response:
        stalls = asyncio.timeout(None)
        if isinstance(request.stream, httpx.SyncByteStream) and not isinstance(
            request.stream, httpx.ByteStream
        ):
            stall_s = request.extensions.get("timeout", {}).get("write")
            request.stream = _FormStream(request.stream, stalls, stall_s)
        try:
            async with stalls:
                response = await self._inner.handle_async_request(request)
        except httpx.TransportError as error:
            raise _to_httpx(error.__cause__, error) from error.__cause__
        except aiohttp.ClientResponseError as error:
            message = _describe_invalid(error)
        except aiohttp.ClientError as error:
            message = str(error)
        except TimeoutError as error:
            raise httpx.WriteTimeout("the server takes no more of the form") from error
        else:
            if isinstance(response.stream, AiohttpResponseStream):
                response.stream.CHUNK_SIZE = READ_CHUNK_BYTES
                response.stream = _ResponseStream(response.stream)
            return response
        raise httpx.RemoteProtocolError(message)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
        if self._proxied is not None:
            await self._proxied.aclose()


def _proxied(proxy: str, ssl_context: ssl.SSLContext, max_connections: int) -> httpx.AsyncHTTPTransport:
    is_tls = proxy.startswith("https:")
    return httpx.AsyncHTTPTransport(
        verify=ssl_context,
        trust_env=False,
        limits=httpx.Limits(max_connections=max_connections, keepalive_expiry=KEEPALIVE_S),
        proxy=httpx.Proxy(proxy, ssl_context=ssl_context if is_tls else None),
    )


class PublicResolver(AbstractResolver):
    """Resolve names to public addresses only, once for each connection, which goes to the checked address.

    Make it inside a running loop.
    """

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return a name's public addresses.

        Raises:
            OSError: It has none.
        """
        results = await self._inner.resolve(host, port, family)
        public = [
            result for result in results if (address := address_of(result["host"])) and is_public(address)
        ]
        if not public:
            raise OSError(f"{host} resolves into a private network")
        return public

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()


class _FormStream(httpx.AsyncByteStream):
    """A form whose files a thread reads, those that are still being written once there is enough of them.

    Args:
        inner: The form.
        stalls: Set to end the request if a piece isn't taken: aiohttp itself would wait forever.
        stall_s: Seconds for each piece; ``None`` for no limit.
    """

    def __init__(self, inner: httpx.SyncByteStream, stalls: asyncio.Timeout, stall_s: float | None) -> None:
        self._inner = inner
        self._stalls = stalls
        self._stall_s = stall_s
        files = (getattr(field, "file", None) for field in getattr(inner, "fields", ()))
        self._arriving = [file for file in files if isinstance(file, ArrivingReader)]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self._inner)
        while True:
            self._expect_progress(self._stall_s)
            for file in self._arriving:
                await file.wait_for(2 * FORM_CHUNK_BYTES)  # A chunk may be larger by one piece.
            if not (chunk := await asyncio.to_thread(_read_chunk, pieces)):
                self._expect_progress(None)
                return
            yield chunk

    def _expect_progress(self, within_s: float | None) -> None:
        now_s = asyncio.get_running_loop().time()
        with contextlib.suppress(RuntimeError):  # The answer came before the form's end.
            self._stalls.reschedule(None if within_s is None else now_s + within_s)


def _read_chunk(pieces: Iterator[bytes]) -> bytes:
    parts, size = [], 0
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size >= FORM_CHUNK_BYTES:
            break
    return b"".join(parts)


class _ResponseStream(httpx.AsyncByteStream):
    """A response's body, which raises httpx's exceptions."""

    def __init__(self, inner: AiohttpResponseStream) -> None:
        self._inner = inner
        # The library's own iterator: a generator around it would cost time for each chunk.
        self._chunks = inner.__aiter__()

    def __aiter__(self) -> "_ResponseStream":
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except httpx.TransportError as error:
            raise _to_httpx(error.__cause__, error) from error.__cause__

    async def aclose(self) -> None:
        await self._inner.aclose()


def _describe_invalid(error: aiohttp.ClientResponseError) -> str:
    # Only the text: the error's repr shows the request's headers with a token in them, so it must not become a cause.
    return f"invalid HTTP: {error.message}"


def _to_httpx(error: BaseException | None, default: httpx.TransportError) -> httpx.TransportError:
    """Return httpx's exception for one of aiohttp's, or the default for any other."""
    message = str(error)
    match error:
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            # Its message is the URL, which may contain the bot's token.
            return httpx.UnsupportedProtocol("invalid URL")
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
    return default


def new_client(
    ssl_context: ssl.SSLContext | None = None,
    *,
    timeout: httpx.Timeout = DEFAULT_TIMEOUT,
    max_connections: int = MAX_CONNECTIONS,
    public_only: bool = False,
    proxy: str | None = None,
) -> httpx.AsyncClient:
    """Make a client, at start only and one for each service: each has its own pool.

    Close it with ``async with`` or ``await client.aclose()``, in the loop that used it: aiohttp's connections are not
    closed by garbage collection.

    Args:
        ssl_context: ``tls_context()`` by default.
        timeout: The default of each request; none limits a request as a whole. ``write`` limits each piece of a form
            with files, but no other body, which aiohttp can't limit: such uploads need their own watchdog.
        max_connections: Open connections.
        public_only: Whether names that resolve into a private network are refused; not through a proxy.
        proxy: URL of a proxy (http, https or socks5) with its user and password.
    """
    return _Client(
        transport=Transport(
            ssl_context or tls_context(), max_connections, public_only=public_only, proxy=proxy
        ),
        timeout=timeout,
        trust_env=False,
    )
