"""PTB's application as it is set up here: what becomes of errors, and of tasks beside the handlers."""

import asyncio

import pytest
from structlog.testing import capture_logs
from telegram import Update
from telegram.ext import TypeHandler

from bot.telegram.receiving import application as module
from bot.telegram.receiving.application import AnyApplication, Context, new_application
from tests.telegram.conftest import Telegram


async def started(telegram: Telegram) -> AnyApplication:
    application = new_application(telegram.bot, telegram.telegram_ids)
    await application.initialize()
    await application.start()
    return application


async def test_what_a_handler_raises_reaches_whoever_gave_the_update(telegram: Telegram) -> None:
    application = await started(telegram)

    async def fail(update: Update, context: Context) -> None:
        raise ZeroDivisionError

    application.add_handler(TypeHandler(Update, fail))
    with pytest.raises(ZeroDivisionError):
        await application.process_update(Update(1))
    await application.stop()


async def test_what_a_background_task_raises_is_logged(telegram: Telegram) -> None:
    application = await started(telegram)

    async def fail() -> None:
        raise ZeroDivisionError

    with capture_logs() as logs:
        task = application.create_task(fail())
        await asyncio.wait({task})
        await application.stop()
    assert [(entry["event"], type(entry["exc_info"])) for entry in logs] == [
        ("background_task.failed", ZeroDivisionError)
    ]


async def test_background_tasks_end_before_it_stops(telegram: Telegram) -> None:
    application = await started(telegram)
    task = application.create_task(telegram.bot.get_me())
    await application.stop()
    assert (await task).id == telegram.bot.id


async def test_a_background_task_that_waits_for_telegram_does_not_hold_up_the_end(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_TIMEOUT_S", 0.05)
    application = await started(telegram)
    task = application.create_task(telegram.clock.sleep(600))
    await application.stop()
    assert task.cancelled()
