"""Every figure that ``/metrics`` gives. Labels come from small fixed sets, and never name a chat, a person or a job."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

__all__ = ["CONTENT_TYPE", "LOOP_LAG", "POLLING", "UPDATES", "render", "watch_loop"]

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)

# Receiving ------------------------------------------------------------------------------------------------

UPDATES = Counter(
    "nemovideo_updates",
    "Updates from Telegram: received; then stored, repeated, unreadable or failed; the rest asked for nothing.",
    ["outcome"],
)
POLLING = Gauge("nemovideo_polling", "Whether this process holds the lease and polls.")

# The process ----------------------------------------------------------------------------------------------

LOOP_LAG = Histogram(
    "nemovideo_event_loop_lag_seconds",
    "How late the event loop wakes a task: the time in which nothing else could run.",
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)

LOOK_EVERY_S = 0.5


async def watch_loop() -> None:
    """Measure how late the event loop is, for ever."""
    while True:
        began_s = time.monotonic()
        await asyncio.sleep(LOOK_EVERY_S)
        LOOP_LAG.observe(max(0.0, time.monotonic() - began_s - LOOK_EVERY_S))


def render() -> bytes:
    """All figures, as Prometheus reads them."""
    return generate_latest(REGISTRY)
