"""Receiving updates, by long polling or as deliveries; an update counts as received when what it asks for is in Redis.

PTB's own ``Updater`` confirms an update as soon as it is in memory, and a crash loses it. Here the next
``getUpdates``, whose offset confirms, goes out only after every handler of the batch has stored its jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import structlog
from redis.exceptions import RedisError
from telegram import Update
from telegram.error import Conflict, EndPointNotFound, InvalidToken, RetryAfter, TelegramError

from bot.runtime import metrics
from bot.runtime.clock import Clock
from bot.telegram.receiving.application import AnyApplication, failure_of

log = structlog.get_logger(__name__)

POLL_S = 30
"""How long Telegram holds a request when there is nothing."""

POLL_MARGIN_S = 10
"""How much longer we wait for its answer before the connection counts as dead."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0

ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]


class UpdateReceiver:
    """Takes updates in, and the polling loop.

    Args:
        application: PTB's, with handlers that only write to Redis.
        clock: For pauses.
    """

    def __init__(self, application: AnyApplication, clock: Clock) -> None:
        self._application = application
        self._clock = clock

    async def run(self) -> None:
        """Poll for ever.

        Raises:
            InvalidToken: Telegram does not know the bot.
        """
        offset, pause_s = 0, FIRST_PAUSE_S
        while True:
            try:
                batch = await self._poll(offset)
            except EndPointNotFound as error:
                # What PTB's raw calls make of a refused token.
                raise InvalidToken(error.message) from error
            except TelegramError as error:
                if isinstance(error, Conflict):
                    await self._on_conflict(error)
                else:
                    log.warning("intake.telegram_away", error=type(error).__name__)
                await self._clock.sleep(wait_s(error) or pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            await self.receive(batch)
            if batch:
                offset = max(item["update_id"] for item in batch) + 1

    async def _on_conflict(self, error: Conflict) -> None:
        if "webhook" not in error.message.lower():
            # Processes that share the store share the lease, so it is none of ours.
            log.error(
                "intake.another_program_polls",
                hint="a program that does not share this store uses the same token: end it",
            )
            return
        # Left from an earlier way of running this bot; Telegram gives nothing to polls while it is set.
        log.warning("intake.webhook_removed")
        with contextlib.suppress(TelegramError):
            await self._application.bot.delete_webhook()

    async def receive(self, batch: Sequence[dict[str, Any]]) -> None:
        """Handle updates until all are stored: in order within a chat, chats side by side."""
        chats: dict[int, list[Update]] = defaultdict(list)
        for item in batch:
            if (update := self._read(item)) is not None:
                chat = update.effective_chat
                chats[chat.id if chat else 0].append(update)
        await asyncio.gather(*(self._in_order(updates) for updates in chats.values()))

    async def receive_one(self, item: dict[str, Any]) -> None:
        """Handle a delivered update, once: Telegram delivers it again, and nothing later of its chat before that.

        Raises:
            RedisError: It is not stored.
        """
        update = self._read(item)
        if update is not None and (error := await self._handle(update)) is not None:
            raise error

    def _read(self, item: dict[str, Any]) -> Update | None:
        metrics.UPDATES.labels("received").inc()
        try:
            return Update.de_json(item, self._application.bot)
        except Exception:
            # Of a newer Bot API, perhaps. It would come again for ever if it were not skipped.
            metrics.UPDATES.labels("unreadable").inc()
            log.exception("intake.unreadable_update", update_id=item.get("update_id"))
            return None

    async def _in_order(self, updates: Sequence[Update]) -> None:
        for update in updates:
            await self._until_stored(update)

    async def _until_stored(self, update: Update) -> None:
        pause_s = FIRST_PAUSE_S
        # Not confirmed before it is stored: wait for the store as long as it takes.
        while (error := await self._handle(update)) is not None:
            log.warning("intake.store_away", update_id=update.update_id, error=type(error).__name__)
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _handle(self, update: Update) -> RedisError | None:
        """Run its handlers; returns what the store failed with. Any other failure would only come again."""
        await self._application.process_update(update)
        error = failure_of(self._application, update)
        if isinstance(error, RedisError):
            return error
        if error is not None:
            metrics.UPDATES.labels("failed").inc()
            log.error("intake.handler_failed", update_id=update.update_id, exc_info=error)
        return None

    async def _poll(self, offset: int) -> list[dict[str, Any]]:
        # Raw, because one update that PTB can't read must not take the rest of its batch along.
        batch: list[dict[str, Any]] = await self._application.bot.do_api_request(
            "getUpdates",
            api_kwargs={"offset": offset, "timeout": POLL_S, "allowed_updates": ALLOWED_UPDATES},
            read_timeout=POLL_S + POLL_MARGIN_S,
        )
        return batch


def wait_s(error: TelegramError) -> float | None:
    """How long Telegram asks to wait, if it does."""
    if not isinstance(error, RetryAfter):
        return None
    after = error.retry_after
    return float(after) if isinstance(after, int) else after.total_seconds()
