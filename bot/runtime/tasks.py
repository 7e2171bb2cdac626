"""Tasks that run beside others, and their end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


async def cancel(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancel tasks and wait for them to end, with or without an error."""
    begun = [task for task in tasks if task is not None]
    for task in begun:
        task.cancel()
    await asyncio.gather(*begun, return_exceptions=True)


@contextlib.asynccontextmanager
async def in_background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work beside a block, and end it with the block; an error ends that work alone, with a line in the log."""
    tasks = [asyncio.create_task(one) for one in work]
    for task in tasks:
        task.add_done_callback(_log_error)
    try:
        yield
    finally:
        await cancel(*tasks)


def _log_error(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background.failed", exc_info=error)
