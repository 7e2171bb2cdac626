"""Alerts for the operator: messages to the private chats of the bot's admins, one for each trouble.

A trouble's message is edited as it goes on, and once more when it is over. Another one is sent an hour later at the
earliest.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import uuid4

import structlog
from pydantic import AwareDatetime, ConfigDict, Field, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.jobs.checkpoints import PREPARED_MESSAGE, MessageSend, SentMessage
from bot.jobs.messages import ListMessage, LocalizedMessage, Param, Seconds
from bot.jobs.model import JOB_ID_BYTES, message_job
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.runtime.clock import Clock
from bot.store import keys
from bot.store.stored_model import StoredModel
from bot.words import language_of

log = structlog.get_logger(__name__)

SendAlert: TypeAlias = Callable[[str, LocalizedMessage], Awaitable[None]]
"""Reports a trouble by its name, again each time that it shows."""

ShowMessage: TypeAlias = Callable[[SentMessage, ListMessage, str], Awaitable[None]]
"""Lets a message in a private chat say something else in a language."""

SendMessage: TypeAlias = Callable[[int, LocalizedMessage, str], Awaitable[SentMessage | None]]
"""Sends a message to a private chat without the store; ``None`` if that failed."""

CHECK_EVERY_S = 20.0  # pause between two looks at the open troubles, in real time
AGAIN = timedelta(hours=1)  # between two messages about the same trouble
OVER_AFTER = timedelta(hours=1)  # a trouble that hasn't been reported for this long is over
OVER_AFTER_A_DAY = ("credits", "token_refused")
"""Troubles that are noticed only when a person runs into them: over after a quiet day, not after an hour."""


class Trouble(StoredModel):
    """A trouble that the admins were alerted to."""

    model_config = ConfigDict(frozen=False)

    message: LocalizedMessage  # what it is
    since: AwareDatetime  # when it showed first
    seen_at: AwareDatetime  # when it showed last
    sent_at: AwareDatetime  # when its message was sent
    times: int = 1  # how often it showed
    over_at: AwareDatetime | None = None  # when it was over
    sent_to: dict[int, SentMessage] = Field(
        default_factory=dict
    )  # the message in each admin's chat, once it is known
    shown: str = ""  # what the messages say of it


class OperatorAlerts:
    """Sends alerts, and keeps their messages up to date.

    Args:
        redis: With ``decode_responses``.
        job_queue: The chats' queues.
        chats: Know the language that an admin chose.
        clock: Source of time.
        admins: Telegram ids of the bot's admins.
    """

    def __init__(
        self, redis: Redis, job_queue: JobQueue, chats: Chats, clock: Clock, admins: Sequence[int]
    ) -> None:
        self._redis = redis
        self._job_queue = job_queue
        self._chats = chats
        self._clock = clock
        self._admins = admins
        self._id = uuid4().hex
        self._refusal: Trouble | None = None  # the store refuses writes, so it can't be kept there

    async def send(self, name: str, message: LocalizedMessage) -> None:
        """Report a trouble: notify the admins if it is new, or else count it."""
        now = self._clock.now()
        trouble = await self._load(name)
        if trouble is not None and (trouble.over_at is None or now - trouble.sent_at < AGAIN):
            again = trouble.changed(message=message, seen_at=now, times=trouble.times + 1, over_at=None)
            return await self._save(name, again)
        new = Trouble(message=message, since=now, seen_at=now, sent_at=now, shown=_shown(message, None))
        await self._save(name, new)
        for admin in await self._listening():
            job = message_job(
                ChatKey(admin),
                message,
                requester_id=admin,
                language=await self._language(admin),
                asked_at=now,
                job_id=_job_id(name, now, admin),
            )
            with contextlib.suppress(QueueFull):
                await self._job_queue.enqueue([job], f"alert:{job.id}")
        return None

    async def watch(self, name: str, message: LocalizedMessage | None) -> None:
        """Report the state of a trouble that can be checked at any time; a repeated check isn't counted as a new one.

        Args:
            name: Its name.
            message: The trouble; ``None`` if there is none now: an open one is then marked as over.
        """
        if message is None:
            return await self.clear(name)
        trouble = await self._load(name)
        if trouble is None or trouble.over_at is not None:
            return await self.send(name, message)
        return await self._save(name, trouble.changed(message=message, seen_at=self._clock.now()))

    async def clear(self, name: str) -> None:
        """Report that a trouble is over, if it was there."""
        trouble = await self._load(name)
        if trouble is not None and trouble.over_at is None:
            await self._save(name, trouble.changed(over_at=self._clock.now()))

    async def switch(self, admin: int, *, on: bool) -> None:
        """Let an admin get alerts, or no more of them."""
        change = self._redis.srem if on else self._redis.sadd
        await change(keys.ALERTS_OFF, admin)

    async def is_on(self, admin: int) -> bool:
        """Return whether an admin gets alerts."""
        return admin in await self._listening()

    async def run(self, check: Callable[[], Awaitable[None]], show: ShowMessage, send: SendMessage) -> None:
        """Keep the messages up to date, forever; one process does it for all.

        Args:
            check: Reports troubles that no job or update runs into.
            show: Edits a message.
            send: Sends a message while the store takes no writes.
        """
        while self._admins:
            # In real time, as the sweep.
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                await self.check_once(check, show, send)
            except RedisError as error:
                log.warning("alerts.store_failed", error=type(error).__name__)
        await asyncio.Event().wait()

    async def check_once(
        self, check: Callable[[], Awaitable[None]], show: ShowMessage, send: SendMessage
    ) -> None:
        """Look once for troubles and at the messages about them, if this is the process that does; see ``run``."""
        lock_ms = int(CHECK_EVERY_S * 900)
        try:
            is_ours = await self._redis.set(keys.ALERTS_LOCK, self._id, nx=True, px=lock_ms)
            if is_ours:
                await self._redis.set(keys.ALERTS_LAST_OWNER, self._id)
        except ResponseError:  # It is read-only, or full.
            if await self._redis.get(keys.ALERTS_LAST_OWNER) == self._id:
                await self._report_refusal(show, send)
            return
        if self._refusal is not None and self._refusal.over_at is None:
            self._refusal.over_at = self._clock.now()
            await self._edit(self._refusal, _line(self._refusal), show)
        if is_ours:
            await check()
            await self.update(show)

    async def _report_refusal(self, show: ShowMessage, send: SendMessage) -> None:
        now, message = self._clock.now(), LocalizedMessage("alert.store_refuses")
        known = self._refusal
        if known is not None and known.over_at is None:
            return
        if known is not None and now - known.sent_at < AGAIN:
            known.over_at, known.times, known.seen_at = None, known.times + 1, now
            return await self._edit(known, _line(known), show)
        self._refusal = Trouble(message=message, since=now, seen_at=now, sent_at=now)
        for admin in await self._listening():
            sent = await send(admin, message, await self._language(admin))
            if sent is not None:
                self._refusal.sent_to[admin] = sent
        return None

    async def update(self, show: ShowMessage) -> None:
        """Edit the alerts of troubles that go on or have ended, and delete troubles that ended long ago."""
        names: Any = await self._redis.hkeys(keys.ALERTS)
        for name in names:
            trouble = await self._load(name)
            if trouble is None:
                await self._redis.hdel(keys.ALERTS, name)
                continue
            await self._update(name, trouble, show)

    async def _update(self, name: str, trouble: Trouble, show: ShowMessage) -> None:
        now = self._clock.now()
        quiet = timedelta(days=1) if name.startswith(OVER_AFTER_A_DAY) else OVER_AFTER
        if trouble.over_at is None and now - trouble.seen_at >= quiet:
            trouble.over_at = trouble.seen_at
        for admin in self._admins:
            # The job that sent it is not kept for long.
            job_id = _job_id(name, trouble.sent_at, admin)
            job = None if admin in trouble.sent_to else await self._job_queue.find(ChatKey(admin), job_id)
            send = (
                None
                if job is None
                else await self._job_queue.load_checkpoint(job.job, MessageSend, PREPARED_MESSAGE)
            )
            if send is not None and send.sent is not None:
                trouble.sent_to[admin] = send.sent
        line = _line(trouble)
        shown = _shown(trouble.message, line)
        if shown != trouble.shown and trouble.sent_to:
            await self._edit(trouble, line, show)
            trouble.shown = shown
        if trouble.over_at is not None and now - trouble.sent_at >= AGAIN:
            await self._redis.hdel(keys.ALERTS, name)
        else:
            await self._save(name, trouble)

    async def _edit(self, trouble: Trouble, line: LocalizedMessage | None, show: ShowMessage) -> None:
        lines = () if line is None else (line,)
        for admin, sent in trouble.sent_to.items():
            await show(sent, ListMessage(trouble.message, lines), await self._language(admin))

    async def _load(self, name: str) -> Trouble | None:
        stored: Any = await self._redis.hget(keys.ALERTS, name)
        try:
            return None if stored is None else Trouble.model_validate_json(stored)
        except ValidationError:
            log.warning("alerts.unreadable", name=name)
            return None

    async def _save(self, name: str, trouble: Trouble) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(keys.ALERTS, name, trouble.model_dump_json())
            pipe.expire(keys.ALERTS, keys.ALERTS_TTL_S)
            await pipe.execute()

    async def _listening(self) -> list[int]:
        silent: Any = await self._redis.smembers(keys.ALERTS_OFF)
        return [admin for admin in self._admins if str(admin) not in silent]

    async def _language(self, admin: int) -> str:
        return language_of((await self._chats.get(ChatKey(admin))).language)


def _job_id(name: str, sent_at: datetime, admin: int) -> str:
    """Return the id of the job that sends a trouble's message to an admin, the same in all processes that see it."""
    identity = f"alert {name} of {int(sent_at.timestamp() // AGAIN.total_seconds())} to {admin}"
    return hashlib.sha256(identity.encode()).hexdigest()[: 2 * JOB_ID_BYTES]


def _shown(message: LocalizedMessage, line: LocalizedMessage | None) -> str:
    return repr((message, line))


def _line(trouble: Trouble) -> LocalizedMessage | None:
    """Return what became of a trouble since its alert; ``None`` for nothing."""
    if trouble.over_at is not None:
        lasted = Seconds((trouble.over_at - trouble.since).total_seconds())
        return LocalizedMessage("alert.over", {"at": f"{trouble.over_at:%H:%M}", "lasted": lasted})
    if trouble.times == 1:
        return None
    params: dict[str, Param] = {
        "since": f"{trouble.since:%H:%M}",
        "times": trouble.times,
        "last": f"{trouble.seen_at:%H:%M}",
    }
    return LocalizedMessage("alert.going_on", params)
