import asyncio

from bot.jobs.steps.stream_timeout import StreamTimeout
from bot.jobs.steps.turn_draft import TurnLimits
from tests.clocks import HandClock, settle

LIMITS = TurnLimits()


async def test_a_stream_that_never_ends_is_given_up_after_fifteen_minutes() -> None:
    clock = HandClock()
    timeout = StreamTimeout(clock, LIMITS.silent_s, LIMITS.total_s)
    waiting = asyncio.create_task(timeout.wait_until_over())
    for _ in range(14):
        await clock.advance(60)
        timeout.reset()  # Something comes each minute.
    await clock.advance(59)
    timeout.reset()
    assert not waiting.done()
    await clock.advance(1)
    await settle()
    assert waiting.done()


async def test_heartbeats_alone_are_given_up_sooner() -> None:
    clock = HandClock()
    waiting = asyncio.create_task(StreamTimeout(clock, LIMITS.silent_s, LIMITS.total_s).wait_until_over())
    await clock.advance(LIMITS.silent_s - 1)
    assert not waiting.done()
    await clock.advance(1)
    await settle()
    assert waiting.done()
