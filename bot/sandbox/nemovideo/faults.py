"""Faults between the socket and the service: an ASGI layer with rules that the control API sets.

A hold stops requests at a point until it is released, so that a test can act exactly then:

    before       the request's head was read, nothing was done
    body         ``after_bytes`` of the request's body were read
    work         a message's turn is about to do its work (the agent waits, not the connection)
    answer       the work is done, the answer's head wasn't sent
    answer_body  ``after_bytes`` of the answer's body were sent (0: just the head)
"""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Literal

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.runtime.clock import Clock
from bot.sandbox.nemovideo.requests import endpoint_of
from bot.sandbox.nemovideo.signal import Signal

Point = Literal["before", "body", "work", "answer", "answer_body"]

_ids = itertools.count(1)


@dataclass(slots=True)
class Hold:
    """A point at which requests are held.

    Attributes:
        endpoint: The endpoint's name in `requests`, or the name in a script's ``hold`` step.
        point: Where requests are held.
        after_bytes: Bytes of the body before the hold.
        times: Number of requests that it still stops; -1 for all.
        id: ID to release it by.
        reached: Number of requests that have reached it.
        released: Whether it was released.
    """

    endpoint: str
    point: Point = "before"
    after_bytes: int = 0
    times: int = 1
    id: int = field(default_factory=lambda: next(_ids))
    reached: int = 0
    released: bool = False


@dataclass(slots=True)
class Fault:
    """A fault of the next requests to an endpoint.

    Attributes:
        endpoint: The endpoint's name in `requests`.
        times: Number of requests that still get it; -1 for all.
        latency_s: Seconds to wait first, by the stand-in's clock.
        status: HTTP status to answer with instead of the service.
        code: Error code to answer with in an envelope, with ``status`` or 200.
        message: The envelope's message.
        body: Text to answer with instead of an envelope.
        content_type: Content type of ``body``.
        headers: Further headers of the answer.
        drop: Whether to close the connection without an answer.
        after_work: Whether the service does its work first.
        cut_after_bytes: Bytes of the answer's body before the connection is closed.
        content_length: Content length that the answer declares.
        id: ID to remove it by.
    """

    endpoint: str
    times: int = 1
    latency_s: float = 0.0
    status: int | None = None
    code: int | None = None
    message: str = "refused"
    body: str | None = None
    content_type: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    after_work: bool = False
    cut_after_bytes: int | None = None
    content_length: int | None = None
    id: int = field(default_factory=lambda: next(_ids))

    @property
    def answers(self) -> bool:
        """Return whether it answers instead of the service."""
        return self.drop or self.status is not None or self.code is not None or self.body is not None


class _CutError(Exception):
    """Raised to end an answer and close the connection."""


@dataclass(slots=True)
class Faults:
    """All rules and holds.

    Args:
        clock: Source of time for latencies.
        signal: Notified of each hold that is reached.
    """

    clock: Clock
    signal: Signal
    rules: list[Fault] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)

    def take_fault(self, endpoint: str) -> Fault | None:
        """Return the fault of a request and count it down."""
        rule = next((rule for rule in self.rules if rule.endpoint == endpoint and rule.times), None)
        if rule is not None and rule.times > 0:
            rule.times -= 1
        return rule

    def find_hold(self, endpoint: str, point: Point) -> Hold | None:
        """Return the hold that a request will stop at."""
        return next(
            (
                hold
                for hold in self.holds
                if (hold.endpoint, hold.point) == (endpoint, point) and hold.times and not hold.released
            ),
            None,
        )

    async def wait_at(self, hold: Hold | None) -> None:
        """Wait at a hold until it is released."""
        if hold is None or hold.released or not hold.times:
            return
        if hold.times > 0:
            hold.times -= 1
        hold.reached += 1
        self.signal.notify()
        while not hold.released:
            await self.signal.until(lambda: hold.released, 3600)

    def release(self, hold_id: int | None = None) -> None:
        """Release the requests at a hold, or at all holds."""
        for hold in self.holds:
            if hold_id in (None, hold.id):
                hold.released = True
        self.signal.notify()

    def clear(self) -> None:
        """Remove every rule and release every hold."""
        self.rules.clear()
        self.release()
        self.holds.clear()


class FaultLayer:
    """Applies the rules to an app's requests.

    Args:
        app: The service's app.
        faults: The rules and holds.
    """

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        endpoint = endpoint_of(scope) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        faults, fault = self._faults, self._faults.take_fault(endpoint)
        await faults.wait_at(faults.find_hold(endpoint, "before"))
        if fault is not None and fault.latency_s:
            await faults.clock.sleep(fault.latency_s)
        if fault is not None and fault.answers:
            if fault.after_work:
                await self._app(scope, receive, _discard)
            await _answer(fault, scope, receive, send)
            return
        body, answer, answer_body = (
            faults.find_hold(endpoint, point) for point in ("body", "answer", "answer_body")
        )
        if body is not None:
            receive = self._held_receive(receive, body)
        held = self._held_send(send, fault, answer, answer_body)
        try:
            await self._app(scope, receive, held)
        except _CutError:
            return

    def _held_receive(self, receive: Receive, hold: Hold) -> Receive:
        seen = 0

        async def held() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen >= hold.after_bytes:
                await self._faults.wait_at(hold)
            return message

        return held

    def _held_send(self, send: Send, fault: Fault | None, answer: Hold | None, body: Hold | None) -> Send:
        cut = fault.cut_after_bytes if fault is not None else None
        claimed = fault.content_length if fault is not None else None
        if cut is None and claimed is None and answer is None and body is None:
            return send
        sent = 0

        async def held(message: Message) -> None:
            nonlocal sent
            if message["type"] == "http.response.start":
                await self._faults.wait_at(answer)
                await send(_claiming(message, claimed))
                if body is not None and body.after_bytes == 0:
                    await self._faults.wait_at(body)
                return
            data: bytes = message.get("body", b"")
            if body is not None and sent < body.after_bytes <= sent + len(data):
                first = body.after_bytes - sent
                await send({"type": "http.response.body", "body": data[:first], "more_body": True})
                await self._faults.wait_at(body)
                sent, data = sent + first, data[first:]
            end = min((limit for limit in (cut, claimed) if limit is not None), default=None)
            last = not message.get("more_body", False)
            if end is not None and (sent + len(data) >= end or last):
                # A wrong length closes the connection too: HTTP/1.1 has no other way to report it.
                whole = claimed is not None and sent + len(data) >= claimed and cut is None
                await send({"type": "http.response.body", "body": data[: end - sent], "more_body": not whole})
                raise _CutError
            sent += len(data)
            await send({**message, "body": data})

        return held


async def _discard(_: Message) -> None:
    """Discard a message to the client."""


def _claiming(message: Message, length: int | None) -> Message:
    if length is None:
        return message
    headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
    return {**message, "headers": [*headers, (b"content-length", str(length).encode())]}


async def _answer(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    if fault.drop:
        # ASGI can't express this. Close the server's transport, which both uvicorn protocols have.
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()
            await asyncio.sleep(0)
        return
    response: Response
    if fault.body is None and fault.code is not None:
        envelope = {"code": fault.code, "message": fault.message, "data": None}
        response = JSONResponse(envelope, fault.status or 200, fault.headers)
    else:
        body = "<html><body><h1>Error</h1></body></html>" if fault.body is None else fault.body
        response = Response(body, fault.status or 200, fault.headers, fault.content_type)
    await response(scope, receive, send)
