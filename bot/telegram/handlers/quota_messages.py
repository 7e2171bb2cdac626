"""Messages about the daily limits."""

from __future__ import annotations

from bot.jobs.messages import Bytes, LocalizedMessage, Param, Seconds
from bot.jobs.queue.quotas import Quotas, QuotaWarning


def quota_exceeded(scarce: QuotaWarning, quotas: Quotas) -> LocalizedMessage:
    """Say why a request is refused, and when the count starts again."""
    limit = quotas.limit(scarce)
    params: dict[str, Param] = {"anew_in": Seconds(quotas.anew_in_s)}
    if scarce.what == "jobs":
        return LocalizedMessage(f"budget.over_jobs_{scarce.whose}", {**params, "n": limit})
    sizes: dict[str, Param] = {"limit": Bytes(limit), "left": Bytes(scarce.left)}
    return LocalizedMessage(f"budget.over_bytes_{scarce.whose}", {**params, **sizes})


def quota_warning(scarce: QuotaWarning, quotas: Quotas) -> LocalizedMessage:
    """Say how much is left before a limit is reached."""
    params: dict[str, Param] = {"anew_in": Seconds(quotas.anew_in_s)}
    if scarce.what == "jobs":
        return LocalizedMessage(f"budget.left_jobs_{scarce.whose}", {**params, "n": scarce.left})
    return LocalizedMessage(f"budget.left_bytes_{scarce.whose}", {**params, "left": Bytes(scarce.left)})
