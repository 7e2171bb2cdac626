"""Messages about a daily quota that refuses a request or is almost used up."""

from bot.jobs.messages import Bytes, LocalizedMessage, Param, Seconds
from bot.jobs.queue.quotas import Quotas, QuotaWarning


def quota_message(warning: QuotaWarning, quotas: Quotas, *, is_over: bool) -> LocalizedMessage:
    """Return why a request is refused and when the quota resets, or how little of it is left."""
    kind, limit = "over" if is_over else "left", quotas.limit(warning)
    params: dict[str, Param] = {"anew_in": Seconds(quotas.resets_in_s)}
    if warning.resource == "requests":
        n = warning.left
        if is_over:  # Several versions are several requests: some may be left, but too few.
            kind, n = ("short", n) if n else ("over", limit)
        return LocalizedMessage(f"quota.{kind}_jobs_{warning.scope}", {**params, "n": n})
    sizes: dict[str, Param] = {"limit": Bytes(limit), "left": Bytes(warning.left)}
    return LocalizedMessage(f"quota.{kind}_bytes_{warning.scope}", {**params, **sizes})
