"""Calls to Telegram: the chat's current id, retries, and classification of errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter

from bot.chats.telegram_ids import TelegramIds
from bot.jobs.ports import ChatGone, TopicGone
from bot.runtime.backoff import Backoff
from bot.runtime.clock import Clock
from bot.runtime.http import surely_not_sent
from bot.telegram.sending.bot import TelegramBot
from bot.telegram.sending.rate_limiter import RateLimiter, SendPermit, SendPriority, pause_after_s
from bot.telegram.sending.send_refusals import SendRefusal, is_nobody_there, send_refusal_of

log = structlog.get_logger(__name__)

T = TypeVar("T")

PATIENCE_S = 600.0
"""How long a call is repeated while Telegram asks to wait, or is away; then the error is raised."""


class OutcomeUnknown(Exception):
    """The call may have been carried out: the answer was lost, or never came."""


@dataclass
class TelegramCalls:
    """Makes calls to Telegram, and repeats them only where that can't do anything twice."""

    bot: TelegramBot
    clock: Clock
    telegram_ids: TelegramIds
    rate_limiter: RateLimiter

    async def acquire(self, chat_id: int, priority: SendPriority) -> SendPermit:
        """Wait until something may be sent to a chat, given by its stored id. See ``RateLimiter.acquire``."""
        return await self.rate_limiter.acquire(await self.telegram_ids.telegram_chat_id(chat_id), priority)

    async def call(
        self, chat_id: int, make: Callable[[int], Awaitable[T]], *, repeatable: bool, patient: bool = True
    ) -> T:
        """Make a call, and repeat it while that may help.

        Args:
            chat_id: The stored id of the chat that the call concerns.
            make: Makes the call, given the id that the chat has in Telegram.
            repeatable: Whether doing it twice is the same as doing it once, as for edits, deletions and reads.
            patient: Whether to wait while Telegram is away or asks to wait; at most ``PATIENCE_S``.

        Returns:
            What ``make`` returned.

        Raises:
            ChatGone: The bot is blocked, removed, or not allowed to write.
            TopicGone: The topic is deleted or closed.
            EditPostponed: The rate limiter deferred an edit.
            OutcomeUnknown: The call is not repeatable, and may have been carried out.
            TelegramError: The call was refused, or Telegram stayed away.
        """
        telegram_chat_id = await self.telegram_ids.telegram_chat_id(chat_id)
        gives_up_s = self.clock.monotonic_s() + (PATIENCE_S if patient else 0)
        backoff = Backoff()
        while True:
            try:
                return await make(telegram_chat_id)
            except ChatMigrated as error:
                log.info("telegram.chat_migrated", old=telegram_chat_id, new=error.new_chat_id)
                await self.telegram_ids.record_migration(telegram_chat_id, error.new_chat_id)
                telegram_chat_id = error.new_chat_id
            except Forbidden as error:
                if send_refusal_of(error) is SendRefusal.KIND:
                    raise BadRequest(error.message) from error
                raise ChatGone(error.message) from error
            except BadRequest as error:
                if send_refusal_of(error) is SendRefusal.THREAD:
                    raise TopicGone(error.message) from error
                if is_nobody_there(error):
                    raise ChatGone(error.message) from error
                raise
            except (NetworkError, RetryAfter) as error:
                is_lost = isinstance(error, NetworkError) and not surely_not_sent(error)
                if is_lost and not repeatable:
                    raise OutcomeUnknown(error.message) from error
                if self.clock.monotonic_s() >= gives_up_s:
                    raise
                log.info("telegram.call_repeated", error=type(error).__name__)
                await self.clock.sleep(pause_after_s(error, backoff))
