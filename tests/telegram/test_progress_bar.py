from dataclasses import replace

import pytest

from bot.jobs.messages import Progress
from bot.jobs.queue.usual_times import rounded_s
from bot.telegram.sending.progress_bar import ProgressBar
from tests.clocks import HandClock

TURN = Progress("progress.turn", fraction=0.2, until=0.7, expected_s=100, estimates_s=(100,))


def bar_of(*reported: Progress) -> tuple[ProgressBar, HandClock]:
    clock = HandClock()
    bar = ProgressBar(Progress("progress.queued"), clock)
    for progress in reported:
        bar.set(progress)
    return bar, clock


async def test_it_moves_every_few_seconds_and_never_past_its_stage() -> None:
    bar, clock = bar_of(TURN)
    seen = [bar.fraction()]
    for _ in range(16):
        await clock.advance(15)
        seen.append(bar.fraction())
    assert seen[0] == 0.2
    percents = [int(100 * fraction) for fraction in seen[:13]]  # up to nearly twice its usual time
    assert len(set(percents)) == len(percents)
    assert seen == sorted(seen)
    assert seen[-1] < 0.7


async def test_a_stage_that_begins_lower_does_not_take_it_back() -> None:
    bar, clock = bar_of(TURN)
    await clock.advance(90)
    before = bar.fraction()
    bar.set(Progress("progress.turn_tool_generate", fraction=0.2, until=0.7, expected_s=300))
    assert bar.fraction() == before
    await clock.advance(15)
    assert before < bar.fraction() < before + 0.05


async def test_the_same_report_again_does_not_begin_the_stage_again() -> None:
    bar, clock = bar_of(TURN)
    for _ in range(10):
        await clock.advance(5)
        bar.set(TURN)
    assert bar.left_s() == 50


async def test_it_tells_what_is_left_then_nothing_then_that_it_takes_longer() -> None:
    bar, clock = bar_of(TURN)
    told = []
    for _ in range(7):
        told.append(bar.left_s())
        await clock.advance(24)
    assert told == [100, 80, 50, 30, 5, None, 0]


async def test_whoever_takes_long_is_compared_with_those_that_took_long() -> None:
    bar, clock = bar_of(replace(TURN, estimates_s=(40, 100, 160)))
    told = []
    for _ in range(4):
        told.append(bar.left_s())
        await clock.advance(45)
    assert told == [100, 80, 40, 25]


async def test_a_stage_whose_time_nobody_knows_tells_none() -> None:
    bar, _ = bar_of(Progress("progress.fetch", fraction=0.9, until=0.97, expected_s=10))
    assert bar.left_s() is None


@pytest.mark.parametrize(
    ("duration_s", "told_s"), [(3, 5), (43, 45), (59, 60), (84, 80), (217, 210), (299, 300), (700, 720)]
)
def test_a_guess_is_rounded_as_people_do(duration_s: float, told_s: float) -> None:
    assert rounded_s(duration_s) == told_s
