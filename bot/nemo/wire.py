"""HTTP requests and answers: what all calls of the API have in common."""

import asyncio
import contextlib
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import stamina

from bot.nemo import lenient_json as read
from bot.nemo.errors import (
    BY_CODE,
    Call,
    ServiceError,
    TransportError,
    UnexpectedAnswer,
    clean,
    code_of,
    error_for,
    failed_before_sending,
    message_of,
)
from bot.nemo.render_answers import has_status, read_render, tells_failure
from bot.nemo.uploads import MultipartBody

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Limit of one JSON answer; states with large drafts are the largest."""
MAX_PARSED_IN_LOOP_BYTES = 512 * 1024
"""A larger answer is parsed in a thread: 60 MB stop the loop for 1.6 s."""
MAX_UNZIPPED_BYTES = 256 * 1024
"""How much is decompressed at once."""
MAX_EMPTY_GZIP_BYTES = 256 * 1024
"""How much compressed data may go by that decompresses to nothing, which no other limit counts."""
MAX_REFUSAL_BYTES = 4000
"""How much of a refusal that is no JSON, such as a gateway's page, is looked at."""
MAX_REDIRECTS = 5
RENDERS = "/api/render/proxy"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Attribution:
    """Identifies the caller to the service; without it exports are refused.

    Args:
        source: The skill's name.
        version: The skill's version.
        platform: Where the skill is installed, such as ``clawhub``.
    """

    source: str
    version: str
    platform: str = "unknown"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account's token, and the attribution that goes with it in every call."""

    token: str = field(repr=False)
    attribution: Attribution


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts in seconds. Event streams have none: their reader decides how long a silence may last.

    Args:
        connect_s: For opening a connection.
        answer_s: For each read of an answer.
        upload_stall_s: Between two pieces of an upload, including the wait for its source.
        upload_answer_s: For the answer after the last byte of an upload.
        download_stall_s: Between two pieces of a download.
        download_total_s: For a whole download.
    """

    connect_s: float = 10.0
    answer_s: float = 60.0
    upload_stall_s: float = 120.0
    upload_answer_s: float = 300.0
    download_stall_s: float = 60.0
    download_total_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How calls are retried.

    Reading calls are retried after no answer, an unreadable one, or an HTTP 5xx; others only if the request surely was
    not sent. Uploads are never retried here: their source has to be opened again. A 429 and an agent that is still
    starting are retried by the caller, in ``projects/call_retries.py``.

    Args:
        attempts: The number of attempts in total.
        first_wait_s: Seconds before the second attempt; doubled each time.
        longest_wait_s: The longest wait, in seconds.
    """

    attempts: int = 3
    first_wait_s: float = 0.3
    longest_wait_s: float = 3.0


def _surely_not_sent(error: Exception) -> bool:
    return isinstance(error, TransportError) and not error.sent


def _is_retryable(error: Exception) -> bool:
    if isinstance(error, ServiceError):
        is_server_error = error.outcome_unknown or (error.status is not None and error.status >= 500)
        return is_server_error and type(error) is ServiceError
    return isinstance(error, (TransportError, UnexpectedAnswer))


class Wire:
    """Sends requests to one server.

    Args:
        http: The client that sends them; its creator closes it.
        base_url: The server's URL.
        timeouts: The timeouts of each request.
        retries: How requests are retried.
    """

    def __init__(self, http: httpx.AsyncClient, base_url: str, timeouts: Timeouts, retries: Retries) -> None:
        self.base_url = httpx.URL(base_url.rstrip("/"))
        self._http = http
        self._timeouts = timeouts
        self._retries = retries
        self._moved: dict[str, httpx.URL] = {}  # where the next upload to a path goes

    async def get(self, call: Call, credentials: Credentials, parse: Callable[[Any], _T | None]) -> _T:
        """Send a reading request; retry it after no answer, an unreadable one, or an HTTP 5xx.

        Args:
            call: The request.
            credentials: The account.
            parse: Reads the answer; returns ``None`` if it lacks what was asked for.
        """
        async for attempt in self.attempts(_is_retryable):
            with attempt:
                answer = await self._request(
                    call, headers_for(credentials), None, self.timeout(self._timeouts.answer_s)
                )
                return require(call, parse(answer))
        raise AssertionError("the last attempt raises")

    def attempts(self, on: Callable[[Exception], bool] = _surely_not_sent) -> AsyncIterator[stamina.Attempt]:
        """Return attempts at a request; unless it only reads, one that may have been sent is not retried."""
        return aiter(
            stamina.retry_context(
                on=on,
                attempts=self._retries.attempts,
                timeout=None,
                wait_initial=self._retries.first_wait_s,
                wait_max=self._retries.longest_wait_s,
                wait_jitter=self._retries.first_wait_s,
            )
        )

    async def request(
        self,
        call: Call,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | MultipartBody | None = None,
        *,
        http_timeout: httpx.Timeout | None = None,
        empty_ok: bool = False,
    ) -> Any:
        """Send a request that must not be carried out twice; retry it only if it surely was not sent.

        Args:
            call: The request.
            headers: The headers, except those that depend on the body.
            body: A mapping is sent as JSON.
            http_timeout: Replaces the default timeouts.
            empty_ok: Whether an answer without a JSON object is accepted.
        """
        content: bytes | MultipartBody | None = body if isinstance(body, MultipartBody) else None
        if isinstance(body, Mapping):
            content = encode(call, body)
            headers = {**headers, "Content-Type": "application/json"}
        http_timeout = http_timeout or self.timeout(self._timeouts.answer_s)
        if isinstance(content, MultipartBody):
            return await self._request(call, headers, content, http_timeout, empty_ok=empty_ok)
        async for attempt in self.attempts():
            with attempt:
                return await self._request(call, headers, content, http_timeout, empty_ok=empty_ok)
        raise AssertionError("the last attempt raises")

    async def _request(
        self,
        call: Call,
        headers: Mapping[str, str],
        content: bytes | MultipartBody | None,
        http_timeout: httpx.Timeout,
        *,
        empty_ok: bool = False,
    ) -> Any:
        headers = {**headers, "Accept": "application/json", "Accept-Encoding": "gzip"}
        sent = self.send_on(call, headers, content, http_timeout)
        async with contextlib.aclosing(await sent) as response:
            answer = await read_body(call, response)
            token = headers.get("Authorization", "").removeprefix("Bearer ")
            return await check_answer(call, response, answer, token, empty_ok=empty_ok)

    async def send_on(
        self,
        call: Call,
        headers: Mapping[str, str],
        content: bytes | MultipartBody | None,
        http_timeout: httpx.Timeout,
    ) -> httpx.Response:
        """Send a request, and follow redirects that keep its method and lead to the service itself.

        A server behind a proxy doesn't know its own scheme and port: of an address only its path is taken, so that the
        token goes nowhere else.

        Raises:
            TransportError: An upload, which can be sent once, is to go elsewhere: the next request goes there.
        """
        url = self._moved.pop(call.path, None) or self.url(call.path)
        for redirects in range(MAX_REDIRECTS + 1):
            response = await self.send(call, url, headers, content, http_timeout)
            target = self._target(call, url, response)
            if target is None or redirects == MAX_REDIRECTS:
                return response
            await response.aclose()
            url = target
            if isinstance(content, MultipartBody):
                self._moved[call.path] = url
                raise TransportError(call, "the upload is to go elsewhere", sent=False)
        raise AssertionError("the last response is returned")

    def _target(self, call: Call, url: httpx.URL, response: httpx.Response) -> httpx.URL | None:
        keeps_method = call.method == "GET" or response.status_code in (307, 308)
        if not (keeps_method and response.has_redirect_location):
            return None
        try:
            target = url.join(response.headers["location"])
        except (httpx.InvalidURL, ValueError):
            return None
        if target.host != self.base_url.host:
            return None
        return self.base_url.copy_with(raw_path=target.raw_path)

    async def send(
        self,
        call: Call,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes | MultipartBody | None,
        http_timeout: httpx.Timeout,
        http: httpx.AsyncClient | None = None,
    ) -> httpx.Response:
        """Send a request; the caller closes the response."""
        http = http or self._http
        request = http.build_request(call.method, url, headers=headers, content=content, timeout=http_timeout)
        try:
            return await http.send(request, stream=True, follow_redirects=False)
        except httpx.RequestError as error:
            message = f"{type(error).__name__}: {error}"
            raise TransportError(call, message, sent=not failed_before_sending(error)) from error

    def url(self, path: str) -> httpx.URL:
        """Return the URL of a path."""
        return httpx.URL(f"{self.base_url}{path}")

    def timeout(self, read_s: float | None) -> httpx.Timeout:
        """Return the timeouts of a request; ``None`` reads without a limit."""
        connect_s = self._timeouts.connect_s
        return httpx.Timeout(connect=connect_s, read=read_s, write=None, pool=3 * connect_s)


def headers_for(credentials: Credentials | Attribution) -> dict[str, str]:
    """Return the headers of a call; credentials add the authorization."""
    attribution = credentials.attribution if isinstance(credentials, Credentials) else credentials
    headers = {
        "X-Skill-Source": header_value(attribution.source),
        "X-Skill-Version": header_value(attribution.version),
        "X-Skill-Platform": header_value(attribution.platform),
    }
    if isinstance(credentials, Credentials):
        headers["Authorization"] = f"Bearer {header_value(credentials.token)}"
    return headers


def header_value(value: str) -> str:
    """Percent-encode what a header can't contain: line ends and all that is not ASCII."""
    return re.sub(r"[^\x20-\x7e]", lambda match: quote(match[0], errors="replace"), value.strip())


def encode(call: Call, body: Mapping[str, Any]) -> bytes:
    """Serialize to ASCII JSON, which returns single surrogates and non-standard numbers unchanged."""
    try:
        return json.dumps(body, separators=(",", ":")).encode()
    except RecursionError as error:
        raise ServiceError(call, "nested too deep to be sent") from error


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Return what two URLs of one server have in common."""
    return url.scheme, url.host, url.port


def media_type(response: httpx.Response) -> str:
    """Return the media type of a response without its parameters."""
    value: str = response.headers.get("content-type", "")
    return value.partition(";")[0].strip().lower()


def content_length(response: httpx.Response) -> int | None:
    """Return a body's length; ``None`` if it is not declared."""
    length = response.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


async def read_body(call: Call, response: httpx.Response) -> bytes:
    """Read a whole answer, and stop at the limit.

    Raises:
        UnexpectedAnswer: It is too long, or see :func:`read_chunks`.
    """
    pieces = []
    size = 0
    async for piece in read_chunks(call, response):
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise UnexpectedAnswer(call, "an answer too long to read", status=response.status_code)
        pieces.append(piece)
    return b"".join(pieces)


def read_chunks(call: Call, response: httpx.Response) -> AsyncIterator[bytes]:
    """Return the chunks of a body as they come, without one layer of gzip; reading them raises this library's errors.

    Raises:
        UnexpectedAnswer: They are compressed in another way. httpx would undo any number of layers, a whole chunk at a
            time: 2 KB become gigabytes.
    """
    encoding = encoding_of(response)
    if encoding not in ("identity", "gzip"):
        raise UnexpectedAnswer(call, "an answer in another encoding", status=response.status_code)
    chunks = _raw_chunks(call, response)
    return chunks if encoding == "identity" else _unzipped(call, response, chunks)


def encoding_of(response: httpx.Response) -> str:
    """Return how a body is compressed; some proxies do that unasked."""
    return response.headers.get("content-encoding", "").strip().lower() or "identity"


async def _unzipped(
    call: Call, response: httpx.Response, chunks: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    gzip = _new_gzip()
    has_begun, empty_bytes = False, 0
    try:
        async for chunk in chunks:
            has_begun = True
            empty_bytes += len(chunk)
            waiting, piece = chunk, b""
            while waiting or piece:  # After a piece, more may be left of what is consumed already.
                if gzip.eof and waiting:
                    gzip = _new_gzip()  # RFC 1952 allows several members, one after another.
                if piece := gzip.decompress(waiting, MAX_UNZIPPED_BYTES):
                    empty_bytes = 0
                    yield piece
                waiting = gzip.unconsumed_tail or gzip.unused_data
            if empty_bytes > MAX_EMPTY_GZIP_BYTES:
                raise UnexpectedAnswer(call, "gzip without content", status=response.status_code)
    except zlib.error as error:
        raise UnexpectedAnswer(call, "damaged gzip", status=response.status_code) from error
    if has_begun and not gzip.eof:
        raise UnexpectedAnswer(call, "gzip that ends early", status=response.status_code)


def _new_gzip() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)


async def _raw_chunks(call: Call, response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx.RequestError as error:
        message = f"{type(error).__name__}: {error}"
        raise TransportError(call, message, sent=True, status=response.status_code) from error


async def check_answer(
    call: Call, response: httpx.Response, body: bytes, token: str, *, empty_ok: bool = False
) -> Any:
    """Return the parsed answer, or raise the error that it reports."""
    is_large = len(body) > MAX_PARSED_IN_LOOP_BYTES
    payload = await asyncio.to_thread(read.parse, body) if is_large else read.parse(body)
    status = response.status_code
    code = code_of(payload)
    fields = read.mapping(payload)
    is_render = call.path.startswith(RENDERS) and has_status(payload)
    if is_render and code not in BY_CODE and read_render(payload, "").status.is_over:
        code = None  # It is why the render failed.
    refused = code is not None or (fields.get("success") is False and not is_render)
    has_error = bool(fields.get("error")) or str(fields.get("status")).lower() in ("error", "failed", "fail")
    refused = refused or (has_error and "data" not in fields and not is_render)
    # Some servers answer with a 500 that a render has failed: its reason would be lost.
    has_failed = (
        is_render and call.method == "GET" and status >= 500 and code is None and tells_failure(payload)
    )
    if (status >= 300 and not has_failed) or refused:
        message = message_of(payload)
        if payload is None and media_type(response) == "text/plain":
            message = body[:400].decode("utf-8", "replace")
        if token:
            message = message.replace(token, "***")
        headers = response.headers
        raise error_for(
            call,
            status=status,
            code=code,
            message=clean(message),
            headers=headers,
            payload=body[:MAX_REFUSAL_BYTES].decode("utf-8", "replace") if payload is None else payload,
        )
    if not body and status in (202, 204):
        return {}
    if not isinstance(payload, dict) and not empty_ok:
        raise UnexpectedAnswer(call, "no JSON object", status=status)
    return payload


def require(call: Call, answer: _T | None) -> _T:
    """Return what was read from an answer.

    Raises:
        UnexpectedAnswer: The answer does not have it.
    """
    if answer is None:
        raise UnexpectedAnswer(call, "what was asked for is missing", status=200)
    return answer
