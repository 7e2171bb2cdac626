"""What has to hold for a process to be of use; without a web framework, as most processes serve nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger(__name__)

CHECK_S = 2.0
"""For each check, and for the figures of the store."""

Check = Callable[[], Awaitable[bool]]


@dataclass(slots=True)
class Health:
    """What has to hold for this process to be of use.

    Args:
        checks: By what they look at; whoever starts a part adds its own.
        before_metrics: Brings figures that lie in the store up to date, for each ``/metrics``.
    """

    checks: dict[str, Check] = field(default_factory=dict)
    before_metrics: Callable[[], Awaitable[None]] | None = None

    async def look(self) -> dict[str, bool]:
        """Run every check, all at the same time."""
        names = list(self.checks)
        return dict(zip(names, await asyncio.gather(*(self._holds(name) for name in names)), strict=True))

    async def _holds(self, name: str) -> bool:
        try:
            async with asyncio.timeout(CHECK_S):
                return await self.checks[name]()
        except Exception as error:
            log.warning("health.check_failed", check=name, error=type(error).__name__)
            return False
