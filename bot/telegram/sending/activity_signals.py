"""Signals of activity that need no message: a reaction to the request, and what Telegram shows atop the chat."""

import contextlib

import structlog
from telegram.constants import ChatAction
from telegram.error import BadRequest, TelegramError

from bot.jobs.model import Job
from bot.jobs.ports import DONE_REACTION, RECEIVED_REACTION, ChatGone
from bot.telegram.sending.api_calls import TelegramCalls

log = structlog.get_logger(__name__)

ACTION_EVERY_S = 4.5
"""Pause between two actions of a chat; Telegram shows one for five seconds."""


class ActivitySignals:
    """Shows that one job is stored, is done or sends its video; failures are ignored, except in `react`.

    Args:
        job: The job.
        telegram_calls: Makes the calls.
    """

    def __init__(self, job: Job, telegram_calls: TelegramCalls) -> None:
        self._bot = telegram_calls.bot
        self._job = job
        self._telegram_calls = telegram_calls

    async def react(self, emoji: str) -> bool:
        """React to the request, or take the reaction away; return whether it shows.

        Args:
            emoji: The reaction; empty for none.

        Raises:
            ChatGone: Nobody is left to answer.
            TelegramError: Telegram did not answer.
        """
        job = self._job

        async def react(chat_id: int) -> bool:
            # In the supergroup that a group became, the number means another message.
            if job.message_id is None or chat_id != job.telegram_chat_id:
                return False
            return await self._bot.set_message_reaction(chat_id, job.message_id, emoji or None)

        try:
            return await self._telegram_calls.call(job.chat.chat_id, react, repeatable=True, patient=False)
        except BadRequest as error:
            log.info("responder.no_reaction", error=error.message)
            return False

    async def acknowledge(self) -> None:
        """Show that the request has arrived: by a reaction, or by an action of the chat. Never fails."""
        if not await self._react_softly(RECEIVED_REACTION):
            await self._show(ChatAction.TYPING)

    async def conclude(self, *, is_done: bool) -> None:
        """Change the reaction to "done", or remove it. Never fails."""
        await self._react_softly(DONE_REACTION if is_done else "")

    async def _react_softly(self, emoji: str) -> bool:
        if not self._job.is_press:
            with contextlib.suppress(ChatGone, TelegramError):
                return await self.react(emoji)
        return False

    async def _show(self, action: ChatAction) -> None:
        topic_id = self._job.chat.topic_id

        async def show(chat_id: int) -> bool:
            return await self._bot.send_chat_action(chat_id, action, message_thread_id=topic_id)

        with contextlib.suppress(ChatGone, TelegramError):
            await self._telegram_calls.call(self._job.chat.chat_id, show, repeatable=True, patient=False)

    async def show_uploading(self) -> None:
        """Show that a video is being sent, again and again."""
        while True:
            await self._show(ChatAction.UPLOAD_VIDEO)
            await self._telegram_calls.clock.sleep(ACTION_EVERY_S)
