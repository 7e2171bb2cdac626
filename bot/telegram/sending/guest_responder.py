"""Sends for a job that was asked for in a chat where the bot is a guest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from telegram import InlineKeyboardMarkup
from telegram.constants import MessageLimit
from telegram.error import BadRequest

from bot.chats.key import ChatKey
from bot.jobs.buttons import Cancel
from bot.jobs.checkpoints import Checkpoints, Exported, SentMessage
from bot.jobs.messages import (
    Button,
    ListMessage,
    LocalizedMessage,
    OutgoingMessage,
    PrivateMessage,
    TextMessage,
    with_lines,
)
from bot.jobs.model import GuestQuery, Job
from bot.jobs.ports import ChatGone, Result
from bot.media.shrink import CannotShrink
from bot.telegram.sending.api_calls import OutcomeUnknown
from bot.telegram.sending.formatting import caption_of, texts_of
from bot.telegram.sending.group_admins import private_chat_url
from bot.telegram.sending.guest_messages import GUEST_START
from bot.telegram.sending.message_fields import MessageFields, html_text
from bot.telegram.sending.private_messages import encrypted, for_group, start_payload
from bot.telegram.sending.progress_message import ProgressMessage
from bot.telegram.sending.rate_limiter import EditPostponed, SendPermit, SendPriority
from bot.telegram.sending.responder import TelegramResponder
from bot.telegram.sending.send_once import JobSender
from bot.words import Html

if TYPE_CHECKING:
    from bot.telegram.sending.responders import TelegramResponders

log = structlog.get_logger(__name__)

_UNANSWERED_S = 0.25  # pause before a query is looked at again that intake has yet to answer
_LOOKS = 8  # how often a job that has ended looks


class GuestProgress(ProgressMessage):
    """The progress message that is the bot's one answer where it is a guest: it is never sent anew, moved or deleted.

    Attributes:
        last: What it says in the end; ``None`` if that was not given.
    """

    def __init__(self, responders: TelegramResponders, sender: JobSender, query: GuestQuery) -> None:
        super().__init__(sender, responders.progress_edit_s)
        self._guests = responders.guest_mode_messages
        self._query = query
        self.last: MessageFields | None = None

    async def become_result(self) -> None:
        """Leave the message alone from here on: it is the video now."""
        await self.close()
        self._is_refused = True

    async def finish(self, closing: LocalizedMessage | None) -> None:
        """See ``ProgressMessage``."""
        if self._late_send is not None:
            await asyncio.wait({self._late_send})  # Under way: it must not come after the last text.
        await self.close()
        last = self.last if closing is None else texts_of(closing, self._sender.words)[0]
        if last is None or self._is_refused:
            return
        for _ in range(_LOOKS):
            if await self._guests.is_answered(self._query):
                break
            await self._clock.sleep(_UNANSWERED_S)
        await self._guests.edit(self._query, last)

    async def _acquire(self) -> SendPermit:
        while not await self._guests.is_answered(self._query):  # Intake stores the job first.
            await self._clock.sleep(_UNANSWERED_S)
        return await self._telegram_calls.acquire(self._query.chat_id, SendPriority.PROGRESS)

    async def _send(self, permit: SendPermit | None) -> None:
        await self._edit_answer(self._compose(), SendPriority.FREE)

    async def _edit_to(self, text: str) -> float:
        try:
            await self._edit_answer(text, SendPriority.EDIT)
        except EditPostponed as later:
            self._mark_changed()
            return later.wait_s
        return 0.0

    async def _edit_answer(self, text: str, priority: SendPriority) -> None:
        await self._guests.edit(self._query, html_text(text, self._keyboard(self._buttons)), priority)
        self._shown = text

    @property
    def _buttons(self) -> Sequence[Button]:
        # Only this one works where the bot is a guest; and links to the project are for its owner alone.
        return (Button("button.cancel", Cancel(self._job.id)),)


class GuestResponder(TelegramResponder):
    """Sends for a guest's job.

    What a job says goes to the person's private chat, as for their other jobs, and the last of it into the message
    where they asked. Its result is sent to the private chat once, and from there by its file ID into that message.
    People who haven't begun a private chat get the result through the operator's staging chat, or else by a button.
    """

    def __init__(
        self, responders: TelegramResponders, job: Job, query: GuestQuery, checkpoints: Checkpoints
    ) -> None:
        self._guests = responders.guest_mode_messages
        self._query = query
        super().__init__(responders, job, checkpoints)
        self._end_with(LocalizedMessage("guest.see_private"))

    def _new_progress_message(self) -> GuestProgress:
        self._answer = GuestProgress(self._responders, self._sender, self._query)
        return self._answer

    async def send(self, idempotency_key: str, message: OutgoingMessage) -> None:
        """See ``ports.Responder``. The message is kept for a private chat that is yet to begin."""
        start = ""
        try:
            await super().send(idempotency_key, message)
        except ChatGone:
            inner = message.message if isinstance(message, PrivateMessage) else message
            if isinstance(inner, LocalizedMessage):
                inner = ListMessage(replace(inner, buttons=()), (), inner.buttons)
            if isinstance(inner, ListMessage):
                await self._checkpoints.save(encrypted(inner, self._job, self._responders.encrypt))
                start = start_payload(self._job)
        if isinstance(message, PrivateMessage):
            message = for_group(message, is_sent=not start)
        elif isinstance(message, TextMessage):
            shown = _for_others(message)
            if shown != message or any(button.action for button in message.buttons):
                shown = with_lines(shown, (LocalizedMessage("guest.see_private"),))
            message = shown
        self._end_with(message, start)

    async def deliver(self, idempotency_key: str, result: Result) -> SentMessage:
        """See ``ports.Responder``."""
        start = ""
        try:
            delivered = await super().deliver(idempotency_key, result)
        except ChatGone:
            start = GUEST_START
            delivered = await self._deliver_to_staging(f"{idempotency_key}.staging", result)
        await self._answer.close()
        answer = None if result.answer is None else _for_others(result.answer)
        caption = caption_of(answer, Html(""), self._sender.words, MessageLimit.CAPTION_LENGTH).text
        if delivered.file_id and await self._guests.show_video(
            self._query,
            delivered.file_id,
            delivered.kind,
            caption,
            self._markup("button.private_chat", start),
        ):
            await self._answer.become_result()
        elif start:
            self._end_with(LocalizedMessage("guest.video_waits"), start, "button.get_video")
        else:
            self._end_with(LocalizedMessage("deliver.in_private"))
        return delivered

    async def _deliver_to_staging(self, idempotency_key: str, result: Result) -> SentMessage:
        """Send the video to the operator's staging chat, for the ``file_id`` that the guest's answer shows.

        Returns:
            An empty message if there is no such chat, or it can't be sent there.
        """
        staging_chat = self._responders.staging_chat
        if staging_chat is None:
            return SentMessage()
        if result.arriving is not None:
            await result.arriving.wait_for_end()
        there = replace(
            self._job,
            chat=ChatKey(staging_chat),
            message_id=None,
            telegram_chat_id=staging_chat,
            guest_query=None,
        )
        made = result.exported
        bare = Exported(size_bytes=made.size_bytes, file_id=made.file_id, kind=made.kind, took_s=made.took_s)
        try:
            responder = TelegramResponder(self._responders, there, self._checkpoints)
            return await responder._send_result(idempotency_key, Result(bare, result.path), may_be_kept=False)
        except (ChatGone, OutcomeUnknown, BadRequest, CannotShrink) as error:
            log.warning("guest.staging_chat_refuses", error=str(error), hint="see nemovideo-bot check")
            return SentMessage()

    def _end_with(
        self, message: OutgoingMessage, start: str = "", button: str = "button.private_chat"
    ) -> None:
        if not isinstance(message, PrivateMessage):
            text = texts_of(message, self._sender.words)[0]
            self._answer.last = replace(text, reply_markup=self._markup(button, start))

    def _markup(self, button: str, start: str) -> InlineKeyboardMarkup | None:
        url = private_chat_url(self._bot.username, start)
        return self._answer._keyboard([Button(button, url=url)])


def _for_others(message: TextMessage) -> TextMessage:
    """Return a message without its lines: they are about the person's credits and project, or how to answer."""
    return message if isinstance(message, LocalizedMessage) else replace(message, lines=())
