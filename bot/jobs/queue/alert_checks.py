"""Checks for resources that run low, such as credits and disk space, and the alert for each."""

import asyncio
import shutil
import socket
from pathlib import Path

from bot.jobs.messages import Bytes, LocalizedMessage
from bot.jobs.queue.operator_alerts import OperatorAlerts
from bot.jobs.queue.statistics import QueueStatistics
from bot.projects.guest_account_count import GUEST_ACCOUNTS_PER_WEEK, GuestAccountCounter
from bot.runtime.disk import RESERVED_BYTES

LOW_CREDITS = 100  # about what one generation takes
LOW_GUESTS = 2  # guest accounts left


class AlertChecks:
    """Checks guest accounts, credits and disk space, and reports to the admins what runs low.

    Args:
        alerts: Notify the admins.
        guest_accounts: Counts guest accounts; ``None`` if no chat gets one.
        statistics: Know what the operator's account has left.
        data_dir: A directory of the disk that the bot needs.
    """

    def __init__(
        self,
        alerts: OperatorAlerts,
        guest_accounts: GuestAccountCounter | None,
        statistics: QueueStatistics,
        data_dir: Path,
    ) -> None:
        self._alerts = alerts
        self._guest_accounts = guest_accounts
        self._statistics = statistics
        self._data_dir = data_dir

    async def run(self) -> None:
        """Check each once. Without a message, `watch` marks the problem as over."""
        used = 0 if self._guest_accounts is None else await self._guest_accounts.used_this_week()
        await self._alerts.watch("guests", guests_alert(used))
        await self._alerts.watch("credits_left", credits_alert(await self._statistics.credits_left()))
        # Only this machine's disk: each machine checks its own.
        disk = await asyncio.to_thread(shutil.disk_usage, self._data_dir)
        await self._alerts.watch(f"disk:{socket.gethostname()}", disk_alert(disk.free))


def guests_alert(used: int) -> LocalizedMessage | None:
    """Return the alert for the number of guest accounts given in a week; ``None`` if it is no problem."""
    if used < GUEST_ACCOUNTS_PER_WEEK - LOW_GUESTS:
        return None
    return LocalizedMessage("alert.guests_low", {"used": used, "a_week": GUEST_ACCOUNTS_PER_WEEK})


def credits_alert(left: int | None) -> LocalizedMessage | None:
    """Return the alert for the credits left in the operator's account; ``None`` if it is no problem."""
    if left is None or left >= LOW_CREDITS:
        return None
    return LocalizedMessage("alert.credits_low" if left > 0 else "alert.credits_gone", {"left": max(0, left)})


def disk_alert(free_bytes: int) -> LocalizedMessage | None:
    """Return the alert for the free space on a disk of this machine; ``None`` if it is no problem."""
    if free_bytes >= RESERVED_BYTES:
        return None
    return LocalizedMessage("alert.disk_full", {"host": socket.gethostname(), "left": Bytes(free_bytes)})
