"""Receiving updates, by polling or webhook; an update counts as received when what it asks for is in Redis.

PTB's own ``Updater`` confirms an update as soon as it is in memory, and a crash loses it. Here the offset of each
``getUpdates``, which confirms, is the first update whose handler has not stored its jobs yet.

Each chat's updates are handled in order, and chats side by side. While some are being handled, the next poll follows
after a short pause. Telegram returns at most 100 updates, from the first unconfirmed one on: behind an update that
takes long, later ones wait once there are 100.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from redis.exceptions import RedisError
from telegram import Update
from telegram.constants import ChatType
from telegram.error import Conflict, EndPointNotFound, InvalidToken, TelegramError

from bot.jobs.messages import LocalizedMessage
from bot.jobs.ports import SendAlert
from bot.runtime import metrics
from bot.runtime.backoff import Backoff
from bot.runtime.clock import Clock
from bot.runtime.tasks import cancel
from bot.telegram.receiving.application import AnyApplication, FailedUpdate
from bot.telegram.sending.rate_limiter import pause_after_s

log = structlog.get_logger(__name__)

POLL_S = 30  # how long Telegram holds a request, in seconds, when there are no updates
POLL_MARGIN_S = 10  # how many seconds later its answer has to be here, or the connection counts as dead
ALLOWED_UPDATES = [
    "message", "edited_message", "callback_query", "inline_query", "guest_message", "my_chat_member",
]  # fmt: skip

PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
"""Pauses between two polls while updates are handled, because Telegram answers such a poll at once: the shortest, and
the longest after some that brought nothing new, with the first update still not done."""

_ENVELOPE = (
    "message_id", "date", "chat", "from", "sender_chat", "message_thread_id", "is_topic_message",
    "edit_date", "media_group_id", "guest_query_id", "id", "chat_instance",
)  # fmt: skip
"""Fields of messages and presses that tell who sent them where, and how they can be answered."""

_FOR_WHOM = ("text", "caption", "reply_to_message")
"""Fields of a group's message that tell whether it was for the bot."""

_ANSWERED = ("message", "edited_message", "guest_message", "callback_query")
"""Kinds of updates whose sender is told that their handling has failed."""

_ANOTHER_POLLER = "another_poller"  # name of the alert


class UpdateReceiver:
    """Polls for updates, and passes updates to the handlers.

    Args:
        application: Has the handlers.
        clock: Source of pauses.
        send_alert: Tells the bot's admins of another program that polls.
        clear_alert: Tells them that it is over.
    """

    def __init__(
        self,
        application: AnyApplication,
        clock: Clock,
        send_alert: SendAlert,
        clear_alert: Callable[[str], Awaitable[None]],
    ) -> None:
        self._send_alert = send_alert
        self._clear_alert = clear_alert
        self._application = application
        self._clock = clock
        self._is_alone = True
        self._chats: dict[int, deque[Update]] = {}  # updates that are not handled yet, the oldest first
        self._handling: set[asyncio.Task[None]] = set()  # one for each chat
        self.is_answered = False
        """Whether Telegram answered the last poll."""

    async def run(self) -> None:
        """Poll until cancelled.

        Raises:
            InvalidToken: Telegram does not know the bot.
        """
        self.is_answered = False
        try:
            await self._receive()
        finally:
            await cancel(*self._handling)
            self._chats.clear()

    async def _receive(self) -> None:
        backoff, pause_s = Backoff(), PAUSE_S
        offset, after_all = 0, 0
        seen: set[int] = set()
        while True:
            try:
                # After a failure, a poll that is answered at once tells that Telegram is back; one that another
                # program's polls can end has to be long.
                batch = await self._poll(offset, POLL_S if self.is_answered or not self._is_alone else 0)
            except EndPointNotFound as error:
                # PTB's raw calls raise this for a refused token.
                raise InvalidToken(error.message) from error
            except TelegramError as error:
                self.is_answered, self._is_alone = False, not isinstance(error, Conflict)
                metrics.POLLS.labels("failed" if self._is_alone else "conflict").inc()
                if isinstance(error, Conflict):
                    await self._on_conflict(error)
                else:
                    log.warning("receiver.telegram_unreachable", error=type(error).__name__)
                await self._clock.sleep(pause_after_s(error, backoff))
                continue
            backoff.reset()
            if not self._is_alone:
                with contextlib.suppress(RedisError):
                    await self._clear_alert(_ANOTHER_POLLER)
            self.is_answered = self._is_alone = True
            metrics.POLLS.labels("ok").inc()
            new = [item for item in batch if item["update_id"] not in seen]
            seen = {item["update_id"] for item in batch}
            after_all = max(seen, default=after_all - 1) + 1
            self._handle_in_background(new)
            if self._handling:
                await asyncio.wait(self._handling, timeout=pause_s)
            first = min((updates[0].update_id for updates in self._chats.values()), default=after_all)
            pause_s = PAUSE_S if new or first != offset else min(2 * pause_s, LONGEST_PAUSE_S)
            offset = first

    async def _on_conflict(self, error: Conflict) -> None:
        if "webhook" not in error.message.lower():
            # Processes that share the store share the polling lock, so it isn't one of ours.
            log.error(
                "receiver.another_program_polls",
                hint="a program that does not share this store uses the same token: end it",
            )
            with contextlib.suppress(RedisError):
                await self._send_alert(_ANOTHER_POLLER, LocalizedMessage("alert.another_poller"))
            return
        # Left from an earlier way to run this bot; while it is set, Telegram answers no poll.
        log.warning("receiver.webhook_removed")
        with contextlib.suppress(TelegramError):
            await self._application.bot.delete_webhook()

    def _handle_in_background(self, batch: Sequence[dict[str, Any]]) -> None:
        """Begin to handle updates: one after another within a chat, chats side by side."""
        for item in batch:
            if (update := self._parse(item)) is None:
                continue
            origin = update.effective_chat or update.effective_user  # An inline query has no chat.
            chat_id = origin.id if origin else 0
            if chat_id not in self._chats:
                self._chats[chat_id] = deque()
                task = asyncio.create_task(self._handle_chat(chat_id))
                self._handling.add(task)
                task.add_done_callback(self._handling.discard)
            self._chats[chat_id].append(update)

    async def receive_one(self, item: dict[str, Any]) -> None:
        """Handle an update that the webhook got, once.

        No queue is needed: of a chat, Telegram sends the next message once this one is answered with a 200, however
        many connections there are (``queue_updates_`` in ``WebhookActor.cpp`` of its open Bot API server).

        Raises:
            RedisError: What it asks for is not stored.
        """
        if (update := self._parse(item)) is not None:
            metrics.UPDATES.labels("received").inc()
            await self._handle(update)

    def _parse(self, item: dict[str, Any]) -> Update | None:
        bot = self._application.bot
        try:
            return Update.de_json(item, bot)
        except Exception:
            # Perhaps of a newer Bot API. If it were not skipped, it would come again forever.
            metrics.UPDATES.labels("unreadable").inc()
            kinds = [name for name in item if name in ALLOWED_UPDATES]
            log.exception("receiver.unreadable_update", update_id=item.get("update_id"), kinds=kinds)
        with contextlib.suppress(Exception):
            bare = _without_content(item, "message", "callback_query")
            # In private it is answered as a kind of message that can't be used.
            return (FailedUpdate if _is_of_group(bare.get("message", {})) else Update).de_json(bare, bot)
        metrics.UPDATES.labels("received").inc()
        return None

    async def _handle_chat(self, chat_id: int) -> None:
        updates = self._chats[chat_id]
        while updates:
            metrics.UPDATES.labels("received").inc()
            await self._handle_until_stored(updates[0])
            updates.popleft()
        del self._chats[chat_id]

    async def _handle_until_stored(self, update: Update) -> None:
        backoff = Backoff()
        # An update is not confirmed before it is stored: wait for the store as long as it takes.
        while True:
            try:
                return await self._handle(update)
            except RedisError as error:
                metrics.UPDATES.labels("not_stored").inc()
                log.warning(
                    "receiver.store_unreachable", update_id=update.update_id, error=type(error).__name__
                )
            await self._clock.sleep(backoff.next_s())

    async def _handle(self, update: Update) -> None:
        """Run an update's handlers. Re-raise only a failure of the store: any other would recur."""
        try:
            await self._application.process_update(update)
        except RedisError:
            raise
        except Exception:
            metrics.UPDATES.labels("failed").inc()
            log.exception("receiver.handler_failed", update_id=update.update_id)
            # Its sender would wait for an answer; what is stored of the update already makes this a repetition.
            with contextlib.suppress(Exception):
                bare = _without_content(update.to_dict(), *_ANSWERED)
                await self._application.process_update(FailedUpdate.de_json(bare, self._application.bot))

    async def _poll(self, offset: int, hold_s: int) -> list[dict[str, Any]]:
        # Raw, because an update that PTB can't read must not make the rest of its batch fail.
        batch: list[dict[str, Any]] = await self._application.bot.do_api_request(
            "getUpdates",
            api_kwargs={"offset": offset, "timeout": hold_s, "allowed_updates": ALLOWED_UPDATES},
            read_timeout=hold_s + POLL_MARGIN_S,
        )
        return batch


def _without_content(item: dict[str, Any], *kinds: str) -> dict[str, Any]:
    """Return an update that can't be read or handled with who sent it where alone, so that its sender gets an answer.

    What else can be read of a message would be another request; of one in a group, it also tells for whom it was.

    Args:
        item: The update.
        kinds: What is kept of it, if it is there.
    """
    answered = ((kind, item[kind]) for kind in kinds if kind in item)
    return {"update_id": item["update_id"], **{kind: _envelope(body) for kind, body in answered}}


def _envelope(body: dict[str, Any]) -> dict[str, Any]:
    kept = {name: body[name] for name in _ENVELOPE if name in body}
    if _is_of_group(body):
        kept |= {name: body[name] for name in _FOR_WHOM if name in body}
    if (replied := kept.get("reply_to_message")) is not None:
        kept["reply_to_message"] = _envelope(replied)
    return kept


def _is_of_group(body: dict[str, Any]) -> bool:
    return body.get("chat", {}).get("type") in (ChatType.GROUP, ChatType.SUPERGROUP)
