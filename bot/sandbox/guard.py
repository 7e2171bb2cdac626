"""Keep other web sites, in the browser of whoever runs the sandbox, away from the stand-ins."""

import secrets

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
_CONTROL = "/control"


class Guard:
    """Answers requests of this machine's programs only, and the control API's only with its key.

    A name that a foreign site lets lead here (DNS rebinding) shows in ``Host``, and what a foreign page sends in
    ``Origin`` or ``Sec-Fetch-Site``. The control API is at ``/KEY/control/``.

    Args:
        app: The stand-in.
        key: The key of its control API.
    """

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if is_foreign(Headers(scope=scope)):
            return await PlainTextResponse("not for other sites\n", 403)(scope, receive, send)
        path = str(scope["path"])
        key, _, rest = path.removeprefix("/").partition("/")
        if secrets.compare_digest(key.encode(), self._key.encode()):
            path = f"/{rest}"
        elif path.startswith(_CONTROL):
            return await PlainTextResponse("the control API's address has a key\n", 404)(scope, receive, send)
        return await self._app({**scope, "path": path}, receive, send)


def is_foreign(headers: Headers) -> bool:
    """Return whether a request was made by a page of another site, or to another name of this machine."""
    host = headers.get("host", "")
    origin = headers.get("origin")
    return (
        (host.rpartition(":")[0] not in _HOSTS and host not in _HOSTS)
        or (origin is not None and origin != f"http://{host}")
        or headers.get("sec-fetch-site") == "cross-site"
    )
