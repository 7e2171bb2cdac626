"""Docket on the bot's own connections, and with JSON where it pickles.

Write access to the store must not give code execution in the bot. docket pickles a task's arguments and results, and
has no option for another codec. All of that goes through `cloudpickle.dumps` and `loads`, which nothing else here uses:
they are replaced, and a message that can't be read is replaced by one that ends with a line in the log. Otherwise it
would end each process that gets it.

docket's own connections have no limit on reading, so that a server that freezes holds its workers forever; and its
strikes, which nobody here uses, need a read of 60 s. So it gets a pool of the bot, and no strikes.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import cloudpickle
import structlog
from docket import Docket
from docket import docket as docket_module
from docket._redis import RedisConnection
from docket.execution import Execution
from docket.strikelist import StrikeList
from redis.asyncio import ConnectionPool

from bot.store.pools import new_pool

log = structlog.get_logger(__name__)

Message = dict[bytes, bytes]

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a message that docket did not write may raise."""

MAX_CONNECTIONS = 5_000  # hundreds of jobs may start or end at once

RETRIES = 20
"""How often docket repeats a call, about 8 s in all: a worker that loses the store takes nothing new until its longest
job ends, so it should not notice a restart or Sentinel's failover."""

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
    opened = Docket(name=name, url=url, execution_ttl=execution_ttl)
    opened._redis = _Connections(url)
    async with opened:
        yield opened


class _Connections(RedisConnection):
    """docket's connections, in pools of the bot."""

    async def _connection_pool_from_url(
        self, decode_responses: bool = False, protocol: int | None = None
    ) -> ConnectionPool:
        options = {} if protocol is None else {"protocol": protocol}
        return new_pool(
            self.url,
            max_connections=MAX_CONNECTIONS,
            retries=RETRIES,
            decode_responses=decode_responses,
            **options,
        )


def _no_strikes(**_: Any) -> StrikeList:
    return StrikeList()


def _use_json() -> None:
    if cloudpickle.loads is json.loads:
        return
    cloudpickle.dumps, cloudpickle.loads = _dumps, json.loads
    Execution.from_message = _readable_execution(Execution.from_message)  # type: ignore[method-assign]
    docket_module.StrikeList = _no_strikes  # type: ignore[assignment,attr-defined]


def _dumps(value: Any) -> bytes:
    # What JSON can't hold is an exception or a result that nobody asks for.
    return json.dumps(value, default=lambda _: None).encode()


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
