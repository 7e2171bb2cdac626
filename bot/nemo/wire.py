"""Requests and answers: what all calls of the API have in common."""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import stamina

from bot.nemo import read
from bot.nemo.errors import (
    Call,
    ServiceError,
    TransportError,
    UnexpectedAnswer,
    clean,
    code_of,
    error_for,
    message_of,
    surely_not_sent,
)
from bot.nemo.renders import has_status
from bot.nemo.uploads import MultipartBody

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Of one JSON answer; states with large drafts are the longest."""
RENDERS = "/api/render/proxy"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who asks, for the service's books; without it exports are refused.

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
    """An account's token, and what goes with it on every call."""

    token: str = field(repr=False)
    attribution: Attribution


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds. Event streams have no limit here: who reads them judges their silence.

    Args:
        connect_s: For a connection.
        answer_s: For each read of an answer.
        upload_stall_s: Between two pieces of an upload, its source's waiting included.
        upload_answer_s: For the answer, after the last byte of an upload.
        download_stall_s: Between two pieces of a download.
        download_total_s: For a whole one.
    """

    connect_s: float = 10.0
    answer_s: float = 60.0
    upload_stall_s: float = 120.0
    upload_answer_s: float = 300.0
    download_stall_s: float = 60.0
    download_total_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How calls are repeated.

    Those that only read are when no answer comes, nonsense, or an HTTP 5xx; others when nobody was reached. What may
    have arrived, and does something, is never repeated. Nor are uploads: who reads a file brings it again.

    Args:
        attempts: In all.
        first_wait_s: Before the second; doubled each time.
        longest_wait_s: At most.
    """

    attempts: int = 3
    first_wait_s: float = 0.3
    longest_wait_s: float = 3.0


class Wire:
    """One server's address, and how to ask it.

    Args:
        http: Closed by whoever made it.
        base_url: The server's address.
        timeouts: How long to wait.
        retries: How calls are repeated.
    """

    def __init__(self, http: httpx.AsyncClient, base_url: str, timeouts: Timeouts, retries: Retries) -> None:
        self.base_url = httpx.URL(base_url.rstrip("/"))
        self._http = http
        self._timeouts = timeouts
        self._retries = retries

    async def get(self, call: Call, who: Credentials, reading: Callable[[Any], _T | None]) -> _T:
        """Ask for something that can be asked for again, and do so when no answer comes, nonsense, or an HTTP 5xx.

        Args:
            call: What to ask.
            who: The account.
            reading: Reads the answer; ``None`` when what was asked for is not in it.
        """
        async for attempt in self._attempts(_worth_repeating):
            with attempt:
                answer = await self._ask(call, headers_for(who), None, self.limits(self._timeouts.answer_s))
                return found(call, reading(answer))
        raise AssertionError("the last attempt raises")

    def until_sent(self) -> AsyncIterator[stamina.Attempt]:
        """Attempts at what may only be repeated when it surely did not arrive."""
        return self._attempts(_surely_not_sent)

    def _attempts(self, on: Callable[[Exception], bool]) -> AsyncIterator[stamina.Attempt]:
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

    async def ask(
        self,
        call: Call,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | MultipartBody | None = None,
        *,
        limits: httpx.Timeout | None = None,
        empty_ok: bool = False,
    ) -> Any:
        """Ask for something that is done once: asked again only when it surely did not arrive.

        Args:
            call: What to ask.
            headers: All but the ones that the body's kind decides.
            body: Sent as JSON, or as the multipart body it is.
            limits: Timeouts, if not the usual ones.
            empty_ok: Whether an answer without a JSON object will do.
        """
        content: bytes | MultipartBody | None = body if isinstance(body, MultipartBody) else None
        if isinstance(body, Mapping):
            content = encode(call, body)
            headers = {**headers, "Content-Type": "application/json"}
        limits = limits or self.limits(self._timeouts.answer_s)
        if isinstance(content, MultipartBody):
            return await self._ask(call, headers, content, limits, empty_ok=empty_ok)
        async for attempt in self.until_sent():
            with attempt:
                return await self._ask(call, headers, content, limits, empty_ok=empty_ok)
        raise AssertionError("the last attempt raises")

    async def _ask(
        self,
        call: Call,
        headers: Mapping[str, str],
        content: bytes | MultipartBody | None,
        limits: httpx.Timeout,
        *,
        empty_ok: bool = False,
    ) -> Any:
        headers = {**headers, "Accept": "application/json"}
        sent = self.send(call, self.url(call.path), headers, content, limits)
        async with contextlib.aclosing(await sent) as response:
            answer = await read_body(call, response)
            token = headers.get("Authorization", "").removeprefix("Bearer ")
            return checked(call, response, answer, token, empty_ok=empty_ok)

    async def send(
        self,
        call: Call,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes | MultipartBody | None,
        limits: httpx.Timeout,
        http: httpx.AsyncClient | None = None,
    ) -> httpx.Response:
        """Send a request; whoever asked closes its answer."""
        http = http or self._http
        request = http.build_request(call.method, url, headers=headers, content=content, timeout=limits)
        try:
            return await http.send(request, stream=True, follow_redirects=False)
        except httpx.RequestError as error:
            raise transport_error(call, error) from error

    def url(self, path: str) -> httpx.URL:
        """Give the address of a call."""
        return httpx.URL(f"{self.base_url}{path}")

    def limits(self, read_s: float | None) -> httpx.Timeout:
        """Give the timeouts of a call; ``None`` for no limit to reading."""
        connect_s = self._timeouts.connect_s
        return httpx.Timeout(connect=connect_s, read=read_s, write=None, pool=3 * connect_s)


def headers_for(who: Credentials | Attribution) -> dict[str, str]:
    """Give the headers of every call; with a token, its authorisation too."""
    attribution = who.attribution if isinstance(who, Credentials) else who
    headers = {
        "X-Skill-Source": header_value(attribution.source),
        "X-Skill-Version": header_value(attribution.version),
        "X-Skill-Platform": header_value(attribution.platform),
    }
    if isinstance(who, Credentials):
        headers["Authorization"] = f"Bearer {header_value(who.token)}"
    return headers


def header_value(value: str) -> str:
    """Make a value fit for a header.

    Headers are ASCII and have no line ends: anything else goes percent-encoded.
    """
    return re.sub(r"[^\x20-\x7e]", lambda found: quote(found[0], errors="replace"), value.strip())


def encode(call: Call, body: Mapping[str, Any]) -> bytes:
    """ASCII JSON: carries half surrogate pairs and numbers beyond the standard back just as they came."""
    try:
        return json.dumps(body, separators=(",", ":")).encode()
    except RecursionError as error:
        raise ServiceError(call, "nested too deep to be sent") from error


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Give what decides whether two addresses belong to one server."""
    return url.scheme, url.host, url.port


def media_type(response: httpx.Response) -> str:
    """Give the type of an answer, without its parameters."""
    value: str = response.headers.get("content-type", "")
    return value.partition(";")[0].strip().lower()


def size_of(response: httpx.Response) -> int | None:
    """Give a body's length, unless it is not told or is that of a compressed one."""
    if response.headers.get("content-encoding", "identity") != "identity":
        return None
    length = response.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def transport_error(call: Call, error: httpx.RequestError) -> TransportError:
    """Tell of a request that no answer came to."""
    return TransportError(call, f"{type(error).__name__}: {error}", sent=not surely_not_sent(error))


async def read_body(call: Call, response: httpx.Response) -> bytes:
    """Read an answer whole, within bounds."""
    pieces = []
    size = 0
    async for piece in read_chunks(call, response):
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise UnexpectedAnswer(call, "an answer too long to read", status=response.status_code)
        pieces.append(piece)
    return b"".join(pieces)


async def read_chunks(call: Call, response: httpx.Response) -> AsyncIterator[bytes]:
    """Read an answer as it comes, with this library's errors."""
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    except httpx.RequestError as error:
        message = f"{type(error).__name__}: {error}"
        raise TransportError(call, message, sent=True, status=response.status_code) from error


def checked(call: Call, response: httpx.Response, body: bytes, token: str, *, empty_ok: bool = False) -> Any:
    """Give the parsed answer, or raise the error that it is."""
    payload = read.parse(body)
    status = response.status_code
    code = code_of(payload)
    fields = read.mapping(payload)
    tells = call.path.startswith(RENDERS) and has_status(payload)
    refused = code is not None or (fields.get("success") is False and not tells)
    refused = refused or (bool(fields.get("error")) and "data" not in fields and not tells)
    if status >= 300 or refused:
        message = message_of(payload)
        if payload is None and media_type(response) == "text/plain":
            message = body[:400].decode("utf-8", "replace")
        if token:
            message = message.replace(token, "***")
        headers = response.headers
        raise error_for(
            call, status=status, code=code, message=clean(message), headers=headers, payload=payload
        )
    if not isinstance(payload, dict) and not empty_ok:
        raise UnexpectedAnswer(call, "no JSON object", status=status)
    return payload


def _surely_not_sent(error: Exception) -> bool:
    return isinstance(error, TransportError) and not error.sent


def _worth_repeating(error: Exception) -> bool:
    if isinstance(error, ServiceError):
        return error.status is not None and error.status >= 500 and type(error) is ServiceError
    return isinstance(error, (TransportError, UnexpectedAnswer))


def found(call: Call, answer: _T | None) -> _T:
    """Give what was read of an answer.

    Raises:
        UnexpectedAnswer: It is not in there.
    """
    if answer is None:
        raise UnexpectedAnswer(call, "what was asked for is missing", status=200)
    return answer
