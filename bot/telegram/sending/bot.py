"""PTB's bot over our HTTP transport and within Telegram's limits."""

import contextlib
import os
import re
import warnings
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from telegram.error import NetworkError, RetryAfter, TelegramError, TimedOut
from telegram.ext import ExtBot
from telegram.request import BaseRequest, HTTPXRequest, RequestData
from telegram.warnings import PTBUserWarning

from bot.runtime.hosts import AllowedHosts, may_be_linked
from bot.runtime.http import Transport
from bot.telegram.sending.rate_limiter import RateLimitArgs, RateLimiter

READ_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10.0
RETRY_AFTER_S = 5
"""How long to wait after a 429 that doesn't say; those of proxies don't."""
STALL_TIMEOUT_S = 120.0
"""Between two pieces of a file that is sent, including the wait for those that still arrive."""

_SUCCESS = b'{"ok":true,"result":'  # as the Bot API writes it, to skip parsing most answers twice
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
            answer = await super().do_request(
                url, method, request_data, read_timeout, write_timeout, connect_timeout, pool_timeout
            )
            return _checked(*answer)
        body = urlencode(request_data.json_parameters).encode() if request_data is not None else None
        timeout = httpx.Timeout(
            read=_timeout_s(read_timeout, READ_TIMEOUT_S),
            write=None,
            connect=_timeout_s(connect_timeout, CONNECT_TIMEOUT_S),
            pool=_timeout_s(pool_timeout, CONNECT_TIMEOUT_S),
        )
        try:
            return _checked(*await self._transport.exchange(method, url, _HEADERS, body, timeout))
        except httpx.TimeoutException as error:
            raise TimedOut from error
        except httpx.TransportError as error:
            raise NetworkError(f"{type(error).__name__}: {error}") from error


def _checked(status: int, payload: bytes) -> tuple[int, bytes]:
    """Return an answer that PTB understands: it takes any 200 for a success, and some 429s for broken connections.

    Raises:
        NetworkError: It is not the Bot API that answered; what was asked for may be done all the same.
        RetryAfter: It is a 429 without the seconds to wait.
    """
    if payload.startswith(_SUCCESS) or status not in (HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS):
        return status, payload
    answer: Any = None
    with contextlib.suppress(TelegramError):
        answer = BaseRequest.parse_json_payload(payload)
    if not isinstance(answer, dict):
        answer = {}
    if status == HTTPStatus.OK:
        if answer.get("ok") is False:
            code = answer.get("error_code")
            return code if isinstance(code, int) else HTTPStatus.BAD_REQUEST, payload
        if "result" not in answer:
            raise NetworkError("The answer is not the Bot API's")
    elif not (answer.get("parameters") or {}).get("retry_after"):
        told = re.search(rb"retry after (\d{1,5})", payload)
        raise RetryAfter(int(told[1]) if told else RETRY_AFTER_S)
    return status, payload


def _timeout_s(value: Any, default: float) -> float | None:
    seconds: float | None = default if value is BaseRequest.DEFAULT_NONE else value
    return seconds


class TelegramBot(ExtBot[RateLimitArgs]):
    """PTB's bot, which knows where its buttons may lead.

    Args:
        link_hosts: The operator's own hosts, which may be private.
        arguments: See ``ExtBot``.
    """

    __slots__ = ("_link_hosts",)

    def __init__(self, *, link_hosts: AllowedHosts, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._link_hosts = link_hosts

    def may_link(self, url: str) -> bool:
        """Return whether an address may stand behind a button."""
        return may_be_linked(url, self._link_hosts)


def new_bot(
    token: str,
    api_url: str,
    new_transport: Callable[[], Transport],
    rate_limiter: RateLimiter,
    *,
    local: bool,
    link_hosts: Iterable[str] = (),
) -> TelegramBot:
    """Make PTB's bot.

    Args:
        token: The bot's token.
        api_url: Base address of the Bot API server, without ``/bot``.
        new_transport: Makes a transport of ``bot/runtime/http.py``, which PTB closes.
        rate_limiter: What every call passes through.
        local: Whether the server runs in local mode.
        link_hosts: URLs of the operator's own hosts; buttons may lead there even if they are private.
    """
    # Without this, PTB 22 warns at each RetryAfter that its type will become timedelta.
    os.environ.setdefault("PTB_TIMEDELTA", "true")
    # Asked for raw on purpose, see telegram/receiving/receiver.py.
    warnings.filterwarnings("ignore", "Please use 'Bot.getUpdates'", PTBUserWarning)
    base_url = api_url.rstrip("/")
    return TelegramBot(
        token=token,
        base_url=f"{base_url}/bot",
        base_file_url=f"{base_url}/file/bot",
        request=BotRequest(new_transport()),
        get_updates_request=BotRequest(new_transport()),
        local_mode=local,
        rate_limiter=rate_limiter,
        link_hosts=AllowedHosts(map(_origin, link_hosts)),
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
