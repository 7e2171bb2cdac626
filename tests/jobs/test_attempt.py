from typing import cast

import pytest

from bot.jobs.queue.album import GatheredJob
from bot.jobs.queue.job_queue import ClaimedJob, JobQueue
from bot.jobs.worker.attempt import Attempt, Interruption
from tests.clocks import HandClock
from tests.jobs.conftest import new_job

CANCELLED, DRAINED, SUPERSEDED = Interruption.CANCELLED, Interruption.DRAINED, Interruption.SUPERSEDED


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
    gathered = GatheredJob(new_job(), (), version=0, last_at=0.0)
    claimed = ClaimedJob(gathered, 1, 1, {}, cancelled=False, has_position_message=False)
    attempt = Attempt(claimed, cast(JobQueue, None), HandClock())
    attempt.interrupt(first)
    attempt.interrupt(second)
    assert attempt.interruption is counts
