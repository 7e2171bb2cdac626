"""Turn: the request goes to the agent, once, and its answer to the chat.

A message is charged when it is sent, so it is never sent again once it may have arrived. What was lost then is
found by comparing the project with how it was before (``recover``).
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.jobs.buttons import Retry
from bot.jobs.messages import AgentMessage, Button, LocalizedMessage, Progress
from bot.jobs.steps.agent_answer import TURN_CALL, send_answer
from bot.jobs.steps.service_errors import ended_by
from bot.jobs.worker.runner import Attempt, JobEnded, Step
from bot.nemo.answers import ProjectState
from bot.nemo.drafts import digest
from bot.nemo.errors import (
    AuthError,
    NemoError,
    RateLimited,
    ServiceError,
    SessionGone,
    StreamBroken,
    TransportError,
    UnexpectedAnswer,
)
from bot.nemo.events import Event, KeepAlive, StreamError, ToolCall, ToolResult
from bot.nemo.turns import TurnText
from bot.projects.projects import Project, Projects
from bot.skills import Cards
from bot.words.screen_talk import translate

log = structlog.get_logger(__name__)

FRACTION_BEFORE, FRACTION_AFTER = 0.3, 0.6

USUAL_EDIT_S = 30.0
USUAL_GENERATION_S = 300.0
"""How long an edit and generating video usually take; moves the bar on."""

KEEP_TEXT_EVERY_S = 2.0
"""How often the words that came so far are saved, for an attempt that has to go on without the stream."""

RAW_PAUSE_S = 5.0
"""A turn that goes on so long after a video was made has a second stage."""

PREVIEW_CHARS = 2000
"""Of the words that came so far, the newest: what the live message could show at most."""

GENERATING = "progress.turn_tool_generate"


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """Times of a turn, in seconds; the defaults are the service's own advice.

    Args:
        silent_s: Of nothing but keep-alives, after which the stream counts as broken.
        total_s: A turn may take in all.
        recovery_first_s: After a broken stream, until the project is looked at.
        recovery_every_s: Between the looks after that.
        recovery_readings: Unchanged looks after which the turn counts as failed.
    """

    silent_s: float = 600.0
    total_s: float = 900.0
    recovery_first_s: float = 30.0
    recovery_every_s: float = 60.0
    recovery_readings: int = 5


@dataclass(slots=True)
class _Heard:
    """What came of a stream so far."""

    text: TurnText = field(default_factory=TurnText)
    error: StreamError | None = None
    events: int = 0  # more than keep-alives
    herald: asyncio.Task[None] | None = None  # since a tool has made a video


class _Broken(Exception):
    """The stream ended in a way that leaves open what the agent did."""


def ask_agent(projects: Projects, options: TurnLimits, cards: Cards) -> Step:
    """The step that asks the agent and tells the chat what came of it."""

    async def step(attempt: Attempt) -> None:
        if not attempt.job.text:
            return
        try:
            if attempt.get_value("turn") is None:
                await _Turn(projects, options, attempt).run()
            await send_answer(projects, cards, attempt)
        except NemoError as error:
            raise await ended_by(projects, attempt.job, error) from error

    return step


class _Turn:
    """One turn; ends with the checkpoint ``ask_agent``: text, drafts before and after, error."""

    def __init__(self, projects: Projects, options: TurnLimits, attempt: Attempt) -> None:
        self._projects = projects
        self._options = options
        self._run = attempt
        self._clock = attempt.clock

    async def run(self) -> None:
        asked = self._run.get_value("asked")
        if asked is not None:
            # An attempt that died here had sent the message, or was about to: only the project can tell.
            after = await self._recover(asked["before"])
            return await self._done(self._run.get_value("turn_text") or "", asked["before"], after)
        heard = _Heard()
        try:
            await self._projects.call(
                self._run.job, lambda project: self._ask(project, heard), on_new_session=self._session_gone
            )
        except _Broken as error:
            log.warning("turn.broken", reason=str(error))
            before = self._run.get_value("asked")["before"]
            return await self._done(heard.text.text, before, await self._recover(before), heard.error)
        before = self._run.get_value("asked")["before"]
        after = (await self._state()).draft
        return await self._done(heard.text.text, before, after.raw if after else None, heard.error)

    async def _ask(self, project: Project, heard: _Heard) -> None:
        """Send the message and listen until the turn's end.

        Raises:
            _Broken: The message may have arrived, and its answer did not, or not whole.
            NemoError: It was refused, or never arrived.
        """
        state = await self._projects.nemo.state(project.who, project.session_id)
        await self._run.save_value("asked", {"before": state.draft.raw if state.draft else None})
        self._run.responder.report_progress(_stage("progress.turn", USUAL_EDIT_S))
        try:
            await self._listen(project, heard)
        except NemoError as error:
            if isinstance(error, StreamBroken) or (error.outcome_unknown and not _is_refusal(error)):
                raise _Broken(str(error)) from error
            raise
        if heard.error is not None and heard.events == 0:
            refusal = heard.error.as_error(TURN_CALL)
            if _is_refusal(refusal):
                heard.error = None
                raise refusal

    async def _listen(self, project: Project, heard: _Heard) -> None:
        signs = _SignsOfLife(self._run, self._options)
        consumer = asyncio.create_task(self._consume(project, heard, signs))
        watchdog = asyncio.create_task(signs.until_lost())
        try:
            await asyncio.wait({consumer, watchdog}, return_when=asyncio.FIRST_COMPLETED)
            if not consumer.done():
                raise _Broken("silent for too long")
            await consumer
        finally:
            tasks = [task for task in (consumer, watchdog, heard.herald) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell_raw(self) -> None:
        """Tell at once that a video was made, when the agent goes on with music, titles and effects by itself."""
        await self._clock.sleep(RAW_PAUSE_S)
        await self._run.save_value("raw_told", True)
        await self._run.responder.send("raw", LocalizedMessage("answer.raw_ready"))

    async def _consume(self, project: Project, heard: _Heard, signs: _SignsOfLife) -> None:
        kept_s = self._clock.monotonic_s()
        nemo = self._projects.nemo
        async with contextlib.aclosing(
            nemo.send_message(project.who, project.session_id, self._run.job.text)
        ) as events:
            async for event in events:
                if isinstance(event, KeepAlive):
                    continue
                signs.heard()
                changed = self._take(event, heard)
                del event  # It may hold a whole draft, and the next may be minutes away.
                now_s = self._clock.monotonic_s()
                if changed and now_s - kept_s >= KEEP_TEXT_EVERY_S:
                    kept_s = now_s
                    await self._run.save_value("turn_text", heard.text.text)

    def _take(self, event: Event, heard: _Heard) -> bool:
        """Take in an event; tells whether the text may have changed."""
        match event:
            case StreamError():
                heard.error = event
                return False
            case ToolCall(name=name):
                heard.events += 1
                stage, usual_s = _stage_of(name)
                self._show(stage, usual_s, heard)
            case ToolResult(name=name) if _stage_of(name)[0] == GENERATING:
                heard.herald = heard.herald or asyncio.create_task(self._tell_raw())
        changed = heard.text.add(event)
        if changed:
            heard.events += 1
            self._show("progress.turn", USUAL_EDIT_S, heard)
        return changed

    def _show(self, stage: str, usual_s: float, heard: _Heard) -> None:
        self._run.responder.report_progress(
            _stage(stage, usual_s, translate(heard.text.text[-PREVIEW_CHARS:]).text)
        )

    async def _recover(self, before: Any) -> Any:
        """Look at the project until it has changed.

        Returns:
            The raw draft as it is then.

        Raises:
            Ended: It never did.
        """
        self._run.responder.report_progress(_stage("progress.recovering", USUAL_GENERATION_S))
        await self._clock.sleep(self._options.recovery_first_s)
        for reading in range(self._options.recovery_readings):
            if reading:
                await self._clock.sleep(self._options.recovery_every_s)
            try:
                draft = (await self._state()).draft
            except (TransportError, UnexpectedAnswer, ServiceError) as error:
                if isinstance(error, AuthError | SessionGone):
                    raise
                log.warning("turn.reading_failed", reading=reading, error=str(error))
                continue
            raw = draft.raw if draft else None
            if digest(raw) != digest(before):
                log.info("turn.recovered", reading=reading)
                return raw
        log.warning("turn.lost")
        text = self._run.get_value("turn_text")
        if text:
            await self._run.responder.send("partial", AgentMessage(translate(text).text))
        raise JobEnded(
            LocalizedMessage("error.stream_lost", buttons=(Button("button.retry", Retry(self._run.job.id)),))
        )

    async def _done(self, text: str, before: Any, after: Any, error: StreamError | None = None) -> None:
        reason = "" if error is None else error.message or error.reason or str(error.code or "")
        code = None if error is None else error.code
        await self._run.save_value(
            "turn",
            {
                "text": text,
                "before": before,
                "after": after,
                "failed": error is not None,
                "reason": reason,
                "code": code,
                "raw_told": bool(self._run.get_value("raw_told")),
            },
        )

    async def _session_gone(self) -> None:
        await self._run.responder.send("session_gone", LocalizedMessage("error.session_gone"))

    async def _state(self) -> ProjectState:
        nemo = self._projects.nemo
        return await self._projects.call(
            self._run.job, lambda project: nemo.state(project.who, project.session_id)
        )


class _SignsOfLife:
    """Judges a stream's silence."""

    def __init__(self, attempt: Attempt, options: TurnLimits) -> None:
        self._clock = attempt.clock
        self._options = options
        self._began_s = self._last_s = self._clock.monotonic_s()

    def heard(self) -> None:
        """Something came that is more than a keep-alive."""
        self._last_s = self._clock.monotonic_s()

    async def until_lost(self) -> None:
        """Return when there has been only silence for too long, or the turn takes too long in all."""
        while True:
            end_s = min(self._last_s + self._options.silent_s, self._began_s + self._options.total_s)
            left_s = end_s - self._clock.monotonic_s()
            if left_s <= 0:
                return
            await self._clock.sleep(left_s)


def _is_refusal(error: NemoError) -> bool:
    """Whether the message certainly was not taken, so that it may be sent again after mending."""
    return isinstance(error, (AuthError, SessionGone, RateLimited))


def _stage(stage: str, usual_s: float, preview: str = "") -> Progress:
    return Progress(
        stage,
        fraction=FRACTION_BEFORE,
        until=FRACTION_AFTER,
        expected_s=usual_s,
        preview=preview,
    )


def _stage_of(tool: str) -> tuple[str, float]:
    """What a tool's name says of the stage."""
    name = tool.lower()
    if any(word in name for word in ("generate", "create_video", "text_to_video", "t2v", "i2v")):
        return GENERATING, USUAL_GENERATION_S
    if any(
        word in name for word in ("edit", "trim", "cut", "track", "draft", "timeline", "title", "add", "set")
    ):
        return "progress.turn_tool_edit", USUAL_EDIT_S
    return "progress.turn_tool_other", USUAL_EDIT_S
