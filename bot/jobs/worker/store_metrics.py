"""The metrics whose values are in the store, read when they are scraped."""

import hmac
import math

from bot.jobs.queue.account_credits import KINDS
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
        hash_key: Hides ids of people and chats.
    """

    def hashed(number: int) -> str:
        return hmac.new(hash_key, str(number).encode(), "sha256").hexdigest()[:HASH_CHARS]

    count, age_s = await statistics.waiting()
    metrics.QUEUE.set(count)
    metrics.QUEUE_AGE.set(age_s)
    today, left = await statistics.day_totals(), await statistics.credits_left()
    metrics.REQUESTS_TODAY.set(today.requests)
    metrics.CREDITS_TODAY.set(today.credits)
    metrics.CREDITS_LEFT.set(math.nan if left is None else left)
    metrics.TOP_REQUESTS.clear()
    for person, requests in today.top_people:
        metrics.TOP_REQUESTS.labels(hashed(person)).set(requests)
    accounts = await statistics.accounts.today()
    for gauge in (metrics.TOP_ACCOUNT_SPENT, metrics.TOP_ACCOUNT_LEFT):
        gauge.clear()
    for kind in KINDS:
        sums = accounts.sums.get(kind)
        metrics.ACCOUNTS_SPENT.labels(kind).set(sums.spent if sums else 0)
        metrics.ACCOUNTS_LEFT.labels(kind).set(sums.left if sums else 0)
    for use in accounts.top:
        metrics.TOP_ACCOUNT_SPENT.labels(use.kind, hashed(use.chat_id)).set(use.spent)
        metrics.TOP_ACCOUNT_LEFT.labels(use.kind, hashed(use.chat_id)).set(use.left)
    ages = await monitor.ages()
    metrics.JOB_OLDEST.set(ages.running_s)
    metrics.JOB_SILENT.set(ages.silent_s)
    used = await guest_accounts.used_this_week()
    metrics.GUEST_TOKENS_LEFT.set(max(0, GUEST_ACCOUNTS_PER_WEEK - used))
