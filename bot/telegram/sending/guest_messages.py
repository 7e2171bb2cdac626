"""Messages that the bot sends as a guest, to chats that it isn't in: each answers one query, and is edited later."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog
from redis.asyncio import Redis
from telegram import InlineKeyboardMarkup, InlineQueryResultArticle, InputTextMessageContent
from telegram.constants import ParseMode
from telegram.error import BadRequest, TelegramError

from bot.jobs.model import GuestQuery
from bot.jobs.ports import ChatGone
from bot.store import keys
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.located_messages import INPUT_MEDIA
from bot.telegram.sending.message_fields import MessageFields
from bot.telegram.sending.rate_limiter import InlineMessage, SendPriority
from bot.telegram.sending.send_refusals import SendRefusal, send_in_best_form, send_refusal_of
from bot.words import Html

log = structlog.get_logger(__name__)

GUEST_START: Final = "guest"
"""What a link to the private chat brings along to get a video there that could not be put where it was asked for."""


# For all tries, while the update is not confirmed; a query is answered soon or not at all.
_ANSWER_TIMEOUT_S = 10.0


class GuestMessages:
    """Answers guest queries. Telegram takes one answer to each, for a short time, and names it by an inline ID alone.

    Args:
        telegram_calls: Makes the calls.
        redis: Keeps the inline IDs.
    """

    def __init__(self, telegram_calls: TelegramCalls, redis: Redis) -> None:
        self._bot = telegram_calls.bot
        self._telegram_calls = telegram_calls
        self._redis = redis

    async def answer(self, query: GuestQuery, text: Html, markup: InlineKeyboardMarkup | None) -> None:
        """Answer a query, unless it is answered. Never fails: what is asked for is done without the message too."""
        if await self.is_answered(query):
            return
        content = InputTextMessageContent(text, parse_mode=ParseMode.HTML)
        result = InlineQueryResultArticle("answer", self._bot.username, content, reply_markup=markup)
        inline_id = ""
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                sent = await self._telegram_calls.call(
                    query.chat_id, lambda _: self._bot.answer_guest_query(query.id, result), repeatable=True
                )
            inline_id = sent.inline_message_id
        except (ChatGone, TelegramError, TimeoutError) as error:
            # Too late; or answered by a process that ended before it saved the ID, which Telegram tells once.
            log.warning("guest.not_answered", error=str(error))
        await self.save_id(query, inline_id)

    async def save_id(self, query: GuestQuery, inline_id: str) -> None:
        """Save by which ID the answer can be edited; empty if it can't."""
        await self._redis.set(keys.guest_message_key(query.id), inline_id, ex=keys.GUEST_MESSAGE_TTL_S)

    async def is_answered(self, query: GuestQuery) -> bool:
        """Return whether a query was answered, or can't be any more."""
        return await self._redis.get(keys.guest_message_key(query.id)) is not None

    async def edit(
        self,
        query: GuestQuery,
        fields: MessageFields,
        priority: SendPriority = SendPriority.ANSWER,
    ) -> bool:
        """Edit the answer's text, and return whether that worked.

        Raises:
            EditPostponed: An edit has to stand back.
        """
        return await self._edit(query, self._bot.edit_message_text, fields, priority)

    async def show_video(
        self, query: GuestQuery, file_id: str, kind: str, caption: Html, markup: InlineKeyboardMarkup | None
    ) -> bool:
        """Replace the answer with a video that Telegram has, and return whether that worked.

        Args:
            query: The query.
            file_id: Telegram's ID of the video: nothing can be uploaded into such a message.
            kind: What it was sent as: ``video``, ``animation`` or ``document``.
            caption: The text under it.
            markup: The buttons.
        """
        media = INPUT_MEDIA[kind](file_id, caption=caption, parse_mode=ParseMode.HTML)
        edit = partial(self._bot.edit_message_media, media)
        return await self._edit(query, edit, MessageFields(reply_markup=markup), SendPriority.ANSWER)

    async def _edit(
        self,
        query: GuestQuery,
        edit: Callable[..., Awaitable[object]],
        fields: MessageFields,
        priority: SendPriority,
    ) -> bool:
        inline_id = await self._redis.get(keys.guest_message_key(query.id))
        if not inline_id:
            return False

        async def make(chat_id: int) -> object:
            message = InlineMessage(chat_id, priority)
            call = partial(edit, inline_message_id=str(inline_id), rate_limit_args=message)
            return await send_in_best_form(call, fields)

        is_patient = priority is SendPriority.ANSWER
        try:
            await self._telegram_calls.call(query.chat_id, make, repeatable=True, patient=is_patient)
        except BadRequest as error:
            if send_refusal_of(error) is SendRefusal.UNMODIFIED:
                return True
            log.info("guest.edit_refused", error=error.message)  # Deleted, or the chat takes no videos.
            return False
        except (ChatGone, TelegramError) as error:
            log.info("guest.edit_failed", error=str(error))
            return False
        return True
