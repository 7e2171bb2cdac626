"""The errors that a call to NemoVideo may raise; `NemoError` is the base of all.

Each has the request it belongs to (``call``), and the service's ``code`` and the HTTP ``status`` if there
were any. None contains a token: tokens are removed from the service's messages.
"""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from bot.nemo import lenient_json as read
from bot.nemo import refusal_words as words
from bot.nemo.failures import LACKS_CREDITS

MAX_MESSAGE_CHARS = 500
_TOKEN = re.compile(r"\b(?:nmv|clm)_\w+|(?<=[Bb]earer )\S+")
_SUCCESS = (200, 201)
"""Codes beside 0 that servers in front of the service put into the envelope of a success."""
_SURELY_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Call:
    """The request an error belongs to; no query, no headers, no secrets."""

    method: str
    path: str


class NemoError(Exception):
    """Base of all errors of this library.

    Args:
        call: The request.
        message: What happened, in the service's words if it sent a message. Untrusted text.
        code: The service's own code.
        status: The HTTP status.
    """

    def __init__(
        self, call: Call, message: str = "", *, code: int | None = None, status: int | None = None
    ) -> None:
        self.call = call
        self.message = clean(message)
        self.code = code
        self.status = status
        super().__init__(self.message)

    def __str__(self) -> str:
        facts = f"{self.call.method} {self.call.path}"
        if self.status is not None:
            facts += f", HTTP {self.status}"
        if self.code is not None:
            facts += f", code {self.code}"
        return f"{self.message or type(self).__name__} ({facts})"

    @property
    def outcome_unknown(self) -> bool:
        """Return whether the request may have been carried out all the same: then it must not be repeated."""
        return False


class TransportError(NemoError):
    """No complete answer came.

    Args:
        call: The request.
        message: What went wrong.
        sent: Whether the request may have reached the server. Only False makes it safe to repeat it.
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
        message: What went wrong.
    """

    def __init__(self, call: Call, message: str) -> None:
        super().__init__(call, message, sent=True, status=200)


class SourceBroken(NemoError):
    """The bytes to upload could not be read, or were not as many as announced; see ``__cause__``."""


class UnexpectedAnswer(NemoError):
    """Success was reported, but what was asked for is not in the answer."""

    @property
    def outcome_unknown(self) -> bool:
        """True: it was probably carried out."""
        return True


class HostNotAllowed(UnexpectedAnswer):
    """A result's link leads to a host that nothing may be downloaded from.

    Args:
        call: The request.
        host: The host, with scheme and port.
    """

    def __init__(self, call: Call, host: str) -> None:
        super().__init__(call, f"nothing is downloaded from {host}")
        self.host = host


class ServiceError(NemoError):
    """The service refused, or failed."""

    @property
    def outcome_unknown(self) -> bool:
        """True for a 5xx without a code of the service's own: a gateway gives up while the work continues."""
        code = self.status if self.code is None else self.code
        return code is not None and 500 <= code < 600


class AuthError(ServiceError):
    """The token is wrong or has expired (HTTP 401, codes 1001, 1010, 1011)."""


class SessionGone(ServiceError):
    """The session no longer exists (code 1002, or 404 "Session not found")."""


class NoCredits(ServiceError):
    """The account has too few credits (code 2001)."""


class FileTypeRefused(ServiceError):
    """The file's type is not accepted (code 4001, HTTP 415)."""


class FileSizeRefused(ServiceError):
    """The file is too large (code 4002, HTTP 413)."""


class AlreadyUploaded(ServiceError):
    """The service has the file already (a refusal of an upload that says so, unless it is busy)."""


class ClientIdMissing(ServiceError):
    """A request for an anonymous token had no valid client id (400)."""


class ExportNotInPlan(ServiceError):
    """The account's plan has no export; unrelated to credits (402 at a render).

    Also the answer to missing attribution headers.
    """


class PaymentRequired(ServiceError):
    """The account's plan or credits don't cover the request, which is no export (402, or a 403 that says so)."""

    says_plan = False
    """Whether the service says that it is the plan."""


class WarmingUp(ServiceError):
    """The agent's sandbox is still starting (403, or a gateway's 502 to 504 that says so); nothing was done."""

    @property
    def outcome_unknown(self) -> bool:
        """False: the request was not passed on."""
        return False


class AccessRefused(ServiceError):
    """The service refused the request for a reason that is not known (another 403)."""


class RenderIdTaken(ServiceError):
    """There is a render with this id already (409, or any refusal that says so)."""


class RateLimited(ServiceError):
    """Too many requests (429)."""

    retry_after_s: float | None = None
    """Seconds to wait, if the service gives them."""


BY_CODE: dict[int, type[ServiceError]] = {
    401: AuthError,
    402: ExportNotInPlan,
    413: FileSizeRefused,
    415: FileTypeRefused,
    429: RateLimited,
    1001: AuthError,
    1002: SessionGone,
    1010: AuthError,
    1011: AuthError,
    2001: NoCredits,
    4001: FileTypeRefused,
    4002: FileSizeRefused,
}
"""The codes and statuses that the service documents."""


def clean(message: str) -> str:
    """Limit the length of a service's message, and replace what looks like a token."""
    return _TOKEN.sub("***", read.join_surrogates(message[: MAX_MESSAGE_CHARS * 2]))[
        :MAX_MESSAGE_CHARS
    ].strip()


def failed_before_sending(error: httpx.RequestError) -> bool:
    """Return whether a request can't have reached its server, as httpx documents its errors.

    Note:
        ``httpx_aiohttp``'s plain transport also reports lost connections as ``ConnectTimeout``: wrap it in one that
        follows httpx's documentation.
    """
    return isinstance(error, _SURELY_NOT_SENT)


_CODE_FIELDS = frozenset({"code", "message", "msg", "detail", "reason", "request_id"})
"""Of an object that holds a code of the service's and nothing else."""


def error_of(source: Mapping[str, Any]) -> Any:
    """Return what an answer or event names as its error, or the first of several."""
    return source.get("error") or source.get("err") or next(iter(read.items(source.get("errors"))), None)


def code_of(payload: object) -> int | None:
    """Return the service's code in an answer or event; ``None`` if there is none or it means success."""
    source = read.mapping(payload)
    inner = read.mapping(error_of(source))
    detail = read.mapping(source.get("detail"))
    within = [
        one for name in ("data", "result") if _CODE_FIELDS.issuperset(one := read.mapping(source.get(name)))
    ]
    for value in (
        *(
            source.get(name)
            for name in ("code", "Code", "errorCode", "error_code", "errcode", "errCode", "err_code")
        ),
        *(one.get("code") for one in (inner, detail, *within)),
    ):
        code = read.integer(value)
        if code and code not in _SUCCESS:
            return code
    statuses = map(read.integer, map(source.get, ("status", "statusCode", "status_code")))
    return next((status for status in statuses if status is not None and 400 <= status < 600), None)


def message_of(payload: object) -> str:
    """Return the error message of an answer or event, from whichever field has it."""
    source = read.mapping(payload)
    error = error_of(source)
    message = read.text_at(source, "message", "errorMessage", "error_message", "msg", "detail", "error")
    message = message or read.text_at(read.mapping(error), "message", "msg", "detail", "type")
    message = message or read.text(error) or read.text_at(source, "reason", "exception")
    found = source.get("detail")
    detail = read.mapping(found) or read.mapping(next(iter(read.items(found)), None))
    return clean(message or read.text_at(detail, "message", "msg") or "")


def error_for(
    call: Call,
    *,
    status: int | None,
    code: int | None,
    message: str,
    headers: Mapping[str, str] | None = None,
    payload: Any = None,
) -> ServiceError:
    """Return the error for an answer; a known code takes precedence over the HTTP status.

    Args:
        call: The request.
        status: The HTTP status; ``None`` for an error inside an event stream.
        code: The service's own code, if there is one.
        message: The service's message.
        headers: The answer's headers, for ``Retry-After``.
        payload: The parsed answer, or the text of one that is no JSON.
    """
    error_class = BY_CODE.get(code or 0) or BY_CODE.get(status or 0)
    # A gateway's page is not the agent's own word on whether it has begun.
    is_page = isinstance(payload, str) and "<" in payload and (status or 0) >= 500
    text = message if is_page else f"{message} {_all_words(payload)}"[:_MAX_TEXT_CHARS]
    if error_class is None:
        lowered = message.lower()
        if _is_session_gone((status, code), lowered):
            error_class = SessionGone
        elif 400 in (status, code) and re.search(
            r"client.?id", lowered + call.path.replace("anonymous", "client-id")
        ):
            error_class = ClientIdMissing
        elif "/render/" in call.path and (409 in (status, code) or words.TAKEN.search(lowered)):
            error_class = RenderIdTaken
        elif "/upload" in call.path and _is_lasting((code, status)) and words.UPLOADED.search(lowered):
            error_class = AlreadyUploaded
        else:
            error_class = _class_by_words(call, (code, status), text)
    if error_class is ExportNotInPlan and "/render/" not in call.path:
        error_class = NoCredits if LACKS_CREDITS.search(text) else PaymentRequired
    error = error_class(call, message, code=code, status=status)
    if isinstance(error, PaymentRequired):
        error.says_plan = words.PLAN.search(words.STATUS_WORDS.sub("", text)) is not None
    if isinstance(error, RateLimited):
        error.retry_after_s = _retry_after_s(headers or {}, payload)
    return error


def plan_refusal(message: str) -> ServiceError | None:
    """Return the error of a render that failed for the account's plan; ``None`` if it failed for another reason.

    Args:
        message: Why it failed, in the service's words.
    """
    call = Call("POST", "/api/render/proxy/lambda")
    error = error_for(call, status=None, code=None, message=message)
    return error if isinstance(error, ExportNotInPlan) else None


_REFUSED = frozenset({403, 409, 423, 425})
_BUSY = frozenset({423, 425, 429})
_GATEWAY = frozenset({502, 503, 504})
_MAX_WORDS_CHARS = 4000
_MAX_TEXT_CHARS = 20_000
"""Of all that an answer holds: looking for words in megabytes takes seconds."""


def _is_lasting(codes: tuple[int | None, int | None]) -> bool:
    return not any(code in _BUSY or 500 <= (code or 0) < 600 for code in codes)


def _is_session_gone(codes: tuple[int | None, int | None], text: str) -> bool:
    if not {404, 410}.isdisjoint(codes):
        return words.NO_SESSION.search(text) is not None
    # Elsewhere it may be the session of a tool, or of a login.
    is_plain = codes == (None, None) or not {400, 403, 422}.isdisjoint(codes)
    return is_plain and bool(words.NO_SESSION_ALONE.match(text)) and not words.LOGIN.search(text)


def _class_by_words(call: Call, codes: tuple[int | None, int | None], text: str) -> type[ServiceError]:
    """Return what a refusal without a documented code means.

    A gateway that says the sandbox is starting has not passed the request on. Of several reasons, one that waiting does
    not mend counts more, unless the service says that something is starting right now.

    Args:
        call: The request.
        codes: The service's own code, and the HTTP status.
        text: All that the service says of it.
    """
    if not _REFUSED.isdisjoint(codes) and words.STARTING_NOW.search(text):
        return WarmingUp
    # Within a stream it may be about an account of a tool.
    if codes[1] is not None and LACKS_CREDITS.search(text):
        return NoCredits
    if (lasting := _lasting_reason(call, codes, text)) is not None:
        return lasting
    if _is_starting(codes, text):
        return WarmingUp
    return AccessRefused if 403 in codes else ServiceError


def _is_starting(codes: tuple[int | None, int | None], text: str) -> bool:
    is_refused, is_gateway = not _REFUSED.isdisjoint(codes), not _GATEWAY.isdisjoint(codes)
    if (is_refused or is_gateway) and words.WARMING.search(text):
        return True
    # Elsewhere it may be work that has begun: its message would be sent, and paid for, again.
    may_start = is_gateway or (codes[1] or 0) < 500
    return bool((words.NOT_READY if is_refused else words.PLACE_STARTING).search(text)) and may_start


def _lasting_reason(call: Call, codes: tuple[int | None, int | None], text: str) -> type[ServiceError] | None:
    """Return what a refusal means that does not pass by itself; ``None`` if it doesn't say so."""
    is_render = "/render/" in call.path
    if "/upload" in call.path and (words.TOO_LARGE.search(text) or words.KIND_REFUSED.search(text)):
        return FileSizeRefused if words.TOO_LARGE.search(text) else FileTypeRefused
    if 403 in codes:
        lasting = words.MAINTENANCE.sub("", text)
        if words.PLAN.search(lasting) or (is_render and words.LACKS_SCOPE.search(text)):
            return ExportNotInPlan
        is_sandbox = words.NOT_READY.search(text) is not None
        token_refused = words.TOKEN_NAMED if is_sandbox else words.TOKEN_REFUSED
        return AuthError if token_refused.search(text) else None
    # Why something failed is told in any words: only those count that can't mean anything else.
    if is_render or (codes == (None, None) and not LACKS_CREDITS.search(text)):
        return ExportNotInPlan if words.NEEDS_PLAN.search(words.MAINTENANCE.sub("", text)) else None
    return None


def _all_words(payload: Any, depth: int = 4) -> str:
    """Return all texts of an answer, whatever their keys; of one that is no JSON, the text without its tags."""
    if isinstance(payload, str):
        return re.sub(r"<[^>]*>|[_-]", " ", payload[:_MAX_WORDS_CHARS])
    return " ".join(_all_words(one, depth - 1) for one in read.items(payload)) if depth else ""


def _retry_after_s(headers: Mapping[str, str], payload: object) -> float | None:
    source = read.mapping(payload)
    names = ("retry_after", "retryAfter", "retry_after_s")
    wait_s = read.number(headers.get("retry-after"))
    if wait_s is None and "date" in headers:
        # A date in "-0000" has no zone, and can't be compared with one in "GMT".
        with contextlib.suppress(ValueError, TypeError):
            until, now = (parsedate_to_datetime(headers.get(name, "")) for name in ("retry-after", "date"))
            wait_s = (until - now).total_seconds()
    if wait_s is None:
        wait_s = read.number_at(source, *names)
    if wait_s is None:
        wait_s = read.number_at(read.mapping(source.get("data")), *names)
    return wait_s if wait_s is not None and 0 <= wait_s <= 86_400 else None
