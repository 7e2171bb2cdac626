"""What the progress message shows while the agent works."""

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from bot.jobs.checkpoints import FILES, LINKS, Uploaded
from bot.jobs.messages import DoneFraction, Progress
from bot.jobs.queue.usual_times import BEFORE_LEARNING_S, TimedStage, UsualTimes
from bot.jobs.worker.attempt import Attempt

LEAST_LEFT = 0.25
"""What is left at least of work that turned out to be longer than it looked, as a share of its usual time."""

USUAL_RECOVERY_S = 120.0


class TurnProgress:
    """Reports the stages of one turn; the usual time is that of the longest kind of work seen so far.

    Args:
        attempt: The attempt at the job.
        usual_times: What was learned, and learns from this turn.
    """

    def __init__(self, attempt: Attempt, usual_times: UsualTimes) -> None:
        self._attempt = attempt
        self._usual_times = usual_times
        self._known: Mapping[TimedStage, tuple[float, ...]] = BEFORE_LEARNING_S
        self._began_s = attempt.clock.monotonic_s()
        self._timed_stage = TimedStage.EDIT
        self._times_s = self._known[self._timed_stage]
        has_files = attempt.load(Uploaded, FILES) or attempt.load(Uploaded, LINKS)
        self._fraction = DoneFraction.READ if has_files else DoneFraction.CONNECTED

    async def begin(self) -> None:
        """Begin to count: the message goes to the agent now."""
        self._known = await self._usual_times.load()
        self._began_s = self._attempt.clock.monotonic_s()
        self._times_s = self._known[self._timed_stage]
        self.show("progress.turn")

    def show(
        self,
        stage: str,
        timed_stage: TimedStage = TimedStage.EDIT,
        preview: Callable[[], str] | None = None,
        readable_s: float = 0.0,
    ) -> None:
        """Show a stage.

        Args:
            stage: Key of its text.
            timed_stage: What the agent is doing, as it is timed.
            preview: Returns the agent's words so far.
            readable_s: Seconds for which the text stays, above the stages that follow.
        """
        usual_s = median(self._known[timed_stage])
        if usual_s > median(self._known[self._timed_stage]):
            self._timed_stage, elapsed_s = timed_stage, self._attempt.clock.monotonic_s() - self._began_s
            longer = tuple(time_s - elapsed_s for time_s in self._known[timed_stage] if time_s > elapsed_s)
            self._times_s = longer or (LEAST_LEFT * usual_s,)
        estimates_s = () if readable_s else self._times_s
        expected_s = median(self._times_s)
        self._report(stage, expected_s, estimates_s=estimates_s, preview=preview, readable_s=readable_s)

    def show_recovery(self) -> None:
        """Show that the answer's stream broke, and its outcome is looked for."""
        self._report("progress.recovering", USUAL_RECOVERY_S)

    async def learn(self) -> None:
        """Note how long the turn took, which has ended well."""
        await self._usual_times.learn(self._timed_stage, self._attempt.clock.monotonic_s() - self._began_s)

    def _report(self, stage: str, expected_s: float, **fields: Any) -> None:
        self._attempt.responder.report_progress(
            Progress(
                stage, fraction=self._fraction, until=DoneFraction.ANSWERED, expected_s=expected_s, **fields
            )
        )
