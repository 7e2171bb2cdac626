"""PTB's parts, put together our way: no Updater, no job queue, errors kept for whoever processes the update."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

from redis.exceptions import RedisError
from telegram import Update
from telegram.ext import Application, CallbackContext, ExtBot
from telegram.warnings import PTBUserWarning

from bot.chats.telegram_ids import TelegramIds
from bot.runtime.http import Transport
from bot.telegram.reading.senders import ADDRESS
from bot.telegram.sending.bot_requests import BotRequest

AnyApplication: TypeAlias = Application[Any, Any, Any, Any, Any, Any]
Context: TypeAlias = CallbackContext[Any, Any, Any, Any]

_FAILURES = "failures"


def new_bot(token: str, api_url: str, new_transport: Callable[[], Transport], *, local: bool) -> ExtBot[None]:
    """PTB's bot over our HTTP transport.

    Args:
        token: The bot's.
        api_url: Base address of the Bot API server, without ``/bot``.
        new_transport: See ``bot/runtime/http.py``. PTB closes each with the request object that has it.
        local: Whether that server runs in local mode.
    """
    # Without it PTB 22 warns at each read of a flood limit's length that the type will change.
    os.environ.setdefault("PTB_TIMEDELTA", "true")
    # Asked for raw on purpose, see telegram/receiving/receiver.py.
    warnings.filterwarnings("ignore", "Please use 'Bot.getUpdates'", PTBUserWarning)
    base = api_url.rstrip("/")
    return ExtBot(
        token,
        base_url=f"{base}/bot",
        base_file_url=f"{base}/file/bot",
        request=BotRequest(new_transport()),
        get_updates_request=BotRequest(new_transport()),
        local_mode=local,
    )


class _ChatIdTranslatingApplication(Application[Any, Any, Any, Any, Any, Any]):
    """Gives every chat of an update the id that it is kept under, before any handler sees it."""

    telegram_ids: TelegramIds

    async def process_update(self, update: object) -> None:
        """See ``Application``."""
        chat = update.effective_chat if isinstance(update, Update) else None
        if isinstance(update, Update) and chat is not None:
            try:
                kept_as = await self.telegram_ids.stored_id(chat.id)
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


def new_application(bot: ExtBot[None], telegram_ids: TelegramIds) -> AnyApplication:
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
