"""Everything that a call to NemoVideo may raise.

* NemoError: any of the below.

  * TransportError: no complete answer came; ``sent`` tells whether the request may have reached the server.

    * StreamBroken: the answer to a message broke off; ``text`` is what had arrived.

  * SourceBroken: the bytes to upload could not be read, or were not as many as had been told.
  * UnexpectedAnswer: success was reported, but what was asked for is not in the answer.

    * HostNotAllowed: a result lies where nothing may be fetched from; ``host`` tells where.

  * ServiceError: the service refused, or failed.

    * AuthError: the token is wrong or has expired (HTTP 401, codes 1001, 1010, 1011).
    * SessionGone: the session does not exist any more (code 1002, or 404 "Session not found").
    * NoCredits: the account's credits do not suffice (code 2001).
    * FileTypeRefused: the file's type is not taken (code 4001, HTTP 415).
    * FileTooLarge: the file is larger than what is taken (code 4002, HTTP 413).
    * ClientIdMissing: an anonymous token was asked for without a client id that counts (400).
    * ExportNotInPlan: the account may not export; has nothing to do with credits (402).
    * RateLimited: too many requests (429); ``retry_after_s`` when the service names it.

Each holds the request it belongs to (``method``, ``path``), the service's ``code`` and the HTTP ``status``
where there were any. None holds a token: what the service says is searched for tokens before it becomes a
message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from bot.nemo import read

MAX_MESSAGE_CHARS = 500
_TOKEN = re.compile(r"\b(?:nmv|clm)_\w+|(?<=[Bb]earer )\S+")
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Call:
    """The request an error belongs to; no query, no headers, no secrets."""

    method: str
    path: str


class NemoError(Exception):
    """Base of all errors here.

    Args:
        call: The request.
        message: What happened, in the service's own words where it said something. Untrusted text.
        code: The service's own code.
        status: The HTTP status.
    """

    def __init__(
        self, call: Call, message: str = "", *, code: int | None = None, status: int | None = None
    ) -> None:
        self.call = call
        self.method = call.method
        self.path = call.path
        self.message = clean(message)
        self.code = code
        self.status = status
        super().__init__(self.message)

    def __str__(self) -> str:
        facts = f"{self.method} {self.path}"
        if self.status is not None:
            facts += f", HTTP {self.status}"
        if self.code is not None:
            facts += f", code {self.code}"
        return f"{self.message or type(self).__name__} ({facts})"

    @property
    def outcome_unknown(self) -> bool:
        """Whether the service may have done what was asked all the same: then it must not be asked again."""
        return False


class TransportError(NemoError):
    """No complete answer came.

    Args:
        call: The request.
        message: What went wrong on the way.
        sent: Whether the request may have reached the server. Only False makes it safe to repeat anything.
    """

    def __init__(self, call: Call, message: str = "", *, sent: bool, status: int | None = None) -> None:
        super().__init__(call, message, status=status)
        self.sent = sent

    @property
    def outcome_unknown(self) -> bool:
        """True when the request may have reached the server."""
        return self.sent


class StreamBroken(TransportError):
    """The answer to a message broke off.

    Args:
        call: The request.
        message: What went wrong on the way.
        text: The agent's text as far as it had arrived.
        events: How many events had arrived, keep-alives not counted.
    """

    def __init__(self, call: Call, message: str, *, text: str, events: int) -> None:
        super().__init__(call, message, sent=True, status=200)
        self.text = text
        self.events = events


class SourceBroken(NemoError):
    """The bytes to upload could not be read, or were not as many as told; ``__cause__`` has the reason."""


class UnexpectedAnswer(NemoError):
    """Success was reported, but what was asked for is not in the answer."""

    @property
    def outcome_unknown(self) -> bool:
        """True: it probably was done."""
        return True


class HostNotAllowed(UnexpectedAnswer):
    """A result lies, or its link leads, where nothing may be fetched from.

    Args:
        call: The request.
        host: Where, with scheme and port.
    """

    def __init__(self, call: Call, host: str) -> None:
        super().__init__(call, f"nothing is fetched from {host}")
        self.host = host


class ServiceError(NemoError):
    """The service refused, or failed."""

    @property
    def outcome_unknown(self) -> bool:
        """True for HTTP 5xx: a gateway gives up on work that goes on behind it."""
        return self.status is not None and self.status >= 500 and self.code is None


class AuthError(ServiceError):
    """The token is wrong or has expired."""


class SessionGone(ServiceError):
    """The session does not exist any more."""


class NoCredits(ServiceError):
    """The account's credits do not suffice."""


class FileTypeRefused(ServiceError):
    """The file's type is not taken."""


class FileTooLarge(ServiceError):
    """The file is larger than what is taken."""


class ClientIdMissing(ServiceError):
    """An anonymous token was asked for without a client id that counts."""


class ExportNotInPlan(ServiceError):
    """The account may not export. Not a matter of credits; also the answer to missing attribution headers."""


class RateLimited(ServiceError):
    """Too many requests.

    Args:
        call: The request.
        message: The service's words.
        code: The service's own code.
        status: The HTTP status.
        retry_after_s: How long to wait, if the service says so.
    """

    def __init__(
        self,
        call: Call,
        message: str = "",
        *,
        code: int | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(call, message, code=code, status=status)
        self.retry_after_s = retry_after_s


BY_CODE: dict[int, type[ServiceError]] = {
    401: AuthError,
    402: ExportNotInPlan,
    413: FileTooLarge,
    415: FileTypeRefused,
    429: RateLimited,
    1001: AuthError,
    1002: SessionGone,
    1010: AuthError,
    1011: AuthError,
    2001: NoCredits,
    4001: FileTypeRefused,
    4002: FileTooLarge,
}
"""The codes and statuses that the service documents."""


def clean(message: str) -> str:
    """Bound what a server said, and take out what looks like a token."""
    return _TOKEN.sub("***", read.whole(message[: MAX_MESSAGE_CHARS * 2]))[:MAX_MESSAGE_CHARS].strip()


def surely_not_sent(error: httpx.RequestError) -> bool:
    """Whether a request can't have reached its server, by the meaning httpx gives its errors.

    Note:
        ``httpx_aiohttp``'s transport, used as it comes, reports lost connections as ``ConnectTimeout``
        too: put one that honours the documented meaning in front of it.
    """
    return isinstance(error, _NEVER_SENT)


def code_of(payload: object) -> int | None:
    """The service's code in an answer or event; ``None`` where there is none or it says success."""
    source = read.mapping(payload)
    inner = read.mapping(source.get("error"))
    for value in (source.get("code"), source.get("errorCode"), source.get("error_code"), inner.get("code")):
        code = read.integer(value)
        if code:
            return code
    return None


def message_of(payload: object) -> str:
    """What an answer or event says of its error, from whichever field holds it."""
    source = read.mapping(payload)
    inner = read.mapping(source.get("error"))
    found = read.text_at(source, "message", "errorMessage", "error_message", "msg", "detail", "error")
    return clean(found or read.text_at(inner, "message", "msg", "detail", "type") or "")


def error_for(
    call: Call,
    *,
    status: int | None,
    code: int | None,
    message: str,
    headers: Mapping[str, str] | None = None,
    payload: Any = None,
) -> ServiceError:
    """Choose the error for an answer; a code that is known counts more than the HTTP status.

    Args:
        call: The request.
        status: The HTTP status; ``None`` for an error inside an event stream.
        code: The service's own code, if any.
        message: The service's own words, if any.
        headers: The answer's headers, for ``Retry-After``.
        payload: The parsed answer, for ``retry_after`` in it.
    """
    kind = BY_CODE.get(code or 0) or BY_CODE.get(status or 0)
    if kind is None:
        lowered = message.lower()
        if "session" in lowered and "not found" in lowered and 404 in (status, code):
            kind = SessionGone
        elif 400 in (status, code) and re.search(
            r"client.?id", lowered + call.path.replace("anonymous", "client-id")
        ):
            kind = ClientIdMissing
        else:
            kind = ServiceError
    if kind is RateLimited:
        wait_s = _retry_after_s(headers or {}, payload)
        return RateLimited(call, message, code=code, status=status, retry_after_s=wait_s)
    return kind(call, message, code=code, status=status)


def _retry_after_s(headers: Mapping[str, str], payload: object) -> float | None:
    source = read.mapping(payload)
    names = ("retry_after", "retryAfter", "retry_after_s")
    found = read.number(headers.get("retry-after"))
    if found is None:
        found = read.number_at(source, *names)
    if found is None:
        found = read.number_at(read.mapping(source.get("data")), *names)
    return found if found is not None and 0 <= found <= 86_400 else None
