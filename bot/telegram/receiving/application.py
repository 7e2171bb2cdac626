"""PTB's application: no Updater, no job queue, and errors that reach the receiver."""

import asyncio
import contextlib
from typing import Any, TypeAlias

import structlog
from telegram import Update
from telegram.ext import Application, CallbackContext

from bot.chats.telegram_ids import TelegramIds
from bot.telegram.reading.addressing import TELEGRAM_CHAT_ID
from bot.telegram.sending.bot import TelegramBot

log = structlog.get_logger(__name__)

AnyApplication: TypeAlias = Application[Any, Any, Any, Any, Any, Any]
Context: TypeAlias = CallbackContext[Any, Any, Any, Any]

STOP_TIMEOUT_S = 1.0  # how long background tasks may take to end when the process stops


class FailedUpdate(Update):
    """An update whose handler failed, reduced to its sender, chat and addressee, so that the sender can be told."""

    __slots__ = ()


class BotApplication(Application[Any, Any, Any, Any, Any, Any]):
    """PTB's application, which gives each chat its stored id before any handler sees it."""

    def __init__(self, *, telegram_ids: TelegramIds, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._telegram_ids = telegram_ids

    async def process_update(self, update: object) -> None:
        """See ``Application``.

        Raises:
            Exception: A handler has failed; PTB would only pass it to error handlers.
        """
        chat = update.effective_chat if isinstance(update, Update) else None
        if isinstance(update, Update) and chat is not None:
            stored_id = await self._telegram_ids.stored_id(chat.id)
            if stored_id != chat.id:
                # By way of JSON: PTB's objects can't be changed, and the chat stands in several, also as a sender.
                update = type(update).de_json(_with_chat_id(update.to_dict(), chat.id, stored_id), self.bot)
        await super().process_update(update)

    async def process_error(
        self, update: object | None, error: Exception, job: Any = None, coroutine: Any = None
    ) -> bool:
        """Raise what a handler raised, for the receiver that confirms the update; log what a background task raised."""
        if coroutine is None:
            raise error
        log.error("background_task.failed", exc_info=error)
        return False

    async def stop(self) -> None:
        """Stop; background tasks that take too long to end, because Telegram asks to wait, are cancelled."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await super().stop()


def _with_chat_id(value: Any, telegram_chat_id: int, stored_id: int) -> Any:
    """Return a part of an update in which a chat has its stored id."""
    match value:
        case {"id": chat_id, "type": _} if chat_id == telegram_chat_id:
            return {**value, "id": stored_id, TELEGRAM_CHAT_ID: telegram_chat_id}
        case dict():
            return {name: _with_chat_id(part, telegram_chat_id, stored_id) for name, part in value.items()}
        case list():
            return [_with_chat_id(part, telegram_chat_id, stored_id) for part in value]
    return value


def new_application(bot: TelegramBot, telegram_ids: TelegramIds) -> AnyApplication:
    """Make an application that gets its updates from ``UpdateReceiver``."""
    builder = Application.builder().application_class(BotApplication, {"telegram_ids": telegram_ids}).bot(bot)
    return builder.updater(None).job_queue(None).build()
