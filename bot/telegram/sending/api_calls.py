"""The way out to Telegram: every call goes through here, and every way it can fail is sorted here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import httpx
import structlog
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.chats.telegram_ids import TelegramIds
from bot.jobs.ports import ChatGone
from bot.runtime import http, metrics
from bot.runtime.clock import Clock
from bot.telegram.sending.rate_limiter import RateLimiter, SendPriority

log = structlog.get_logger(__name__)

T = TypeVar("T")

PATIENCE_S = 600.0
"""How long a call is tried while Telegram is away or asks to wait; then the error goes up."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0

_NOBODY_THERE = (
    "chat not found",
    "chat_write_forbidden",
    "not enough rights to send text",
    "have no rights to send",
    "need administrator rights in the channel chat",
    "topic_closed",
    "topic_deleted",
    "message thread not found",
    "peer_id_invalid",
    "group chat was deactivated",
    "user is deactivated",
)
"""Pieces of Telegram's 400s that mean: nothing can be said in this chat any more."""

_FORBIDDEN_MEDIUM = re.compile(r"not enough rights to send|CHAT_SEND_\w+_FORBIDDEN", re.IGNORECASE)


class OutcomeUnknown(Exception):
    """The call may have been carried out: the answer was lost, or never came."""


class EditPostponed(Exception):
    """An edit that has to stand back behind what is more urgent; by then there is a newer one.

    Args:
        wait_s: Seconds until it is worth asking again.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


class TelegramCalls:
    """Calls to Telegram with its rules: waits for its turn, tries again only what can't be doubled.

    Args:
        clock: For pauses.
        telegram_ids: Where chats are.
        rate_limiter: Counts what is sent.
    """

    def __init__(self, clock: Clock, telegram_ids: TelegramIds, rate_limiter: RateLimiter) -> None:
        self.clock = clock
        self.rate_limiter = rate_limiter
        self._telegram_ids = telegram_ids

    async def telegram_chat_id(self, chat_id: int) -> int:
        """Where a chat is: a group that became a supergroup has another id than it is kept under."""
        return await self._telegram_ids.telegram_chat_id(chat_id)

    async def call(
        self,
        chat_id: int,
        make: Callable[[int], Awaitable[T]],
        *,
        repeatable: bool,
        patient: bool = True,
        at_once: bool = False,
        urgency: SendPriority = SendPriority.FREE,
        acquired: bool = False,
    ) -> T:
        """Make a call, as often as it takes.

        Args:
            chat_id: The chat that it concerns, as it is kept.
            make: Starts the call for the id that the chat has in Telegram.
            repeatable: Whether doing it twice is the same as doing it once (edits, deletions, reads).
            patient: Whether to wait out an absent Telegram; edits of passing interest need not.
            at_once: It puts no message into the chat, so that a pause of the chat does not hold it back.
            urgency: What it is, for everything that Telegram counts: messages and edits.
            acquired: Its turn has been waited for already.

        Returns:
            What the call gave.

        Raises:
            ChatGone: Blocked, removed, or not allowed to speak.
            NotNow: An edit that has to stand back.
            OutcomeUnknown: Not repeatable, and it may have been carried out.
            TelegramError: Refused, or Telegram stayed away.
        """
        chat_id = await self.telegram_chat_id(chat_id)
        gives_up_s = self.clock.monotonic_s() + (PATIENCE_S if patient else 0)
        pause_s = FIRST_PAUSE_S
        while True:
            if not acquired:
                await self._turn(chat_id, urgency)
            acquired = False
            try:
                done = await make(chat_id)
                metrics.SENDS.labels(urgency, "ok").inc()
                return done  # noqa: TRY300 - of one call among several ways on
            except RetryAfter as error:
                asked_s = wait_s(error)
                log.info("outbox.told_to_wait", chat=chat_id, wait_s=asked_s)
                metrics.SENDS.labels(urgency, "told_to_wait").inc()
                if not at_once:
                    # It pauses its own chat only, for all workers.
                    await self.rate_limiter.pause(chat_id, asked_s)
                if self.clock.monotonic_s() >= gives_up_s:
                    raise
                if urgency is SendPriority.FREE:
                    await self.clock.sleep(asked_s)
            except ChatMigrated as error:
                log.info("outbox.chat_migrated", old=chat_id, new=error.new_chat_id)
                await self._telegram_ids.record_migration(chat_id, error.new_chat_id)
                chat_id = error.new_chat_id
            except Forbidden as error:
                metrics.SENDS.labels(urgency, "refused").inc()
                raise ChatGone(error.message) from error
            except BadRequest as error:
                metrics.SENDS.labels(urgency, "refused").inc()
                if any(piece in error.message.lower() for piece in _NOBODY_THERE):
                    raise ChatGone(error.message) from error
                raise
            except NetworkError as error:
                metrics.SENDS.labels(urgency, "lost").inc()
                if not repeatable and not surely_not_sent(error):
                    raise OutcomeUnknown(error.message) from error
                if self.clock.monotonic_s() >= gives_up_s:
                    raise
                log.info("outbox.telegram_away", error=type(error).__name__)
                await self.clock.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def turn(self, chat_id: int, urgency: SendPriority) -> None:
        """Wait until something may be sent to a chat."""
        await self.rate_limiter.turn(await self.telegram_chat_id(chat_id), urgency)

    async def _turn(self, chat_id: int, urgency: SendPriority) -> None:
        if urgency is not SendPriority.EDIT:
            return await self.rate_limiter.turn(chat_id, urgency)
        permit = await self.rate_limiter.ask(chat_id, urgency)
        if not permit.granted:
            metrics.EDITS_PUT_OFF.inc()
            raise EditPostponed(permit.wait_s)


def wait_s(error: RetryAfter) -> float:
    """How many seconds Telegram asks to wait."""
    after = error.retry_after
    return after.total_seconds() if isinstance(after, timedelta) else float(after)


def surely_not_sent(error: TelegramError) -> bool:
    """Whether a failed call certainly never reached Telegram."""
    cause = error.__cause__
    return isinstance(cause, httpx.TransportError) and http.surely_not_sent(cause)


def is_medium_forbidden(error: BadRequest) -> bool:
    """Whether a chat takes no messages of this kind; words it may well take."""
    return _FORBIDDEN_MEDIUM.search(error.message) is not None


def is_unmodified(error: BadRequest) -> bool:
    """Whether an edit was refused because the message says just that already: a success."""
    return "message is not modified" in error.message.lower()
