"""What the progress message shows while the agent works."""

import re
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from bot.jobs.checkpoints import FILES, LINKS, Uploaded
from bot.jobs.messages import DoneFraction, Progress
from bot.jobs.queue.usual_times import BEFORE_LEARNING_S, TimedStage, UsualTimes
from bot.jobs.worker.attempt import Attempt
from bot.nemo import lenient_json as read

LEAST_LEFT = 0.25
"""What is left at least of work that turned out to be longer than it looked, as a share of its usual time."""

USUAL_RECOVERY_S = 120.0


GENERATING = "progress.turn_tool_generate"
EDITING = "progress.turn_tool_edit"

_STAGES = tuple(
    (re.compile(words), stage, work)
    for words, stage, work in (
        (
            "music|suno|audio|voice|sound|speech|tts|dubb|narrat",
            "progress.turn_tool_sound",
            TimedStage.SOUND,
        ),
        ("understand|analy", "progress.turn_tool_look", TimedStage.EDIT),
        (
            "(?:text|image|img|photo|picture)_?(?:to|2)_?video|seedance|[ti]2v|animate"
            "|^(?!.*(?:image|picture|photo|thumb|cover|title|caption|subtitle|script|storyboard|prompt|text))"
            ".*(?:generat|create_?video)",
            GENERATING,
            TimedStage.GENERATION,
        ),
        (
            "edit|trim|cut|track|draft|timeline|title|add|set|caption",
            EDITING,
            TimedStage.EDIT,
        ),
    )
)
"""What the name of a tool contains, the stage that it stands for, and what is timed as such. Pictures and words are no
video, also those for one."""

_SUCCESSES = (
    "",
    *["ok", "success", "succeeded", "successful", "complete", "completed", "done", "finished", "ready"],
)
_PENDING = (
    *("pending", "queued", "submitted", "accepted", "scheduled", "started"),
    *("running", "processing", "in_progress", "generating", "working"),
)
_MAX_WRAPPERS = 3
_RESULTS = ("result", "output", "data", "response")


def stage_of(tool: str) -> tuple[str, TimedStage]:
    """Return the stage that a tool's name stands for, and what it is timed as."""
    name = tool.lower()
    found = ((stage, work) for words, stage, work in _STAGES if words.search(name))
    return next(found, ("progress.turn_tool_other", TimedStage.EDIT))


def has_succeeded(result: object, depth: int = _MAX_WRAPPERS) -> bool:
    """Return whether a tool's result is neither an error nor pending."""
    if isinstance(result, str) and not read.mapping(result):
        return not re.match(r"\W*(?:error|fail|exception|traceback)", result, re.IGNORECASE)
    source = read.mapping(result)
    states = ((read.text(source.get(name)) or "").lower() for name in ("status", "state"))
    refusals = (
        source.get("error"),
        source.get("isError"),
        source.get("success") is False,
        source.get("ok") is False,
    )
    if any(refusals) or any(state not in _SUCCESSES for state in states):
        return False
    inner = (source[name] for name in _RESULTS if name in source)
    return not depth or all(has_succeeded(one, depth - 1) for one in inner)


def is_pending(result: object, depth: int = _MAX_WRAPPERS) -> bool:
    """Return whether a tool's result only says that its work has begun: the rest may outlast the turn."""
    source = read.mapping(result)
    states = ((read.text(source.get(name)) or "").lower() for name in ("status", "state"))
    inner = (source[name] for name in _RESULTS if name in source)
    return any(state in _PENDING for state in states) or (
        depth > 0 and any(is_pending(one, depth - 1) for one in inner)
    )


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
        self._work = TimedStage.EDIT
        self._times_s = self._known[self._work]
        has_files = attempt.load(Uploaded, FILES) or attempt.load(Uploaded, LINKS)
        self._fraction = DoneFraction.READ if has_files else DoneFraction.CONNECTED

    async def begin(self) -> None:
        """Begin to count: the message goes to the agent now."""
        self._known = await self._usual_times.load()
        self._began_s = self._attempt.clock.monotonic_s()
        self._times_s = self._known[self._work]
        self.show("progress.turn")

    def show(
        self,
        stage: str,
        work: TimedStage = TimedStage.EDIT,
        preview: Callable[[], str] | None = None,
        readable_s: float = 0.0,
    ) -> None:
        """Show a stage.

        Args:
            stage: Key of its text.
            work: What the agent is doing.
            preview: Returns the agent's words so far.
            readable_s: Seconds for which the text stays, above the stages that follow.
        """
        usual_s = median(self._known[work])
        if usual_s > median(self._known[self._work]):
            self._work, elapsed_s = work, self._attempt.clock.monotonic_s() - self._began_s
            longer = tuple(time_s - elapsed_s for time_s in self._known[work] if time_s > elapsed_s)
            self._times_s = longer or (LEAST_LEFT * usual_s,)
        estimates_s = () if readable_s else self._times_s
        expected_s = median(self._times_s)
        self._report(stage, expected_s, estimates_s=estimates_s, preview=preview, readable_s=readable_s)

    def show_recovery(self) -> None:
        """Show that the answer's stream broke, and its outcome is looked for."""
        self._report("progress.recovering", USUAL_RECOVERY_S)

    async def learn(self) -> None:
        """Note how long the turn took, which has ended well."""
        await self._usual_times.learn(self._work, self._attempt.clock.monotonic_s() - self._began_s)

    def _report(self, stage: str, expected_s: float, **fields: Any) -> None:
        self._attempt.responder.report_progress(
            Progress(
                stage, fraction=self._fraction, until=DoneFraction.ANSWERED, expected_s=expected_s, **fields
            )
        )
