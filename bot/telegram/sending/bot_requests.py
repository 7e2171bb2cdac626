"""How PTB's calls reach the Bot API."""

from typing import Any
from urllib.parse import urlencode

import httpx
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, HTTPXRequest, RequestData

from bot.runtime.http import Transport

READ_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10.0
STALL_TIMEOUT_S = 120.0
"""Between two pieces of a file that is sent, including the wait for those that still arrive."""

_HEADERS = {"User-Agent": BaseRequest.USER_AGENT, "Content-Type": "application/x-www-form-urlencoded"}


class BotRequest(HTTPXRequest):
    """Sends calls without files straight through the transport, and those with files PTB's own way.

    1600 calls a second became 3000: httpx cost as much of a small call as PTB and aiohttp together
    (``tests/bench/calls.py``).

    Args:
        transport: Used by this object alone, and closed with it.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        super().__init__(
            read_timeout=READ_TIMEOUT_S,
            write_timeout=READ_TIMEOUT_S,
            media_write_timeout=STALL_TIMEOUT_S,
            connect_timeout=CONNECT_TIMEOUT_S,
            pool_timeout=CONNECT_TIMEOUT_S,
            httpx_kwargs={"transport": transport, "trust_env": False},
        )

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """See ``BaseRequest``."""
        if request_data is not None and request_data.contains_files:
            return await super().do_request(
                url, method, request_data, read_timeout, write_timeout, connect_timeout, pool_timeout
            )
        body = urlencode(request_data.json_parameters).encode() if request_data is not None else None
        timeout = httpx.Timeout(
            read=_timeout_s(read_timeout, READ_TIMEOUT_S),
            write=None,
            connect=_timeout_s(connect_timeout, CONNECT_TIMEOUT_S),
            pool=_timeout_s(pool_timeout, CONNECT_TIMEOUT_S),
        )
        try:
            return await self._transport.exchange(method, url, _HEADERS, body, timeout)
        except httpx.TimeoutException as error:
            raise TimedOut from error
        except httpx.TransportError as error:
            raise NetworkError(f"{type(error).__name__}: {error}") from error


def _timeout_s(value: Any, default: float) -> float | None:
    seconds: float | None = default if value is BaseRequest.DEFAULT_NONE else value
    return seconds
