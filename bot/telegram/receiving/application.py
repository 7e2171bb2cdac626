"""PTB's parts, put together our way: no Updater, no job queue, errors kept for whoever processes the update."""

from __future__ import annotations

from typing import Any, TypeAlias

from redis.exceptions import RedisError
from telegram import Update
from telegram.ext import Application, CallbackContext

from bot.chats.telegram_ids import TelegramIds
from bot.telegram.reading.senders import ADDRESS
from bot.telegram.sending.bot import TelegramBot

AnyApplication: TypeAlias = Application[Any, Any, Any, Any, Any, Any]
Context: TypeAlias = CallbackContext[Any, Any, Any, Any]

_FAILURES = "failures"


class _ChatIdTranslatingApplication(Application[Any, Any, Any, Any, Any, Any]):
    """Gives every chat of an update the id that it is kept under, before any handler sees it."""

    telegram_ids: TelegramIds

    async def process_update(self, update: object) -> None:
        """See ``Application``."""
        chat = update.effective_chat if isinstance(update, Update) else None
        if isinstance(update, Update) and chat is not None:
            try:
                kept_as = await self.telegram_ids.kept_as(chat.id)
            except RedisError as error:
                self.bot_data[_FAILURES][update.update_id] = error
                return
            if kept_as != chat.id:
                translated = _renamed(update.to_dict(), chat.id, kept_as)
                update = Update.de_json(translated, self.bot)
        await super().process_update(update)


def _renamed(value: Any, address: int, kept_as: int) -> Any:
    match value:
        case {"id": found, "type": _} if found == address:
            return {**value, "id": kept_as, ADDRESS: address}
        case dict():
            return {name: _renamed(part, address, kept_as) for name, part in value.items()}
        case list():
            return [_renamed(part, address, kept_as) for part in value]
    return value


def new_application(bot: TelegramBot, telegram_ids: TelegramIds) -> AnyApplication:
    """An application that is fed updates by ``Intake``."""
    builder = Application.builder().application_class(_ChatIdTranslatingApplication).bot(bot)
    application = builder.updater(None).job_queue(None).build()
    if isinstance(application, _ChatIdTranslatingApplication):
        application.telegram_ids = telegram_ids
    application.bot_data[_FAILURES] = {}
    application.add_error_handler(_keep_failure)
    return application


async def _keep_failure(update: object, context: Context) -> None:
    # process_update swallows what a handler raises; whoever confirms the update has to know.
    if isinstance(update, Update):
        context.bot_data[_FAILURES][update.update_id] = context.error


def failure_of(application: AnyApplication, update: Update) -> Exception | None:
    """What the update's handler raised in the last ``process_update``, once."""
    failure: Exception | None = application.bot_data[_FAILURES].pop(update.update_id, None)
    return failure
