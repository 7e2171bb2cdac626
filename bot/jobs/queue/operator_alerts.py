"""Alerts for the operator: messages to the private chats of the bot's admins."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Job, JobKind, QueueName, new_job_id
from bot.jobs.payloads import SayPayload
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.runtime.clock import Clock
from bot.words import language_of

SendAlert: TypeAlias = Callable[[str, LocalizedMessage], Awaitable[None]]
"""Alerts all admins, once for each name within two days."""


class OperatorAlerts:
    """Sends alerts.

    Args:
        job_queue: The chats' queues.
        chats: Know the language that an admin chose.
        clock: Source of time.
        admins: Telegram ids of the bot's admins.
    """

    def __init__(self, job_queue: JobQueue, chats: Chats, clock: Clock, admins: Sequence[int]) -> None:
        self._job_queue = job_queue
        self._chats = chats
        self._clock = clock
        self._admins = admins

    async def send(self, name: str, message: LocalizedMessage) -> None:
        """Alert all admins, once for each name within two days."""
        for admin in self._admins:
            chat = ChatKey(admin)
            job = Job(
                id=new_job_id(),
                chat=chat,
                queue=QueueName.QUICK,
                kind=JobKind.SAY,
                owner_id=admin,
                message_id=None,
                language=language_of((await self._chats.get(chat)).language),
                asked_at=self._clock.now(),
                payload=SayPayload(message=message),
            )
            with contextlib.suppress(QueueFull):
                await self._job_queue.enqueue([job], f"alert:{name}")
