"""PTB's bot over our HTTP transport and within Telegram's limits."""

import os
import warnings
from collections.abc import Callable
from typing import TypeAlias

from telegram.ext import ExtBot
from telegram.warnings import PTBUserWarning

from bot.runtime.http import Transport
from bot.telegram.sending.bot_requests import BotRequest
from bot.telegram.sending.rate_limiter import RateLimitArgs, RateLimiter

TelegramBot: TypeAlias = ExtBot[RateLimitArgs]


def new_bot(
    token: str,
    api_url: str,
    new_transport: Callable[[], Transport],
    rate_limiter: RateLimiter,
    *,
    local: bool,
) -> TelegramBot:
    """Make PTB's bot.

    Args:
        token: The bot's token.
        api_url: Base address of the Bot API server, without ``/bot``.
        new_transport: Makes a transport of ``bot/runtime/http.py``, which PTB closes.
        rate_limiter: What every call passes through.
        local: Whether the server runs in local mode.
    """
    # Without it PTB 22 warns each time that the type of a flood limit's length will change.
    os.environ.setdefault("PTB_TIMEDELTA", "true")
    # Asked for raw on purpose, see telegram/receiving/receiver.py.
    warnings.filterwarnings("ignore", "Please use 'Bot.getUpdates'", PTBUserWarning)
    base_url = api_url.rstrip("/")
    return ExtBot(
        token,
        base_url=f"{base_url}/bot",
        base_file_url=f"{base_url}/file/bot",
        request=BotRequest(new_transport()),
        get_updates_request=BotRequest(new_transport()),
        local_mode=local,
        rate_limiter=rate_limiter,
    )
