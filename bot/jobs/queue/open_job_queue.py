"""Opens the chats' queues as the settings say."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.quotas import DailyLimit, Quotas
from bot.runtime.clock import Clock
from bot.settings import MEBIBYTE, Settings
from bot.store import keys
from bot.store.connect import Store
from bot.store.docket_json import open_docket

TICKET_TTL = timedelta(minutes=1)
"""How long docket remembers a ticket that is done; long enough for the sweep to see it."""


@contextlib.asynccontextmanager
async def open_job_queue(store: Store, settings: Settings, clock: Clock) -> AsyncIterator[JobQueue]:
    """Open the chats' queues with the limits of the settings, and docket, which has their tickets."""
    async with (
        open_docket(keys.DOCKET, store.url, TICKET_TTL) as docket,
        open_docket(keys.QUICK_DOCKET, store.url, TICKET_TTL) as quick_docket,
    ):
        quotas = Quotas(
            clock,
            DailyLimit(settings.daily_jobs_per_person, settings.daily_mb_per_person * MEBIBYTE),
            DailyLimit(settings.daily_jobs_per_chat, settings.daily_mb_per_chat * MEBIBYTE),
        )
        limits = {"queue_limit": settings.queue_limit, "total_limit": settings.total_queue_limit}
        yield JobQueue(store.redis, docket, clock, quick_docket=quick_docket, quotas=quotas, **limits)
