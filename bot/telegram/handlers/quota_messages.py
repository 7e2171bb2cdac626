"""Messages about daily quotas."""

from bot.jobs.messages import Bytes, LocalizedMessage, Param, Seconds
from bot.jobs.queue.quotas import Quotas, QuotaWarning


def quota_exceeded(warning: QuotaWarning, quotas: Quotas) -> LocalizedMessage:
    """Say why a request is refused, and when the quota resets."""
    limit = quotas.limit(warning)
    params: dict[str, Param] = {"anew_in": Seconds(quotas.resets_in_s)}
    if warning.resource == "requests":
        return LocalizedMessage(f"quota.over_jobs_{warning.scope}", {**params, "n": limit})
    sizes: dict[str, Param] = {"limit": Bytes(limit), "left": Bytes(warning.left)}
    return LocalizedMessage(f"quota.over_bytes_{warning.scope}", {**params, **sizes})


def quota_warning(warning: QuotaWarning, quotas: Quotas) -> LocalizedMessage:
    """Say how little of a quota is left."""
    params: dict[str, Param] = {"anew_in": Seconds(quotas.resets_in_s)}
    if warning.resource == "requests":
        return LocalizedMessage(f"quota.left_jobs_{warning.scope}", {**params, "n": warning.left})
    return LocalizedMessage(f"quota.left_bytes_{warning.scope}", {**params, "left": Bytes(warning.left)})
