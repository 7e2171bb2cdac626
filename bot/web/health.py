"""What ``/healthz`` (``hangs``) and ``/readyz`` (``check``) answer from; their routes are in ``web/app.py``.

Without a web framework, since most processes serve nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)

CHECK_TIMEOUT_S = 2.0  # for each check, and for the metrics from the store
Check = Callable[[], bool | Awaitable[bool]]


@dataclass(slots=True)
class Health:
    """What must work for this process to be ready."""

    store: Check = lambda: False  # whether the store answers
    telegram: Check = lambda: False  # whether Telegram answers
    started: Check = lambda: False  # whether updates and jobs are being taken
    worker: Check | None = None  # whether the worker lives; ``None`` in a process without
    webhook: Check | None = None  # whether Telegram has the webhook; ``None`` without one
    before_metrics: Callable[[], Awaitable[None]] | None = None  # updates the metrics from the store
    hangs: Callable[[], bool] = lambda: False  # whether only a restart helps this process

    async def check(self) -> dict[str, bool]:
        """Run all checks at once; return which of them pass, by name."""
        parts = {
            "store": self.store,
            "telegram": self.telegram,
            "started": self.started,
            "worker": self.worker,
            "webhook": self.webhook,
        }
        checks = {name: check for name, check in parts.items() if check is not None}
        passed = await asyncio.gather(*(_passes(name, check) for name, check in checks.items()))
        return dict(zip(checks, passed, strict=True))


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            passes = check()
            return passes if isinstance(passes, bool) else await passes
    except Exception as error:
        log.warning("health.check_failed", check=name, error=type(error).__name__)
        return False
