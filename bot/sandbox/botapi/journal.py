"""The log of calls by bots, and the faults that calls meet."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

from bot.runtime.clock import Clock
from bot.sandbox.botapi.errors import ApiError, DropConnection

FILE_DOWNLOAD = "file"
"""The method name that stands for downloads from ``/file/bot…``."""


T = TypeVar("T")


class Changes:
    """Wakes waiters whenever something happened.

    Attributes:
        count: Number of notifications so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Wake all waiters."""
        self.count += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, look: Callable[[], T | None], timeout_s: float) -> T | None:
        """Call ``look`` after each change until it returns something, and return that.

        Args:
            look: Returns ``None`` for "not yet".
            timeout_s: Timeout in real seconds; 0 looks once.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while (found := look()) is None:
                    await self._changed.wait()
                return found
        except TimeoutError:
            return look()


@dataclass(slots=True)
class Call:
    """One call of a method.

    Attributes:
        seq: The call's number over all bots, from 1.
        state: ``running`` until it is answered; ``lost`` if it took effect but was never answered.
    """

    seq: int
    bot_id: int
    method: str
    params: dict[str, Any]
    started: datetime
    ended: datetime | None = None
    state: Literal["running", "ok", "error", "dropped", "lost"] = "running"
    result: Any = None
    error: dict[str, Any] | None = None

    def json(self) -> dict[str, Any]:
        """Return it for the control API."""
        return {
            "seq": self.seq,
            "bot_id": self.bot_id,
            "method": self.method,
            "params": self.params,
            "started": self.started.isoformat(),
            "ended": self.ended and self.ended.isoformat(),
            "state": self.state,
            "result": self.result,
            "error": self.error,
        }


@dataclass(slots=True)
class Fault:
    """A fault that calls of bots meet.

    Attributes:
        methods: Lower-case names, or ``file`` for downloads; empty means every method.
        action: ``error`` answers an error, ``delay`` waits, ``drop`` closes the connection, ``hold`` waits until
            it is released, ``cut`` ends a download in its middle, ``slow`` throttles one.
        when: ``before`` the method has any effect, or ``after`` it took effect.
        times: Number of calls that still meet it; ``None`` for all.
        chat_id: Only calls with this ``chat_id``.
        after_bytes: Bytes after which ``cut`` ends the download.
        bytes_per_s: Speed of a ``slow`` download.
    """

    id: int
    methods: frozenset[str]
    action: Literal["error", "delay", "drop", "hold", "cut", "slow"]
    when: Literal["before", "after"] = "before"
    times: int | None = 1
    chat_id: str = ""
    error_code: int = 500
    description: str = "Internal Server Error"
    retry_after: int = 0
    delay_s: float = 0
    after_bytes: int = 0
    bytes_per_s: float = 0
    hits: int = 0
    waiting: int = 0
    drop_on_release: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def json(self) -> dict[str, Any]:
        """Return it for the control API."""
        return {
            "id": self.id,
            "methods": sorted(self.methods),
            "action": self.action,
            "when": self.when,
            "times": self.times,
            "hits": self.hits,
            "waiting": self.waiting,
        }

    def matches(self, method: str, chat_id: str, when: str) -> bool:
        """Return whether a call meets this fault."""
        return (
            self.times != 0
            and self.when == when
            and (not self.methods or method.lower() in self.methods)
            and (not self.chat_id or self.chat_id == chat_id)
            and not (method == FILE_DOWNLOAD and not self.methods)
        )


class Journal:
    """The log of calls and the faults.

    Args:
        clock: Source of time for calls and delays.
        changes: Notified of every start and end of a call.
    """

    def __init__(self, clock: Clock, changes: Changes) -> None:
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self._clock = clock
        self._changes = changes
        self._fault_ids = itertools.count(1)

    def begin(self, bot_id: int, method: str, params: dict[str, Any]) -> Call:
        """Log the start of a call."""
        call = Call(len(self.calls) + 1, bot_id, method, params, self._clock.now())
        self.calls.append(call)
        self._changes.notify()
        return call

    def end(self, call: Call, state: Literal["ok", "error", "dropped", "lost"], result: Any = None) -> None:
        """Log the end of a call."""
        call.ended = self._clock.now()
        call.state = state
        if state == "error":
            call.error = result
        elif result is not None:
            call.result = result
        self._changes.notify()

    def switch_on(self, methods: list[str], **options: Any) -> Fault:
        """Add a fault with its fields as options."""
        fault = Fault(next(self._fault_ids), frozenset(name.lower() for name in methods), **options)
        self.faults.append(fault)
        return fault

    def switch_off(self, fault_id: int | None = None) -> None:
        """Remove one fault, or all of them, and release the calls they hold."""
        for fault in self.faults:
            if fault_id in {None, fault.id}:
                fault.times = 0
                fault.released.set()
        self.faults = [fault for fault in self.faults if fault.times != 0 or fault.waiting]

    def match(self, method: str, chat_id: str, when: str) -> Fault | None:
        """Return the first fault that a call meets, and count it."""
        for fault in self.faults:
            if fault.matches(method, chat_id, when):
                fault.hits += 1
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    async def apply(self, fault: Fault) -> None:
        """Apply a fault to a call.

        Raises:
            ApiError: The fault's error.
            DropConnection: The connection has to close.
        """
        match fault.action:
            case "error":
                parameters = {"retry_after": fault.retry_after} if fault.retry_after else None
                raise ApiError(fault.error_code, fault.description, parameters)
            case "delay":
                await self._clock.sleep(fault.delay_s)
            case "drop":
                raise DropConnection
            case "hold":
                fault.waiting += 1
                self._changes.notify()
                try:
                    await fault.released.wait()
                finally:
                    fault.waiting -= 1
                    self._changes.notify()
                if fault.drop_on_release:
                    raise DropConnection
            case "cut" | "slow":
                # These apply to a download's body, see `FileBody`.
                return
