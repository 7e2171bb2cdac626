"""PTB's bot over our HTTP transport and within Telegram's limits."""

import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from telegram.ext import ExtBot
from telegram.warnings import PTBUserWarning

from bot.runtime.hosts import AllowedHosts, is_link
from bot.runtime.http import Transport
from bot.telegram.sending.bot_requests import BotRequest
from bot.telegram.sending.rate_limiter import RateLimitArgs, RateLimiter


class TelegramBot(ExtBot[RateLimitArgs]):
    """PTB's bot, which knows where its buttons may lead.

    Args:
        link_hosts: Hosts of the operator's own, which need not be public.
        arguments: See ``ExtBot``.
    """

    __slots__ = ("_link_hosts",)

    def __init__(self, *, link_hosts: AllowedHosts, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._link_hosts = link_hosts

    def may_link(self, url: str) -> bool:
        """Return whether an address may stand behind a button."""
        return is_link(url, self._link_hosts)


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
        link_hosts: Addresses of the operator's own hosts, where buttons may lead though they need not be public.
    """
    # Without it PTB 22 warns each time that the type of a flood limit's length will change.
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
