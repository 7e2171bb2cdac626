"""The names of the endpoints, and the log of requests to them."""

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.runtime.clock import Clock
from bot.sandbox.nemovideo.signal import Signal

ENDPOINTS = {
    "anonymous-token": ("POST", r"/api/auth/anonymous-token"),
    "claim-token": ("POST", r"/api/auth/claim-token"),
    "session": ("POST", r"/api/tasks/me/with-session/nemo_agent"),
    "message": ("POST", r"/run_sse"),
    "upload": ("POST", r"/api/upload-video/nemo_agent/me/[^/]+"),
    "credits": ("GET", r"/api/credits/balance/simple"),
    "state": ("GET", r"/api/state/nemo_agent/me/[^/]+/latest"),
    "render": ("POST", r"/api/render/proxy/lambda"),
    "render-status": ("GET", r"/api/render/proxy/lambda/[^/]+"),
    "render-cancel": ("POST", r"/api/render/proxy/lambda/[^/]+/cancel"),
    "render-download": ("GET", r"/api/render/proxy/[^/]+/download"),
    "media": ("GET", r"/media/.+"),
}
"""Method and path pattern of each endpoint, by the names that faults, holds and the log use."""

_KEPT_REQUESTS = 5_000


@dataclass(slots=True)
class LoggedRequest:
    """A logged request.

    Attributes:
        endpoint: The endpoint's name; empty for unknown paths.
        method: The HTTP method.
        path: The path without its query.
        headers: The headers in lower case, without the token.
        at: Time of the request.
        ended_at: Time of the answer's end; ``None`` before.
        status: HTTP status of the answer; ``None`` before.
        answer_bytes: Sent bytes of the answer's body.
    """

    endpoint: str
    method: str
    path: str
    headers: dict[str, str]
    at: datetime
    ended_at: datetime | None = None
    status: int | None = None
    answer_bytes: int = 0


@dataclass(slots=True)
class RequestLog:
    """The newest requests, oldest first.

    Args:
        clock: Source of time.
        signal: Notified of each start and end.
    """

    clock: Clock
    signal: Signal
    entries: deque[LoggedRequest] = field(default_factory=lambda: deque(maxlen=_KEPT_REQUESTS))


class LogLayer:
    """Logs an app's requests, except those of the control API.

    Args:
        app: The app that answers them.
        log: The log to add them to.
    """

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"].startswith("/control"):
            await self._app(scope, receive, send)
            return
        headers = dict(Headers(scope=scope))
        if "authorization" in headers:
            headers["authorization"] = f"{headers['authorization'].partition(' ')[0]} ***"
        entry = LoggedRequest(
            endpoint_of(scope) or "", scope["method"], scope["path"], headers, self._log.clock.now()
        )
        self._log.entries.append(entry)
        self._log.signal.notify()

        async def logged(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            entry.answer_bytes += len(message.get("body", b""))

        try:
            await self._app(scope, receive, logged)
        finally:
            entry.ended_at = self._log.clock.now()
            self._log.signal.notify()


def endpoint_of(scope: Scope) -> str | None:
    """Return the name of the endpoint that a request is for."""
    for name, (method, pattern) in ENDPOINTS.items():
        if scope["method"] == method and re.fullmatch(pattern, scope["path"]):
            return name
    return None
