import asyncio

from bot.jobs.steps.silence import Silence
from bot.jobs.steps.turn_draft import TurnLimits
from tests.clocks import HandClock, settle

LIMITS = TurnLimits()


async def test_a_stream_that_never_ends_is_given_up_after_fifteen_minutes() -> None:
    clock = HandClock()
    silence = Silence(clock, LIMITS.silent_s, LIMITS.total_s)
    waiting = asyncio.create_task(silence.wait_until_too_long())
    for _ in range(14):
        await clock.advance(60)
        silence.end()  # Something comes each minute.
    await clock.advance(59)
    silence.end()
    assert not waiting.done()
    await clock.advance(1)
    await settle()
    assert waiting.done()


async def test_heartbeats_alone_are_given_up_sooner() -> None:
    clock = HandClock()
    waiting = asyncio.create_task(Silence(clock, LIMITS.silent_s, LIMITS.total_s).wait_until_too_long())
    await clock.advance(LIMITS.silent_s - 1)
    assert not waiting.done()
    await clock.advance(1)
    await settle()
    assert waiting.done()
