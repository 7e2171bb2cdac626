"""Alerts for the operator: messages to the private chats of the bot's admins, one for each problem.

A problem's message is edited as it goes on, and once more when it is over. Another one is sent an hour later at the
earliest. NemoVideo being down is no such problem: ``deploy/monitoring/alerts.yaml`` has alerts about failing jobs.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from pydantic import AwareDatetime, ConfigDict, Field, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.jobs.checkpoints import PREPARED_MESSAGE, MessageSend, SentMessage
from bot.jobs.messages import ListMessage, LocalizedMessage, Param, Seconds
from bot.jobs.model import derived_job_id, message_job
from bot.jobs.ports import AlertMessages
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.runtime.clock import Clock
from bot.store import keys
from bot.store.stored_model import StoredModel
from bot.words import language_of

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 20.0  # pause between two looks at the open problems, in real time
RESEND_AFTER = timedelta(hours=1)  # between two messages about the same problem
RESOLVED_AFTER = timedelta(hours=1)  # a problem that hasn't been reported for this long is over
RESOLVED_AFTER_A_DAY = ("credits:", "token_refused")
"""Prefixes of the names of problems that occur only when somebody makes a request: over after a day without one."""


class Problem(StoredModel):
    """A problem that the admins were alerted to."""

    model_config = ConfigDict(frozen=False)

    message: LocalizedMessage  # what it is
    since: AwareDatetime  # when it occurred first
    seen_at: AwareDatetime  # when it occurred last
    sent_at: AwareDatetime  # when its message was sent
    times: int = 1  # how often it occurred
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
        messages: The messages in their chats.
    """

    def __init__(
        self,
        redis: Redis,
        job_queue: JobQueue,
        chats: Chats,
        clock: Clock,
        admins: Sequence[int],
        messages: AlertMessages,
    ) -> None:
        self._redis = redis
        self._job_queue = job_queue
        self._chats = chats
        self._clock = clock
        self._admins = admins
        self._messages = messages
        self._id = uuid4().hex
        self._refusal: Problem | None = None  # the store refuses writes, so it can't be kept there

    async def send(self, name: str, message: LocalizedMessage) -> None:
        """Report a problem: notify the admins if it is new, otherwise count it."""
        now = self._clock.now()
        problem = await self._load(name)
        if problem is not None and (problem.over_at is None or now - problem.sent_at < RESEND_AFTER):
            again = problem.changed(message=message, seen_at=now, times=problem.times + 1, over_at=None)
            return await self._save(name, again)
        new = Problem(message=message, since=now, seen_at=now, sent_at=now, shown=_shown(message, None))
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
        """Report the state of a problem that can be checked at any time; a repeated check isn't counted as a new one.

        Args:
            name: Its name.
            message: The problem; ``None`` if there is none now: an open one is then marked as over.
        """
        if message is None:
            return await self.clear(name)
        problem = await self._load(name)
        if problem is None or problem.over_at is not None:
            return await self.send(name, message)
        return await self._save(name, problem.changed(message=message, seen_at=self._clock.now()))

    async def clear(self, name: str) -> None:
        """Report that a problem is over, if it was there."""
        problem = await self._load(name)
        if problem is not None and problem.over_at is None:
            await self._save(name, problem.changed(over_at=self._clock.now()))

    async def switch(self, admin: int, *, on: bool) -> None:
        """Turn an admin's alerts on or off."""
        change = self._redis.srem if on else self._redis.sadd
        await change(keys.ALERTS_OFF, admin)

    async def is_on(self, admin: int) -> bool:
        """Return whether an admin gets alerts."""
        return admin in await self._listening()

    async def run(self, check: Callable[[], Awaitable[None]]) -> None:
        """Keep the messages up to date, forever; one process does it for all.

        Args:
            check: Reports problems that no job or update meets.
        """
        while self._admins:
            # In real time, as the sweep.
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                await self.check_once(check)
            except RedisError as error:
                log.warning("alerts.store_failed", error=type(error).__name__)
        await asyncio.Event().wait()

    async def check_once(self, check: Callable[[], Awaitable[None]]) -> None:
        """Look for problems and update their messages once, if this process has the lock; see ``run``."""
        lock_ms = int(CHECK_EVERY_S * 900)
        try:
            is_ours = await self._redis.set(keys.ALERTS_LOCK, self._id, nx=True, px=lock_ms)
            if is_ours:
                await self._redis.set(keys.ALERTS_LAST_OWNER, self._id)
        except ResponseError:  # It is read-only, or full.
            if await self._redis.get(keys.ALERTS_LAST_OWNER) == self._id:
                await self._report_refusal()
            return
        if self._refusal is not None and self._refusal.over_at is None:
            self._refusal.over_at = self._clock.now()
            await self._edit(self._refusal, _line(self._refusal))
        if is_ours:
            await check()
            await self.update()

    async def _report_refusal(self) -> None:
        now, message = self._clock.now(), LocalizedMessage("alert.store_refuses")
        known = self._refusal
        if known is not None and known.over_at is None:
            return
        if known is not None and now - known.sent_at < RESEND_AFTER:
            known.over_at, known.times, known.seen_at = None, known.times + 1, now
            return await self._edit(known, _line(known))
        self._refusal = Problem(message=message, since=now, seen_at=now, sent_at=now)
        for admin in await self._listening():
            sent = await self._messages.send(admin, message, await self._language(admin))
            if sent is not None:
                self._refusal.sent_to[admin] = sent
        return None

    async def update(self) -> None:
        """Edit the alerts of problems that go on or have ended, and delete problems that ended long ago."""
        names: Any = await self._redis.hkeys(keys.ALERTS)
        for name in names:
            problem = await self._load(name)
            if problem is None:
                await self._redis.hdel(keys.ALERTS, name)
                continue
            await self._update(name, problem)

    async def _update(self, name: str, problem: Problem) -> None:
        now = self._clock.now()
        quiet = timedelta(days=1) if name.startswith(RESOLVED_AFTER_A_DAY) else RESOLVED_AFTER
        if problem.over_at is None and now - problem.seen_at >= quiet:
            problem.over_at = problem.seen_at
        for admin in self._admins:
            # The job that sent it is not kept for long.
            job_id = _job_id(name, problem.sent_at, admin)
            job = None if admin in problem.sent_to else await self._job_queue.find(ChatKey(admin), job_id)
            send = (
                None
                if job is None
                else await self._job_queue.load_checkpoint(job.job, MessageSend, PREPARED_MESSAGE)
            )
            if send is not None and send.sent is not None:
                problem.sent_to[admin] = send.sent
        line = _line(problem)
        shown = _shown(problem.message, line)
        if shown != problem.shown and problem.sent_to:
            await self._edit(problem, line)
            problem.shown = shown
        if problem.over_at is not None and now - problem.sent_at >= RESEND_AFTER:
            await self._redis.hdel(keys.ALERTS, name)
        else:
            await self._save(name, problem)

    async def _edit(self, problem: Problem, line: LocalizedMessage | None) -> None:
        lines = () if line is None else (line,)
        for admin, sent in problem.sent_to.items():
            await self._messages.show(sent, ListMessage(problem.message, lines), await self._language(admin))

    async def _load(self, name: str) -> Problem | None:
        stored: Any = await self._redis.hget(keys.ALERTS, name)
        try:
            return None if stored is None else Problem.model_validate_json(stored)
        except ValidationError:
            log.warning("alerts.unreadable", name=name)
            return None

    async def _save(self, name: str, problem: Problem) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(keys.ALERTS, name, problem.model_dump_json())
            pipe.expire(keys.ALERTS, keys.ALERTS_TTL_S)
            await pipe.execute()

    async def _listening(self) -> list[int]:
        silent: Any = await self._redis.smembers(keys.ALERTS_OFF)
        return [admin for admin in self._admins if str(admin) not in silent]

    async def _language(self, admin: int) -> str:
        return language_of((await self._chats.get(ChatKey(admin))).language)


def _job_id(name: str, sent_at: datetime, admin: int) -> str:
    """Return the id of the job that sends a problem's message to an admin, the same in all processes that see it."""
    return derived_job_id(
        f"alert {name} of {int(sent_at.timestamp() // RESEND_AFTER.total_seconds())} to {admin}"
    )


def _shown(message: LocalizedMessage, line: LocalizedMessage | None) -> str:
    return repr((message, line))


def _line(problem: Problem) -> LocalizedMessage | None:
    """Return the line about a problem since its alert; ``None`` if there is nothing to add."""
    if problem.over_at is not None:
        lasted = Seconds((problem.over_at - problem.since).total_seconds())
        return LocalizedMessage("alert.over", {"at": f"{problem.over_at:%H:%M}", "lasted": lasted})
    if problem.times == 1:
        return None
    params: dict[str, Param] = {
        "since": f"{problem.since:%H:%M}",
        "times": problem.times,
        "last": f"{problem.seen_at:%H:%M}",
    }
    return LocalizedMessage("alert.going_on", params)
