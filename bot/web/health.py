"""Readiness checks of a process; without a web framework, since most processes serve nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger(__name__)

CHECK_TIMEOUT_S = 2.0  # for each check, and for the metrics from the store
Check = Callable[[], bool | Awaitable[bool]]


@dataclass(slots=True)
class Health:
    """What must work for this process to be ready.

    Args:
        checks: The checks by the name of what they check; the code that starts a part adds its own.
        before_metrics: Updates the metrics that come from the store, for each ``/metrics``.
        hangs: Whether only a restart helps this process.
    """

    checks: dict[str, Check] = field(default_factory=dict)
    before_metrics: Callable[[], Awaitable[None]] | None = None
    hangs: Callable[[], bool] = lambda: False

    async def check(self) -> dict[str, bool]:
        """Run all checks at once; return which of them pass, by name."""
        names = list(self.checks)
        return dict(zip(names, await asyncio.gather(*(self._passes(name) for name in names)), strict=True))

    async def _passes(self, name: str) -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                passes = self.checks[name]()
                return passes if isinstance(passes, bool) else await passes
        except Exception as error:
            log.warning("health.check_failed", check=name, error=type(error).__name__)
            return False
