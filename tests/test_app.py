"""How the process waits for its end, and ends."""

import asyncio
from unittest.mock import Mock

import pytest
from telegram.error import InvalidToken

from bot import app
from bot.startup import TelegramRefuses


async def test_a_token_that_is_revoked_ends_the_process_with_advice() -> None:
    async def poll() -> None:
        raise InvalidToken

    with pytest.raises(TelegramRefuses, match="@BotFather"):
        await app._wait_until(asyncio.Event(), [asyncio.create_task(poll())])


async def test_the_end_gives_back_what_runs_before_it_waits_for_it() -> None:
    runner, drained = Mock(), asyncio.Event()
    runner.drain.side_effect = drained.set

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await drained.wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await app._end([task], runner)
    assert task.cancelled()
