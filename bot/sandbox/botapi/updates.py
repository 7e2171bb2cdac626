"""A bot's updates: the queue, long polling, and delivery to a webhook."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from bot.runtime.clock import Clock
from bot.sandbox.botapi.errors import ApiError, conflict

MAX_POLL_S = 50
"""Seconds that Telegram cuts longer polls to."""

OPT_IN = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Kinds of updates that bots get only if they ask for them by name."""

WEBHOOK_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Webhook:
    """Where updates are delivered to, and the last error."""

    url: str
    secret_token: str = ""
    max_connections: int = 40
    certificate: str = ""
    last_error_date: int = 0
    last_error_message: str = ""


@dataclass(slots=True)
class UpdateQueue:
    """A bot's updates.

    Attributes:
        pending: Unconfirmed updates, oldest first.
        made: All updates so far, for tests that repeat one.
        allowed: Kinds that the bot asked for; ``None`` for Telegram's default.
    """

    clock: Clock
    pending: list[dict[str, Any]] = field(default_factory=list)
    made: list[dict[str, Any]] = field(default_factory=list)
    allowed: list[str] | None = None
    webhook: Webhook | None = None
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(870_000_001))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _poll: "asyncio.Future[ApiError] | None" = None
    _delivery: asyncio.Task[None] | None = None

    def add(self, kind: str, payload: Any) -> None:
        """Add an update, if the bot wants its kind."""
        wanted = kind not in OPT_IN if not self.allowed else kind in self.allowed
        if wanted:
            self.add_raw({"update_id": next(self._ids), kind: payload})

    def add_raw(self, update: dict[str, Any]) -> dict[str, Any]:
        """Add any JSON as an update, with a new ``update_id`` if it has none."""
        if "update_id" not in update:
            update = {"update_id": next(self._ids), **update}
        self.pending.append(update)
        self.made.append(update)
        self._wake()
        return update

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # Long polling

    @property
    def is_polled(self) -> bool:
        """Return whether a poll is waiting."""
        return self._poll is not None

    async def poll(self, offset: int, limit: int, timeout_s: float) -> list[dict[str, Any]]:
        """Return updates by long polling; a new poll ends one that is still waiting.

        Args:
            offset: Confirms all updates below it; negative counts from the end and forgets the rest.
            limit: Maximum number of updates, 1 to 100.
            timeout_s: Seconds to wait for an update, at most 50.

        Raises:
            ApiError: A webhook is set or another poll came (409).
        """
        if self.webhook is not None:
            raise conflict(
                "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            )
        self.end_poll(
            "terminated by other getUpdates request; make sure that only one bot instance is running"
        )
        self._confirm(offset)
        ended: asyncio.Future[ApiError] = asyncio.get_running_loop().create_future()
        self._poll = ended
        timeout = asyncio.ensure_future(self.clock.sleep(min(timeout_s, MAX_POLL_S)))
        try:
            while not self.pending and not timeout.done():
                await self._until_changed({ended, timeout})
                if ended.done():
                    raise ended.result()
            return self.pending[: limit if 1 <= limit <= 100 else 100]
        finally:
            timeout.cancel()
            if self._poll is ended:
                self._poll = None

    async def _until_changed(self, others: set[Any]) -> None:
        """Wait for a change or the first of other futures, and leave no task behind."""
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({changed, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()

    def end_poll(self, words: str) -> None:
        """End a waiting poll with a 409."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(conflict(words))

    def _confirm(self, offset: int) -> None:
        if offset > 0:
            self.pending = [update for update in self.pending if update["update_id"] >= offset]
        elif offset < 0:
            self.pending = self.pending[offset:]
        self._wake()

    async def wait_until_empty(self, timeout_s: float) -> None:
        """Wait until no update is pending, or for ``timeout_s`` real seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.pending:
                    await self._changed.wait()
        except TimeoutError:
            return

    # Webhook

    def set_webhook(
        self, webhook: Webhook | None, deliver: Callable[[Any], Awaitable[None]] | None = None
    ) -> None:
        """Deliver to a webhook from now on, or stop doing so.

        Args:
            webhook: The webhook; ``None`` goes back to polling.
            deliver: Runs a method call that the webhook answered with.
        """
        if self._delivery is not None:
            self._delivery.cancel()
            self._delivery = None
        self.webhook = webhook
        if webhook is not None:
            self.end_poll("terminated by setWebhook request")
            self._delivery = asyncio.create_task(self._deliver_all(webhook, deliver), name="webhook")

    async def close(self) -> None:
        """Stop delivering."""
        if self._delivery is not None:
            self._delivery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._delivery

    async def _deliver_all(self, webhook: Webhook, answered: Callable[[Any], Awaitable[None]] | None) -> None:
        """Deliver up to ``max_connections`` updates at once, each chat's in order."""
        # Plain http needs no certificates, whose loading blocks the loop for a tenth of a second.
        context: ssl.SSLContext | bool = False
        if webhook.url.startswith("https:"):
            context = ssl.create_default_context(cadata=webhook.certificate or None)
        busy: dict[asyncio.Task[None], str] = {}
        async with httpx.AsyncClient(verify=context, timeout=WEBHOOK_TIMEOUT_S, trust_env=False) as client:
            try:
                while True:
                    in_flight = set(busy.values())
                    seen: set[str] = set()
                    for update in self.pending:
                        chat = _chat_of(update)
                        if chat in in_flight or chat in seen or len(busy) >= webhook.max_connections:
                            continue
                        seen.add(chat)
                        task = asyncio.create_task(self._deliver(client, webhook, update, answered))
                        busy[task] = chat
                    await self._until_changed(set(busy))
                    busy = {task: chat for task, chat in busy.items() if not task.done()}
            finally:
                for task in busy:
                    task.cancel()

    async def _deliver(
        self,
        client: httpx.AsyncClient,
        webhook: Webhook,
        update: dict[str, Any],
        answered: Callable[[Any], Awaitable[None]] | None,
    ) -> None:
        headers = {"X-Telegram-Bot-Api-Secret-Token": webhook.secret_token} if webhook.secret_token else {}
        pause_s = 1.0
        while True:
            try:
                response = await client.post(webhook.url, json=update, headers=headers)
                if response.is_success:
                    break
                words = f"Wrong response from the webhook: {response.status_code} {response.reason_phrase}"
            except httpx.ConnectError:
                words = "Connection refused"
            except httpx.TimeoutException:
                words = "Read timeout expired"
            except httpx.HTTPError as error:
                words = f"Connection failed: {type(error).__name__}"
            webhook.last_error_message = words
            webhook.last_error_date = int(self.clock.now().timestamp())
            await self.clock.sleep(pause_s)
            pause_s = min(pause_s * 2, 60)
        with contextlib.suppress(ValueError):
            self.pending.remove(update)
        self._wake()
        if answered is not None and response.headers.get("content-type", "").startswith("application/json"):
            with contextlib.suppress(ValueError):
                await answered(response.json())


def _chat_of(update: dict[str, Any]) -> str:
    for kind, payload in update.items():
        if isinstance(payload, dict):
            chat = payload.get("chat") or payload.get("message", {}).get("chat") or payload.get("from") or {}
            return str(chat.get("id", kind))
    return ""
