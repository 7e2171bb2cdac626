"""Setting the webhook: once by any of the processes, and again only when something has changed."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from telegram import Bot
from telegram.error import BadRequest, InvalidToken, TelegramError

from bot.runtime.backoff import Backoff
from bot.runtime.clock import Clock
from bot.store import keys
from bot.telegram.receiving.receiver import ALLOWED_UPDATES
from bot.telegram.sending.rate_limiter import pause_after_s

log = structlog.get_logger(__name__)

MAX_CONNECTIONS = 40
"""Updates that Telegram delivers at once, over all replicas: its own default. Each takes a few milliseconds."""

WATCH_PAUSE = timedelta(minutes=1)

LOCK_S = 60.0  # seconds for one process to make two calls to Telegram


async def ensure_webhook(bot: Bot, redis: Redis, url: str, secret: str, clock: Clock) -> None:
    """Ensure that Telegram delivers updates to an address; of many processes that do so at once, one calls it.

    Args:
        bot: The bot whose webhook is set.
        redis: Keeps a digest of the last webhook, because Telegram does not give the secret back.
        url: The address.
        secret: The secret that each delivery has to bring.
        clock: Source of pauses while Telegram or the store is away; tests pass a manual one.

    Raises:
        BadRequest: Telegram refuses the address.
        InvalidToken: Telegram does not know the bot.
    """
    backoff = Backoff()
    while True:
        try:
            async with redis.lock(keys.WEBHOOK_LOCK, timeout=LOCK_S):
                return await _set_if_changed(bot, redis, url, secret)
        except (BadRequest, InvalidToken):
            raise
        except (TelegramError, RedisError) as error:
            log.warning("webhook.not_set_yet", error=type(error).__name__)
            await clock.sleep(pause_after_s(error, backoff))


async def watch_webhook(bot: Bot, clock: Clock, show: Callable[[bool], None]) -> None:
    """Ask Telegram every minute whether its deliveries arrive: an idle bot would not notice. Runs forever.

    Args:
        bot: The bot that has the webhook.
        clock: Source of pauses.
        show: Called with whether Telegram answers, and has no delivery that failed recently.

    Raises:
        InvalidToken: Telegram does not know the bot any more.
    """
    while True:
        try:
            info = await bot.get_webhook_info()
            error_at = info.last_error_date if info.pending_update_count else None
            arrives = error_at is None or clock.now() - error_at > 2 * WATCH_PAUSE
            if not arrives:
                log.warning("webhook.delivery_failed", waiting=info.pending_update_count)
        except InvalidToken:
            raise
        except TelegramError as error:
            arrives = False
            log.warning("webhook.telegram_unreachable", error=type(error).__name__)
        show(arrives)
        await clock.sleep(WATCH_PAUSE.total_seconds())


async def _set_if_changed(bot: Bot, redis: Redis, url: str, secret: str) -> None:
    webhook = "\n".join((bot.token, url, secret, *ALLOWED_UPDATES, str(MAX_CONNECTIONS)))
    digest = hashlib.sha256(webhook.encode()).hexdigest()
    current = await bot.get_webhook_info()
    if (
        current.url == url
        and set(current.allowed_updates) == set(ALLOWED_UPDATES)
        and await redis.get(keys.WEBHOOK) == digest
    ):
        return
    await bot.set_webhook(
        url, secret_token=secret, allowed_updates=ALLOWED_UPDATES, max_connections=MAX_CONNECTIONS
    )
    await redis.set(keys.WEBHOOK, digest)
    log.info("webhook.set", was_set=bool(current.url))
