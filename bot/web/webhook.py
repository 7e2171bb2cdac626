"""The webhook that Telegram delivers updates to: only its own requests are read, and only stored ones get a 200."""

import asyncio
import contextlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bot.runtime import metrics
from bot.runtime.clock import Clock

log = structlog.get_logger(__name__)

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - a header's name

MAX_BODY_BYTES = 1024 * 1024
"""Largest update that is read. Telegram's have a few kB, and are far smaller than this with every possible entity."""

MAX_DEPTH = 64  # deepest nesting that is read; objects of the Bot API are about ten levels deep

MAX_CONCURRENT = 100
"""Requests handled at once, the most that Telegram ever sends; together with the size, this bounds the memory."""

WRONG_SECRETS_LOGGED_EVERY_S = 60.0

OPEN_TIMEOUT_S = 5.0
"""For a process that starts to accept updates. In a rolling restart, a balancer would pass a request that is refused on
to the process that ends next, which may refuse it too."""

BODY_TIMEOUT_S = 10.0  # for a body to arrive

STORE_TIMEOUT_S = 25.0
"""For an update to be stored. Telegram waits longer, but by then another process may do better."""

CLOSE_TIMEOUT_S = 3.0
"""For what is being stored when the process ends; Telegram retries the rest."""

StoreUpdate = Callable[[dict[str, Any]], Awaitable[None]]
"""Stores what an update asks for; raises if that is not possible now."""


class Webhook:
    """The endpoint that Telegram delivers updates to.

    Args:
        secret: The ``secret_token`` of ``setWebhook``, which each request has in its header.
        clock: Source of time for the log of wrong secrets.

    Attributes:
        is_set: Whether Telegram is known to deliver here.
    """

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret.encode()
        self._clock = clock
        self._wrong_secrets = 0
        self._logged_wrong_s = -WRONG_SECRETS_LOGGED_EVERY_S
        self._store_update: StoreUpdate | None = None
        self._opened_or_closed = asyncio.Event()
        self._in_progress = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self.is_set = False

    def open(self, store_update: StoreUpdate) -> None:
        """Accept updates from now on; they wait for it a while. After :meth:`close`, Telegram has to retry."""
        self._store_update = store_update
        self._opened_or_closed.set()

    async def close(self) -> None:
        """Accept no more updates, and let those be stored that have come: the store is closed after this."""
        self._store_update = None
        self._opened_or_closed.set()  # What still waits is refused at once.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._is_idle.wait()

    async def handle(self, request: Request) -> Response:
        """Answer a request.

        Returns:
            200 if the update is stored, 401 without the secret, 400, 408 or 413 for what is no update, 503 to retry.
        """
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._secret):
            self._log_wrong_secret(has_one=bool(given))
            return _refusal(401)
        if self._in_progress >= MAX_CONCURRENT:
            return _refusal(503)
        self._in_progress += 1
        self._is_idle.clear()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    await self._opened_or_closed.wait()
            store_update = self._store_update
            return _refusal(503) if store_update is None else await _store(request, store_update)
        finally:
            self._in_progress -= 1
            if not self._in_progress:
                self._is_idle.set()

    def _log_wrong_secret(self, *, has_one: bool) -> None:
        # Anybody can send any number of them.
        self._wrong_secrets += 1
        now_s = self._clock.monotonic_s()
        if now_s - self._logged_wrong_s >= WRONG_SECRETS_LOGGED_EVERY_S:
            log.warning("webhook.wrong_secret", has_one=has_one, requests=self._wrong_secrets)
            self._wrong_secrets, self._logged_wrong_s = 0, now_s


async def _store(request: Request, store_update: StoreUpdate) -> Response:
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await _read(request)
    except (TimeoutError, ClientDisconnect):
        return _refusal(408)
    if body is None:
        return _refusal(413)
    update = _parse_update(body)
    if update is None:
        log.warning("webhook.no_update", length=len(body))
        return _refusal(400)
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            await store_update(update)
    except Exception as error:
        # Not stored, for whatever reason: Telegram keeps the update and retries.
        metrics.UPDATES.labels("not_stored").inc()
        log.warning("webhook.not_stored", update_id=update["update_id"], error=type(error).__name__)
        return _refusal(503)
    return Response()


def _parse_update(body: bytes) -> dict[str, Any] | None:
    """Return the update in a body, or ``None`` if it is no JSON object with an ``update_id``, or nested too deep."""
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(update, dict) or type(update.get("update_id")) is not int or _is_deep(update):
        return None
    return update


def _is_deep(value: Any) -> bool:
    # Level by level: a deep value is meant to exhaust the recursion limit.
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


async def _read(request: Request) -> bytes | None:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _refusal(status: int) -> Response:
    # The rest of the body stays unread, so the connection can't be used again.
    return Response(status_code=status, headers={"connection": "close"})
