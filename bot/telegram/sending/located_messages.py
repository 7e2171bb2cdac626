"""Edit and delete messages that are given by their location, such as those of pressed buttons; answer presses."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

import structlog
from telegram import InlineKeyboardMarkup, InputMediaAnimation, InputMediaDocument, InputMediaVideo
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot.chats.versions import ResultKind
from bot.jobs.messages import AgentMessage, Button, ListMessage, LocalizedMessage
from bot.jobs.model import MessageLocation
from bot.jobs.ports import ChatGone
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.formatting import format_list, texts_of
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.message_fields import MessageFields
from bot.telegram.sending.rate_limiter import EditPostponed, SendPriority
from bot.telegram.sending.send_refusals import send_in_best_form
from bot.words import Words

log = structlog.get_logger(__name__)

INPUT_MEDIA: Final = {
    "video": InputMediaVideo,
    "animation": InputMediaAnimation,
    "document": InputMediaDocument,
}


@dataclass(frozen=True, slots=True)
class VideoView:
    """A video that Telegram has."""

    file_id: str  # Telegram's id of it
    kind: ResultKind  # what it was sent as
    caption: ListMessage
    buttons: tuple[Button, ...] = ()


View: TypeAlias = LocalizedMessage | ListMessage | AgentMessage | VideoView
MakeView: TypeAlias = Callable[[], Awaitable[tuple[View, Words] | None]]
"""Makes a view with the reader's language right before the call, which may have waited for the chat's limits. With
``None`` the message stays as it is."""


class LocatedMessages:
    """Edits and deletes messages. One that is gone, or looks as wanted already, is left alone."""

    def __init__(self, telegram_calls: TelegramCalls) -> None:
        self._bot = telegram_calls.bot
        self._telegram_calls = telegram_calls
        self._locks: WeakValueDictionary[MessageLocation, asyncio.Lock] = WeakValueDictionary()

    async def answer(self, query_id: str, chat_id: int, toast: str | None) -> None:
        """Answer a press, at once: the chat's limits do not count this call.

        Args:
            query_id: The callback query.
            chat_id: The id under which the chat is kept.
            toast: What to show to the person; ``None`` only ends the waiting.
        """
        with contextlib.suppress(BadRequest):  # Too old: the person's client has stopped waiting.
            await self._telegram_calls.call(
                chat_id, lambda _: self._bot.answer_callback_query(query_id, toast), repeatable=True
            )

    async def show(
        self,
        message: MessageLocation,
        shown: MakeView | tuple[View, Words],
        priority: SendPriority = SendPriority.ANSWER,
    ) -> None:
        """Edit what a message shows.

        Args:
            message: The message to edit.
            shown: What it shows in which language, or what makes that.
            priority: How urgent the edit is.
        """

        async def edit(chat_id: int) -> object:
            # Waited for before the view is made, which may change meanwhile; the call itself is unlimited then.
            await self._acquire(chat_id, priority)
            if (made := await shown() if callable(shown) else shown) is None:
                return None
            view, words = made
            markup = keyboard(view.buttons, words, self._bot.may_link)
            if isinstance(view, VideoView):
                media = INPUT_MEDIA[view.kind](
                    view.file_id, caption=format_list(words, view.caption), parse_mode=ParseMode.HTML
                )
                try:
                    return await self._bot.edit_message_media(
                        media,
                        chat_id,
                        message.message_id,
                        reply_markup=markup,
                        rate_limit_args=SendPriority.FREE,
                    )
                except BadRequest as error:  # A text can still show its words, if the video is gone.
                    log.info("located_messages.no_video", error=error.message)
                    view = replace(view.caption, buttons=view.buttons)
            call = partial(
                self._bot.edit_message_text,
                chat_id=chat_id,
                message_id=message.message_id,
                rate_limit_args=SendPriority.FREE,
            )
            return await send_in_best_form(call, replace(texts_of(view, words)[0], reply_markup=markup))

        await self._edit(message, edit)

    async def close(self, message: MessageLocation, words: Words) -> None:
        """Edit the message with a stopped job's position to say that it is stopped."""
        await self.show(message, (LocalizedMessage("progress.cancelled"), words))

    async def set_buttons(self, message: MessageLocation, buttons: InlineKeyboardMarkup | None) -> None:
        """Leave only these buttons under a message."""

        async def edit(chat_id: int) -> object:
            call = partial(self._bot.edit_message_reply_markup, chat_id, message.message_id)
            return await send_in_best_form(call, MessageFields(reply_markup=buttons))

        await self._edit(message, edit)

    async def delete(self, message: MessageLocation) -> bool:
        """Delete a message, which Telegram allows for 48 hours, and tell whether it is gone."""

        async def delete(chat_id: int) -> bool:
            # In the supergroup that a group became, the number means another message.
            is_there = chat_id == message.telegram_chat_id
            return is_there and await self._bot.delete_message(chat_id, message.message_id)

        try:
            return await self._telegram_calls.call(message.chat_id, delete, repeatable=True)
        except BadRequest as error:
            if "not found" in error.message.lower():
                return True  # Deleted already, by hand or by us.
            log.info("message.not_deletable", error=error.message)
        except ChatGone as error:
            log.info("message.not_deletable", error=str(error))
        return False

    async def _acquire(self, chat_id: int, priority: SendPriority) -> None:
        while True:
            try:
                await self._telegram_calls.rate_limiter.acquire(chat_id, priority)
            except EditPostponed as later:
                await self._telegram_calls.clock.sleep(later.wait_s)
            else:
                return

    async def _edit(self, message: MessageLocation, edit: Callable[[int], Awaitable[object]]) -> None:
        async def make(chat_id: int) -> object:
            return await edit(chat_id) if chat_id == message.telegram_chat_id else None

        # One edit of a message at a time, so that the newest comes last.
        async with self._locks.setdefault(message, asyncio.Lock()):
            with contextlib.suppress(BadRequest, ChatGone):
                await self._telegram_calls.call(message.chat_id, make, repeatable=True)
