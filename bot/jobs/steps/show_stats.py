"""Show the operator what the bot did today and does now."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from statistics import median

from bot.jobs.messages import Bytes, ListMessage, LocalizedMessage, Param, Seconds
from bot.jobs.model import QueueName
from bot.jobs.queue.statistics import DayTotals, QueueStatistics
from bot.jobs.queue.usual_times import BEFORE_LEARNING_S, TimedStage, UsualTimes
from bot.jobs.worker.attempt import Attempt
from bot.jobs.worker.supervisor import up_since
from bot.projects.guest_account_count import GUEST_ACCOUNTS_PER_WEEK, GuestAccountCounter

MAX_WORKERS = 20  # processes listed in one message


class ShowStats:
    """Answer what was asked for today, what runs and waits, what was given up, and which workers there are."""

    name = "show_stats"

    def __init__(self, guest_accounts: GuestAccountCounter, usual_times: UsualTimes) -> None:
        self._guest_accounts = guest_accounts
        self._usual_times = usual_times

    async def __call__(self, attempt: Attempt) -> None:
        statistics = attempt.job_queue.statistics
        today = await statistics.day_totals()
        waiting, _ = await statistics.waiting()
        left = max(GUEST_ACCOUNTS_PER_WEEK - await self._guest_accounts.used_this_week(), 0)
        lines = [
            LocalizedMessage(
                "stats.ended", {"done": today.done, "failed": today.failed, "cancelled": today.cancelled}
            ),
            LocalizedMessage("stats.people", {"people": today.people, "size": Bytes(today.bytes)}),
            LocalizedMessage(
                "stats.now",
                {"running": await statistics.running(), "waiting": waiting},
            ),
            LocalizedMessage("stats.tokens", {"left": left, "most": GUEST_ACCOUNTS_PER_WEEK}),
        ]
        lines += await self._render_wait()
        lines += await _credits(statistics, today)
        if today.top_people:
            most = ", ".join(f"{person} ({requests})" for person, requests in today.top_people)
            lines.append(LocalizedMessage("stats.top", {"people": most}))
        yesterday = await statistics.day_totals(days_ago=1)
        lines.append(
            LocalizedMessage("stats.yesterday", {"jobs": yesterday.requests, "credits": yesterday.credits})
        )
        if jobs := await attempt.job_queue.given_up():
            params: dict[str, Param] = {
                "n": len(jobs),
                "kind": jobs[0].kind,
                "error": jobs[0].error,
                "id": jobs[0].id,
            }
            lines.append(LocalizedMessage("stats.given_up", params))
        lines += _processes(await statistics.workers())[:MAX_WORKERS]
        if await attempt.job_queue.is_paused():
            lines.append(LocalizedMessage("stats.paused"))
        heading = LocalizedMessage("stats.heading", {"jobs": today.requests})
        await attempt.responder.send("stats", ListMessage(heading, tuple(lines)))

    async def _render_wait(self) -> list[LocalizedMessage]:
        """Return how long a video usually takes from the agent's last word on, once that was learned."""
        times_s = await self._usual_times.load()
        if times_s[TimedStage.RENDER] is BEFORE_LEARNING_S[TimedStage.RENDER]:
            return []
        whole_s, queue_s = median(times_s[TimedStage.RENDER]), median(times_s[TimedStage.RENDER_QUEUE])
        params: dict[str, Param] = {
            "queue": Seconds(queue_s),
            "render": Seconds(max(0.0, whole_s - queue_s)),
            "download": Seconds(median(times_s[TimedStage.DOWNLOAD])),
        }
        return [LocalizedMessage("stats.render_wait", params)]


def _processes(workers: Mapping[str, set[QueueName]]) -> list[LocalizedMessage]:
    """Return a line for each process with live workers; it should have one for each kind of queue."""
    now = datetime.now(UTC)  # Real time, as docket's heartbeats are, whatever the clock is.
    lines = []
    for (host, *_), names in groupby(sorted(workers), lambda name: name.split("#")[:2]):
        of_process = list(names)
        taken = set[QueueName]().union(*map(workers.__getitem__, of_process))
        since = min(filter(None, map(up_since, of_process)), default=now)
        params: dict[str, Param] = {"name": host, "up": Seconds((now - since).total_seconds())}
        key = "stats.worker" if taken == set(QueueName) else f"stats.worker_only_{taken.pop()}"
        lines.append(LocalizedMessage(key, params))
    return lines


async def _credits(statistics: QueueStatistics, today: DayTotals) -> list[LocalizedMessage]:
    """Return what the accounts that were used recently spent and have: the operator's, and those of chats."""
    left, accounts = await statistics.credits_left(), await statistics.accounts.today()
    lines = []
    if left is not None:
        lines.append(LocalizedMessage("stats.credits", {"spent": today.credits, "left": left}))
    for kind, sums in accounts.sums.items():
        params: dict[str, Param] = {"n": sums.count, "spent": sums.spent, "left": sums.left}
        lines.append(LocalizedMessage(f"stats.accounts_{kind}", params))
    for use in accounts.top:
        params = {"chat": str(use.chat_id), "spent": use.spent, "left": use.left}
        lines.append(LocalizedMessage(f"stats.account_{use.kind}", params))
    return lines
