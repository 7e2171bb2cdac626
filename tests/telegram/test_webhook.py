"""Telegram is told where to deliver when that changed, and by one process."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from telegram import Bot, WebhookInfo
from telegram.error import BadRequest

from bot.telegram.receiving.receiver import ALLOWED_UPDATES
from bot.telegram.receiving.webhook import ensure_webhook, watch_webhook
from tests.clocks import PATIENCE_S, HandClock
from tests.telegram.conftest import Telegram

URL = "https://127.0.0.1:8443/hook"
SECRET = "s3cret-of-nobody-at-all"


async def settle(telegram: Telegram, redis: Redis, url: str = URL, secret: str = SECRET) -> None:
    await ensure_webhook(telegram.bot, redis, url, secret, telegram.clock)


async def times_set(telegram: Telegram) -> int:
    return len(await telegram.people.calls("setWebhook"))


async def test_it_is_set_once_however_often_and_by_however_many(telegram: Telegram, redis: Redis) -> None:
    await asyncio.gather(*(settle(telegram, redis) for _ in range(5)))
    await settle(telegram, redis)
    assert await times_set(telegram) == 1
    info = await telegram.bot.get_webhook_info()
    assert info.url == URL
    assert list(info.allowed_updates) == ALLOWED_UPDATES


@pytest.mark.parametrize("changed", [{"url": URL + "2"}, {"secret": SECRET + "2"}])
async def test_it_is_set_again_when_something_changed(
    telegram: Telegram, redis: Redis, changed: dict[str, Any]
) -> None:
    await settle(telegram, redis)
    await settle(telegram, redis, **changed)
    assert await times_set(telegram) == 2


async def test_it_is_set_again_when_somebody_else_took_it_away_or_changed_it(
    telegram: Telegram, redis: Redis
) -> None:
    await settle(telegram, redis)
    await telegram.bot.delete_webhook()
    await settle(telegram, redis)
    await telegram.bot.set_webhook(URL, allowed_updates=["message"])
    await settle(telegram, redis)
    assert list((await telegram.bot.get_webhook_info()).allowed_updates) == ALLOWED_UPDATES


async def test_updates_that_wait_are_not_dropped(telegram: Telegram, redis: Redis) -> None:
    ada = await telegram.people.person()
    await ada.say("before")
    await settle(telegram, redis)
    assert (await telegram.bot.get_webhook_info()).pending_update_count == 1


async def test_a_telegram_that_is_away_is_waited_for(telegram: Telegram, redis: Redis) -> None:
    await telegram.people.faults.error("getWebhookInfo", code=502, description="Bad Gateway", times=2)
    setting = asyncio.create_task(settle(telegram, redis))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not setting.done():
                await telegram.clock.advance(1)
                await asyncio.wait({setting}, timeout=0.01)
        await setting
    finally:
        setting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await setting
    assert await times_set(telegram) == 1


async def test_an_address_that_telegram_does_not_take_goes_up(telegram: Telegram, redis: Redis) -> None:
    with pytest.raises(BadRequest, match="https url must be provided"):
        await settle(telegram, redis, url="http://example.org/hook")


async def test_an_idle_bot_knows_whether_deliveries_reach_it(telegram: Telegram, redis: Redis) -> None:
    await settle(telegram, redis)
    shown: list[bool] = []
    watching = asyncio.create_task(watch_webhook(telegram.bot, telegram.clock, shown.append))

    async def next_minute() -> bool:
        count = len(shown)
        async with asyncio.timeout(PATIENCE_S):
            while len(shown) == count:
                await telegram.clock.advance(1)
                await asyncio.wait({watching}, timeout=0.01)
        return shown[-1]

    try:
        assert await next_minute()
        await telegram.people.faults.error("getWebhookInfo", code=502, description="Bad Gateway", times=1)
        assert not await next_minute()
        assert await next_minute()
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


@pytest.mark.parametrize(("waiting", "ago_s", "arrives"), [(0, 10, True), (1, 10, False), (1, 600, True)])
async def test_a_delivery_that_failed_counts_while_it_waits_and_not_for_long(
    waiting: int, ago_s: int, arrives: bool
) -> None:
    clock, shown = HandClock(), list[bool]()

    class FakeBot:
        async def get_webhook_info(self) -> WebhookInfo:
            failed_at = clock.now() - timedelta(seconds=ago_s)
            return WebhookInfo(URL, False, waiting, last_error_date=failed_at)

    watching = asyncio.create_task(watch_webhook(cast(Bot, FakeBot()), clock, shown.append))
    await clock.asleep()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert shown == [arrives]
