import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, cast

import pytest

from bot.jobs.queue.album import GatheredJob
from bot.jobs.queue.claimed_job import ClaimedJob, SaveOutcome
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.worker.attempt import Attempt, Interruption
from tests.clocks import HandClock
from tests.jobs.conftest import new_job

CANCELLED, DRAINED, SUPERSEDED = Interruption.CANCELLED, Interruption.DRAINED, Interruption.SUPERSEDED


class LostJob:
    """A queue in which another worker has the job."""

    async def save(self, claimed: ClaimedJob, values: Mapping[str, Any]) -> SaveOutcome:
        return SaveOutcome.SUPERSEDED


def an_attempt(clock: HandClock | None = None) -> Attempt:
    gathered = GatheredJob(new_job(), (), version=0, last_at=0.0)
    claimed = ClaimedJob(gathered, 1, 1, {}, cancelled=False, has_position_message=False)
    return Attempt(claimed, cast(JobQueue, LostJob()), clock or HandClock())


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (CANCELLED, DRAINED, DRAINED),
        (CANCELLED, SUPERSEDED, SUPERSEDED),
        (DRAINED, CANCELLED, DRAINED),
        (DRAINED, SUPERSEDED, SUPERSEDED),
        (SUPERSEDED, CANCELLED, SUPERSEDED),
        (SUPERSEDED, DRAINED, SUPERSEDED),
    ],
)
def test_of_two_interruptions_the_one_that_sends_less_counts(
    first: Interruption, second: Interruption, counts: Interruption
) -> None:
    attempt = an_attempt()
    attempt.interrupt(first)
    attempt.interrupt(second)
    assert attempt.interruption is counts


async def test_what_has_ended_is_not_interrupted_any_more() -> None:
    attempt = an_attempt()

    async def stubborn() -> int:
        attempt.interrupt(CANCELLED)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return 1

    assert await attempt.run(stubborn()) == 1
    assert attempt.interruption is None
    attempt.interrupt(DRAINED)
    assert attempt.interruption is None


async def test_what_goes_on_beside_an_attempt_ends_where_another_worker_has_the_job() -> None:
    attempt = an_attempt()
    with pytest.raises(asyncio.CancelledError):
        await attempt.save(attempt.progress)
    assert attempt.interruption is SUPERSEDED


async def test_a_step_that_is_taken_up_again_began_where_it_did() -> None:
    clock = HandClock()
    attempt = an_attempt(clock)
    for _ in range(2):
        with attempt.step("upload"):
            await clock.advance(10)
    (step,) = attempt.progress.steps
    assert step.ended_at is not None
    assert step.ended_at - step.began_at == 20


async def test_a_render_is_saved_in_steps_of_ten_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = an_attempt()
    saved: list[int | None] = []

    async def save(claimed: ClaimedJob, values: Mapping[str, Any]) -> SaveOutcome:
        saved.append(attempt.progress.render_percent)
        return SaveOutcome.OK

    monkeypatch.setattr(attempt.job_queue, "save", save)
    for percent in (3.0, 9.9, 10.0, 19.0, 100.0):
        await attempt.save_render_progress(percent)
    assert saved == [0, 10, 100]
