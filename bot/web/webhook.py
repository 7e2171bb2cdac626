"""Telegram's deliveries: nothing is read of a stranger's, and 200 is said only to what is stored."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

log = structlog.get_logger(__name__)

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - a header's name

MAX_BODY_BYTES = 1024 * 1024
"""Largest update that is read. Telegram's own are a few kB, and far smaller than this even with every entity."""

MAX_DEPTH = 64
"""Deepest nesting that is read: objects of the Bot API go about ten deep."""

MAX_AT_ONCE = 100
"""Deliveries that are worked on at once, as many as Telegram ever sends: with the size, a bound on memory."""

BODY_S = 10.0
"""For a body to arrive."""

STORE_S = 25.0
"""For an update to be stored. Telegram waits longer, but by then it is better to try elsewhere."""

Receive = Callable[[dict[str, Any]], Awaitable[None]]
"""Stores what an update asks for; raises when that can't be done now."""


class Webhook:
    """The endpoint of Telegram's deliveries.

    Args:
        secret: What ``setWebhook`` was told, and each delivery has in its header.

    Attributes:
        is_set: Whether Telegram is known to deliver here.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._receive: Receive | None = None
        self._at_work = 0
        self.is_set = False

    def open(self, receive: Receive) -> None:
        """Take deliveries from now on; until then, and after :meth:`close`, Telegram is told to try again."""
        self._receive = receive

    def close(self) -> None:
        """Take no more."""
        self._receive = None

    async def take(self, request: Request) -> Response:
        """Answer one delivery.

        Returns:
            200 when it is stored; 401 without the secret; 400 or 413 when it is no update; 503 to come again.
        """
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._secret):
            log.warning("webhook.wrong_secret", has_one=bool(given))
            return _refusal(401)
        receive = self._receive
        if receive is None or self._at_work >= MAX_AT_ONCE:
            return _refusal(503)
        self._at_work += 1
        try:
            return await self._store(request, receive)
        finally:
            self._at_work -= 1

    async def _store(self, request: Request, receive: Receive) -> Response:
        try:
            async with asyncio.timeout(BODY_S):
                body = await _read(request)
        except (TimeoutError, ClientDisconnect):
            return _refusal(408)
        if body is None:
            return _refusal(413)
        update = parse_update(body)
        if update is None:
            log.warning("webhook.no_update", length=len(body))
            return _refusal(400)
        try:
            async with asyncio.timeout(STORE_S):
                await receive(update)
        except Exception as error:
            # Not stored, whatever the reason: Telegram keeps it and comes again.
            log.warning("webhook.not_stored", update_id=update["update_id"], error=type(error).__name__)
            return _refusal(503)
        return Response()


def parse_update(body: bytes) -> dict[str, Any] | None:
    """Read an update: a JSON object with a number, not too deep. ``None`` when it is anything else."""
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(update, dict) or type(update.get("update_id")) is not int or _is_deep(update):
        return None
    return update


def _is_deep(value: Any) -> bool:
    # Level by level and without recursion, which is what a deep value is meant to exhaust.
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
    # The rest of the body is not read, so nothing else can come on this connection.
    return Response(status_code=status, headers={"connection": "close"})
