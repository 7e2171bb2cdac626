"""Make docket write and read JSON where it pickles: whoever can write to the store must not run code in the bot.

docket pickles a task's arguments, the values of its strikes, and results, and has no option for another codec. All of
that goes through `cloudpickle.dumps` and `loads`, which nothing else here uses: they are replaced, and a message that
can't be read is replaced by one that ends with a line in the log. Otherwise it would end each process that gets it.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import cloudpickle
import structlog
from docket import Docket
from docket.execution import Execution
from docket.strikelist import Restore, StrikeInstruction

log = structlog.get_logger(__name__)

Message = dict[bytes, bytes]

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a message that docket did not write may raise."""

_NO_TASK = b"unreadable"  # no task has this name: docket's worker ends it with a warning


@asynccontextmanager
async def open_docket(name: str, url: str, execution_ttl: timedelta) -> AsyncIterator[Docket]:
    """Open a docket that reads and writes JSON.

    Args:
        name: Prefix of its keys.
        url: The store's URL.
        execution_ttl: How long it remembers a ticket that is done.
    """
    _use_json()
    async with Docket(name=name, url=url, execution_ttl=execution_ttl) as docket:
        yield docket


def _use_json() -> None:
    if cloudpickle.loads is _loads:
        return
    cloudpickle.dumps, cloudpickle.loads = _dumps, _loads
    Execution.from_message = _readable_execution(Execution.from_message)  # type: ignore[method-assign]
    StrikeInstruction.from_message = _readable_strike(  # type: ignore[method-assign]
        StrikeInstruction.from_message
    )


def _dumps(value: Any) -> bytes:
    # What JSON can't hold is an exception or a result that nobody asks for.
    return json.dumps(value, default=lambda _: None).encode()


def _loads(data: bytes) -> Any:
    return json.loads(data)


def _readable_execution(from_message: Callable[..., Any]) -> Callable[..., Any]:
    async def read(docket: Docket, message: Message, *args: Any, **options: Any) -> Any:
        try:
            execution = await from_message(docket, message, *args, **options)
            is_ours = all(isinstance(one, str) for one in execution.args)
        except UNREADABLE as error:
            log.warning("tickets.unreadable", reason=type(error).__name__)
        else:
            if is_ours:
                return execution
            log.warning("tickets.unreadable", reason="arguments")
        return await from_message(docket, _harmless(message), *args, **options)

    return read


def _harmless(message: Message) -> Message:
    key = message.get(b"key", b"").decode(errors="replace")
    return {
        b"key": key.encode(),
        b"when": datetime.now(UTC).isoformat().encode(),
        b"function": _NO_TASK,
        b"args": b"[]",
        b"kwargs": b"{}",
        b"attempt": b"1",
    }


def _readable_strike(from_message: Callable[[Message], StrikeInstruction]) -> Any:
    def read(message: Message) -> StrikeInstruction:
        try:
            return from_message(message)
        except UNREADABLE as error:
            log.warning("tickets.unreadable_strike", reason=type(error).__name__)
            return Restore(None, None, "==", None)  # type: ignore[arg-type]  # an operator's name, as docket stores it

    return read
