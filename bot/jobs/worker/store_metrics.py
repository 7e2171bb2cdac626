"""The metrics whose values are in the store, read when somebody asks for them."""

import hmac
import math

from bot.jobs.queue.statistics import QueueStatistics
from bot.jobs.worker.stuck_job_monitor import StuckJobMonitor
from bot.projects.guest_account_count import GUEST_ACCOUNTS_PER_WEEK, GuestAccountCounter
from bot.runtime import metrics

HASH_CHARS = 12  # of an id in metrics


async def update_metrics(
    statistics: QueueStatistics,
    monitor: StuckJobMonitor,
    guest_accounts: GuestAccountCounter,
    hash_key: bytes,
) -> None:
    """Update the metrics whose values are in the store.

    Args:
        statistics: Figures of all chats.
        monitor: Ages of jobs.
        guest_accounts: Counts guest accounts.
        hash_key: Hides ids of people.
    """
    count, age_s = await statistics.waiting()
    metrics.QUEUE.set(count)
    metrics.QUEUE_AGE.set(age_s)
    today, left = await statistics.today(), await statistics.credits_left()
    metrics.REQUESTS_TODAY.set(today.requests)
    metrics.CREDITS_TODAY.set(today.credits)
    metrics.CREDITS_LEFT.set(math.nan if left is None else left)
    metrics.TOP_REQUESTS.clear()
    for person, requests in today.top_people:
        name = hmac.new(hash_key, str(person).encode(), "sha256").hexdigest()[:HASH_CHARS]
        metrics.TOP_REQUESTS.labels(name).set(requests)
    ages = await monitor.ages()
    metrics.JOB_OLDEST.set(ages.running_s)
    metrics.JOB_SILENT.set(ages.silent_s)
    used = await guest_accounts.used_this_week()
    metrics.GUEST_TOKENS_LEFT.set(max(0, GUEST_ACCOUNTS_PER_WEEK - used))
