"""One message to the agent, which is sent once, and its answer, which is read as a stream or found in the project."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

import structlog

from bot.jobs.buttons import Retry
from bot.jobs.checkpoints import (
    AFTER,
    AgentAnswered,
    Checkpoint,
    KeptDraft,
    PendingAnswer,
    PromptSent,
    Turn,
    before_turn,
)
from bot.jobs.messages import AgentMessage, Button, LocalizedMessage
from bot.jobs.question_messages import in_words
from bot.jobs.queue.credit_limits import CreditLimits
from bot.jobs.queue.usual_times import TimedStage, UsualTimes
from bot.jobs.steps.agent_answer import TURN_CALL, may_be_tools
from bot.jobs.steps.agent_files import AgentFiles
from bot.jobs.steps.agent_tools import EDITING, stage_of
from bot.jobs.steps.credits_use import GRACE_S, CreditsUse, TurnCredits
from bot.jobs.steps.pending_generations import Announced, AnnouncedKind, PendingGenerations
from bot.jobs.steps.stream_timeout import StreamTimeout
from bot.jobs.steps.turn_draft import (
    DraftUnchanged,
    TurnDraft,
    TurnLimits,
    digest_of,
    draft_after,
    draft_before,
    new_videos,
)
from bot.jobs.steps.turn_progress import TurnProgress
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.agent_file import AgentFile
from bot.nemo.drafts import Draft
from bot.nemo.errors import (
    AuthError,
    NemoError,
    RateLimited,
    ServiceError,
    SessionGone,
    StreamBroken,
    WarmingUp,
)
from bot.nemo.events import (
    AgentQuestion,
    AgentText,
    Completeness,
    Event,
    KeepAlive,
    Thought,
    ToolCall,
    ToolResult,
)
from bot.nemo.failures import FailureKind, failure_kind
from bot.nemo.questions import QuestionSet, asks, has_answer
from bot.nemo.stream_errors import StreamError
from bot.nemo.turn_text import TurnText
from bot.projects.projects import Project, Projects
from bot.runtime.tasks import cancel
from bot.words import Words, names_format
from bot.words.screen_talk import remove_screen_talk

log = structlog.get_logger(__name__)

SAVE_TEXT_EVERY_S = 2.0
"""How often the words so far are saved, for an attempt that has to go on without the stream."""

RAW_READABLE_S = 60.0  # how long the news that the raw video is there stays above what follows
RAW_PAUSE_S = 5.0
"""If an answer goes on for this long after a video was made, a second stage is shown."""

MAX_ANSWER_CHARS = 20_000

_OF_THE_WORK = (FailureKind.POLICY, FailureKind.PERSON, FailureKind.QUOTA)

PREVIEW_CHARS = 2000  # the newest of the words so far: what the progress message can show at most


class AgentTextSoFar(Checkpoint):
    """Saved now and then while the agent answers, for an attempt that has to go on without the stream."""

    name = "agent_text"
    text: str = ""
    question_set: QuestionSet | None = None  # what it asked so far: nothing of it shows in the project
    announced: Announced | None = None  # what may come later


class RawVideoAnnounced(Checkpoint):
    """Saved right before the chat is notified that a video is there while the agent goes on with music and titles."""

    name = "raw_video_announced"


@dataclass(slots=True)
class _Received:
    """What a stream brought so far."""

    text: TurnText = field(default_factory=TurnText)
    error: StreamError | None = None
    text_at_error: str = ""
    question_set: QuestionSet | None = None
    events: int = 0  # without keep-alives
    files: int = 0
    has_worked: bool = False  # a tool was called that changes the project
    generations: PendingGenerations = field(default_factory=PendingGenerations)
    raw_video_task: asyncio.Task[None] | None = None  # since a tool made a video


class _Broken(Exception):
    """The stream ended in a way that leaves open what the agent did."""


class AgentTurn:
    """One message to the agent with its answer.

    Args:
        projects: The chats' projects.
        turn_limits: Times of the agent's answer.
        credit_limits: Daily limits of what the operator's account spends.
        usual_times: How long turns usually take.
        attempt: The attempt at the job.
        turn: The message.
    """

    def __init__(
        self,
        projects: Projects,
        turn_limits: TurnLimits,
        credit_limits: CreditLimits,
        usual_times: UsualTimes,
        attempt: Attempt,
        turn: Turn,
    ) -> None:
        self._projects = projects
        self._limits = turn_limits
        self._turn = turn
        self._attempt = attempt
        self._clock = attempt.clock
        self._progress = TurnProgress(attempt, usual_times)
        self._spending = TurnCredits(projects, credit_limits, attempt, turn)
        self._draft = TurnDraft(projects, turn_limits, attempt, turn)
        self._form = ""

    async def run(self) -> AgentAnswered:
        """Send the message, unless an earlier attempt did, and return the saved outcome."""
        received, use = _Received(), None
        asked = self._attempt.load(PromptSent, self._turn.key)
        if asked is not None:
            return await self._go_on_without_stream(self._so_far())
        lost = self._attempt.lost
        try:
            await self._projects.call(
                self._attempt.job,
                lambda project: self._ask(project, received),
                on_loss=lost.end if self._attempt.variation else lost.offer,
            )
        except _Broken as error:
            log.warning("ask_agent.broken", reason=str(error))
            after = await self._recover(received.question_set, self._announced(received))
        else:
            if received.error is None and received.question_set is None:
                await self._progress.learn()
            after, use = await self._after_turn(received)
        return await self._save_answer(
            received.text.text,
            after,
            received.error,
            received.question_set,
            received.files,
            use,
            announced=self._announced(received),
        )

    def _announced(self, received: _Received) -> Announced | None:
        """Return what may come after the turn."""
        announced = received.generations.announced if _leaves_work(received.error) else None
        return announced or self._announced_earlier()

    def _announced_earlier(self) -> Announced | None:
        """Return what was announced before the agent's question and was not there when this turn began."""
        earlier = self._attempt.load(AgentAnswered)
        if earlier is None or earlier.turn == self._turn.number or not earlier.still_generating:
            return None
        turns = (Turn(number=number) for number in range(earlier.turn, 0, -1))
        saved = ((turn, so_far) for turn in turns if (so_far := self._attempt.load(AgentTextSoFar, turn.key)))
        found = ((turn, so_far.announced) for turn, so_far in saved if so_far.announced)
        turn, announced = next(found, (Turn(number=earlier.turn), Announced()))
        before, now = draft_after(self._attempt), draft_before(self._attempt, self._turn)
        if announced.kind is AnnouncedKind.WORK:
            return announced if digest_of(before) == digest_of(now) else None
        new = new_videos(draft_before(self._attempt, turn), before)
        left = announced.videos + min(new, announced.made) - new - new_videos(before, now)
        return announced.changed(videos=left, made=0) if left > 0 else None

    async def _go_on_without_stream(self, so_far: AgentTextSoFar) -> AgentAnswered:
        """End the turn of an attempt that died: it had sent the message, or was about to."""
        if so_far.question_set is None:
            await self._attempt.lost.end_if_lost_since_asked()
        announced = so_far.announced or self._announced_earlier()
        after = await self._recover(so_far.question_set, announced)
        return await self._save_answer(
            so_far.text, after, question_set=so_far.question_set, announced=announced
        )

    async def _after_turn(self, received: _Received) -> tuple[Draft | None, CreditsUse]:
        """Return the draft, and the use of credits; the draft hardly waits for that."""
        has_answer = bool(received.text.text.strip() or received.question_set or received.files)
        has_worked = received.has_worked and received.question_set is None
        may_lag = not has_answer or has_worked or received.error is not None
        announced = self._announced(received)
        if announced and received.question_set is None:
            draft = await self._draft.wait_for_announced(announced)
            use = await self._spending.read_after()
        else:
            reading = asyncio.create_task(self._spending.read_after())
            try:
                draft = await self._draft.read_after_turn(may_lag=may_lag)
                await asyncio.wait({reading}, timeout=GRACE_S)
                use = reading.result() if reading.done() else CreditsUse()
            finally:
                reading.cancel()
        if announced and not self._draft.has_announced(draft, announced):
            use = CreditsUse()  # Charged when it is done: until a balance shows it, the estimate stands.
        await self._spending.record_use(use)
        return draft, use

    def _prompt_for(self, project: Project) -> str:
        prompt = self._attempt.job.prompt
        if self._turn.prompt:
            first = self._attempt.load(PromptSent) or PromptSent()
            is_new_project = first.session_id != project.session_id  # Nothing was asked for in it.
            prompt = f"{prompt}\n\n{self._turn.prompt}" if is_new_project else self._turn.prompt
        return f"{prompt}\n\n{self._form}" if self._form else prompt

    async def _default_format(self, project: Project) -> str:
        """Return the words for the chat's default format, which go with the project's first request."""
        job = self._attempt.job
        is_first = (await self._projects.chats.get_for(job)).answer_session_id != project.session_id
        if not is_first or names_format(job.prompt):
            return ""
        ratio = (await self._projects.chats.brands.load(job.chat)).ratio
        return Words(job.language).plain("prompt.default_format", ratio=ratio) if ratio else ""

    def _so_far(self) -> AgentTextSoFar:
        return self._attempt.load(AgentTextSoFar, self._turn.key) or AgentTextSoFar()

    async def _ask(self, project: Project, received: _Received) -> None:
        """Send the message and read the stream to its end.

        Raises:
            _Broken: The message may have arrived, and its answer did not, or not whole.
            NemoError: It was refused, or never arrived.
        """
        draft, asked = await self._reserve_turn(project)
        await self._progress.begin()
        self._form = await self._default_format(project)
        # Last of all: after this, nobody can tell whether an attempt that died has sent the message.
        await self._attempt.save_all((KeptDraft.of(draft), before_turn(self._turn)), (asked, self._turn.key))
        try:
            await self._read_stream(project, received)
        except NemoError as error:
            if isinstance(error, StreamBroken) or (error.outcome_unknown and not _is_refusal(error)):
                raise _Broken(str(error)) from error
            await self._spending.record_use(CreditsUse(0))
            raise
        # Once the agent has begun to work the message was paid for: an error that follows is not a refusal.
        if received.error is not None and received.events == 0:
            refusal = received.error.as_error(TURN_CALL)
            if _is_refusal(refusal) and not await self._may_have_begun(project, refusal):
                received.error = None
                await self._spending.record_use(CreditsUse(0))
                raise refusal

    async def _may_have_begun(self, project: Project, refusal: NemoError) -> bool:
        """Return whether the agent has changed the draft without a word, or may have begun to work."""
        try:
            draft = (await self._projects.nemo.get_state(project.credentials, project.session_id)).draft
        except NemoError as error:
            # A token or session that is refused here too was refused before the agent could begin.
            return not (isinstance(error, AuthError | SessionGone) and isinstance(error, type(refusal)))
        # Words about a token or session that can still be read are about another one, such as a tool's.
        return may_be_tools(refusal) or self._draft.is_other(draft)

    async def _reserve_turn(self, project: Project) -> tuple[Draft | None, PromptSent]:
        """Read the draft and the credits, then reserve credits for the turn and count it.

        Raises:
            JobEnded: A person has to agree to use the last credits, or today's limit doesn't allow the turn.
            NemoError: The project can't be read.
        """
        task = asyncio.create_task(self._spending.read(project))
        try:
            state = await self._projects.nemo.get_state(project.credentials, project.session_id)
            reading = await task
        finally:
            task.cancel()
        await self._spending.ensure_generation_chosen(reading.available)
        await self._spending.ensure_enough(reading.available)
        await self._spending.reserve(project, reading)
        return state.draft, PromptSent(
            draft_digest=digest_of(state.draft),
            session_id=project.session_id,
            credits_before=reading.available,
            turns_before=await self._spending.turns_before(project),
        )

    async def _read_stream(self, project: Project, received: _Received) -> None:
        stream_timeout = StreamTimeout(self._clock, self._limits.silent_s, self._limits.total_s)
        consumer = asyncio.create_task(self._consume(project, received, stream_timeout))
        watchdog = asyncio.create_task(stream_timeout.wait_until_over())
        try:
            await asyncio.wait({consumer, watchdog}, return_when=asyncio.FIRST_COMPLETED)
            if not consumer.done():
                raise _Broken("silent for too long")
            await consumer
        finally:
            await cancel(consumer, watchdog, received.raw_video_task)

    async def _announce_raw_video(self) -> None:
        """Say that a video is there, if the agent goes on with music, titles and effects by itself."""
        await self._clock.sleep(RAW_PAUSE_S)
        await self._attempt.save(RawVideoAnnounced())
        self._progress.show("answer.raw_ready", readable_s=RAW_READABLE_S)

    async def _consume(self, project: Project, received: _Received, stream_timeout: StreamTimeout) -> None:
        saved_s, is_unsaved = self._clock.monotonic_s(), False
        saved = (received.question_set, received.generations.announced)
        nemo = self._projects.nemo
        files = AgentFiles(self._attempt, nemo, project, self._attempt.turn_id(self._turn.number))
        async with contextlib.aclosing(
            nemo.send_message(project.credentials, project.session_id, self._prompt_for(project))
        ) as events:
            async for event in events:
                if isinstance(event, KeepAlive):
                    continue
                stream_timeout.reset()
                if isinstance(event, AgentFile):
                    await files.send(event)
                    received.files = files.count
                is_unsaved = self._receive(event, received) or is_unsaved
                # A large file may follow, which takes its time and can't be fetched again.
                is_whole = isinstance(event, AgentText) and event.completeness is Completeness.COMPLETE
                del event  # It may hold a whole draft, and the next may be minutes away.
                now_s = self._clock.monotonic_s()
                is_due = is_whole or now_s - saved_s >= SAVE_TEXT_EVERY_S
                new = (received.question_set, received.generations.announced)
                if new != saved or (is_unsaved and is_due):
                    saved_s, saved, is_unsaved = now_s, new, False
                    so_far = AgentTextSoFar(
                        text=bounded_answer(received.text.text),
                        question_set=self._question(received.question_set),
                        announced=received.generations.announced,
                    )
                    await self._attempt.save(so_far, self._turn.key)

    def _receive(self, event: Event, received: _Received) -> bool:
        """Take in an event; return whether the text may have changed."""
        match event:
            case StreamError():
                if (
                    received.question_set is None
                ):  # A person can still answer; an error that lasts comes again then.
                    received.error, received.text_at_error = event, received.text.text
                return False
            case AgentFile() | Thought():
                received.events += 1
            case AgentQuestion(asked=asked):
                received.events += 1
                before = received.question_set
                received.question_set = asked if before is None else before.joined(asked)
                received.error = None  # The agent went on.
            case ToolCall(name=name):
                received.events += 1
                stage, work = stage_of(name)
                received.has_worked |= stage == EDITING or work is not TimedStage.EDIT
                received.generations.take(event)
                self._show(stage, work, received)
            case ToolResult(name=name, result=result) if asks(name):
                if has_answer(result):
                    received.question_set = None  # The agent has answered it by itself.
            case ToolResult() if received.generations.take(event):
                received.raw_video_task = received.raw_video_task or asyncio.create_task(
                    self._announce_raw_video()
                )
        changed = received.text.add(event)
        if changed and received.error is not None and received.text.text != received.text_at_error:
            received.error = None  # The agent went on: the last word counts.
        if changed:
            received.events += 1
            self._show("progress.turn", TimedStage.EDIT, received)
        return changed

    def _show(self, stage: str, timed_stage: TimedStage, received: _Received) -> None:
        self._progress.show(
            stage, timed_stage, lambda: remove_screen_talk(received.text.text[-PREVIEW_CHARS:]).text
        )

    async def _recover(self, question_set: QuestionSet | None, announced: Announced | None) -> Draft | None:
        """Look at the project until its draft has changed, or for as long as what was announced may take.

        A question changes nothing there.

        Raises:
            JobEnded: It never did, and nothing was announced.
        """
        if question_set is not None:
            return await self._draft.read()
        self._progress.show_recovery()
        if announced:
            return await self._draft.wait_for_announced(announced)
        with contextlib.suppress(DraftUnchanged):
            return await self._draft.wait_for_change()
        log.warning("ask_agent.lost")
        text = self._so_far().text
        if text:
            await self._attempt.save(PendingAnswer(message=AgentMessage(remove_screen_talk(text).text)))
        raise JobEnded(
            LocalizedMessage(
                "error.stream_lost", buttons=(Button("button.retry", Retry(self._attempt.job.id)),)
            )
        )

    async def _save_answer(
        self,
        text: str,
        after: Draft | None,
        error: StreamError | None = None,
        question_set: QuestionSet | None = None,
        files: int = 0,
        use: CreditsUse | None = None,
        *,
        announced: Announced | None = None,
    ) -> AgentAnswered:
        earlier, first = self._attempt.load(AgentAnswered), self._attempt.load(PromptSent) or PromptSent()
        used = (use and self._attempt.job.chat.is_private and use.used) or 0
        has_changed = self._draft.is_unread or digest_of(after) != first.draft_digest
        # Where the draft can't be read, an export shows what there is.
        is_missing = (
            announced is not None
            and not self._draft.is_unread
            and not self._draft.has_announced(after, announced)
        )
        answered = AgentAnswered(
            text=bounded_answer(text),
            has_changed=has_changed,
            still_generating=is_missing,
            failed=error is not None,
            reason="" if error is None else f"{error.reason or ''} {error.message}".strip(),
            code=None if error is None else error.code,
            raw_video_announced=self._attempt.load(RawVideoAnnounced) is not None,
            question_set=self._question(question_set) if error is None else None,
            turn=self._turn.number,
            files=files,
            credits_used=used + (earlier.credits_used if earlier is not None and used else 0),
            credits_left=use.left if use and used else 0,
        )
        await self._attempt.save_all((KeptDraft.of(after), AFTER), (answered, ""))
        return answered

    def _question(self, asked: QuestionSet | None) -> QuestionSet | None:
        return None if asked is None else in_words(asked, Words(self._attempt.job.language))


def bounded_answer(text: str) -> str:
    """Return as much of the agent's words as is kept: more than any chat is shown, and no long work."""
    return text[:MAX_ANSWER_CHARS]


def _leaves_work(error: StreamError | None) -> bool:
    """Return whether what was announced may still come, though the turn ended with an error.

    What is said of the content or of credits is most likely said of just that.
    """
    if error is None:
        return True
    is_of_turn = type(error.as_error(TURN_CALL)) in (ServiceError, RateLimited, WarmingUp)
    reason = f"{error.code or ''} {error.reason or ''} {error.message}"
    return is_of_turn and failure_kind(reason) not in _OF_THE_WORK


def _is_refusal(error: NemoError) -> bool:
    """Return whether the service certainly refused the message, so that it may be sent again after a repair."""
    return isinstance(error, (AuthError, SessionGone, RateLimited, WarmingUp))
