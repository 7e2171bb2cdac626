"""The queue of updates by itself."""

import asyncio

from bot.runtime.clock import SystemClock
from bot.sandbox.botapi.updates import UpdateQueue
from tests.clocks import PATIENCE_S


async def test_a_poll_that_is_given_up_leaves_nothing_waiting() -> None:
    queue, before = UpdateQueue(SystemClock()), asyncio.all_tasks()
    poll = asyncio.create_task(queue.poll(0, 100, 50))
    for _ in range(3):  # Steps of the loop, until it waits.
        await asyncio.sleep(0)
    assert queue.is_polled
    waiting = asyncio.all_tasks() - before
    assert len(waiting) > 1
    poll.cancel()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait(waiting)
    assert asyncio.all_tasks() == before
