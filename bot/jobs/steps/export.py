"""Export: render the draft as an MP4 and fetch it, ready for sending.

Which version is rendered, and what of the request the service can't meet: ``version_to_render.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import TypeVar

import structlog

from bot.chats.chats import ChatFields
from bot.jobs.buttons import PlaceFiles, Retry
from bot.jobs.checkpoints import (
    AgentAnswered,
    Checkpoint,
    Exported,
    LinkReason,
    PendingAnswer,
    RawDraft,
    RenderStarted,
    worked_since,
)
from bot.jobs.messages import Button, Bytes, DoneFraction, LocalizedMessage, Param, Progress
from bot.jobs.model import JobKind, JobState
from bot.jobs.next_steps import next_steps
from bot.jobs.payloads import EditPayload, ExportPayload
from bot.jobs.ports import Result
from bot.jobs.queue.usual_times import TimedStage, UsualTimes, left_s
from bot.jobs.steps.agent_answer import RenderSkipped, wants_export
from bot.jobs.steps.connect import nothing_to_export
from bot.jobs.steps.result_download import NoRoom, TooLarge, fetch, fetch_ahead
from bot.jobs.steps.service_errors import ended_by
from bot.jobs.steps.timeline import unplaced_message
from bot.jobs.steps.version_to_render import unmet_output_options, version_to_render
from bot.jobs.worker.attempt import Attempt, Interruption, JobEnded
from bot.media.shrink import MAX_SOURCE_BYTES
from bot.nemo.answers import ProjectState
from bot.nemo.errors import (
    ExportNotInPlan,
    HostNotAllowed,
    NemoError,
    RenderIdTaken,
    ServiceError,
    TransportError,
    UnexpectedAnswer,
    plan_refusal,
)
from bot.nemo.failures import failure_kind
from bot.nemo.project_files import unplaced_files, with_public_sources
from bot.nemo.render_answers import Render, RenderStatus, next_poll_s
from bot.projects.projects import Project, Projects
from bot.runtime import metrics
from bot.runtime.arriving_file import ArrivingFile
from bot.skills.cards import SkillCards

log = structlog.get_logger(__name__)

T = TypeVar("T")

USUAL_FETCH_S = 10.0
RELIABLE_PERCENT = 20.0
"""Above this the time left comes from the service's percentage alone; below, the percentage counts in proportion."""

RENDERS = 2
"""A failed render is tried once more, under a new id."""

SILENT_POLLS = 10
"""Polls in a row without an answer, after which NemoVideo counts as down."""

LOST_POLLS = 2
"""Polls in a row at which NemoVideo does not know the render, after which it counts as failed."""

FETCHES = 3
FETCH_PAUSE_S = 2.0

CANCEL_TIMEOUT_S = 5.0

_AGAIN_LATER = ("error.busy", "error.nemo_down", "error.refused")


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """Times of a render, in seconds.

    Args:
        poll_s: The longest pause between two polls.
        total_s: How long one render may take in all, however many attempts look at it.
    """

    poll_s: float = 15.0
    total_s: float = 3600.0


class CachedResultUnusable(Checkpoint):
    """Saved when an earlier result can't be sent again: Telegram no longer has it, or an album needs its file."""

    name = "cached_result_unusable"


class Export:
    """Render and fetch, if the job asks for it or the agent's answer calls for it.

    Args:
        projects: The chats' projects.
        render_limits: Times of a render.
        cards: The skill cards, for what to suggest next.
        usual_times: How long renders usually take.
    """

    name = "export"

    def __init__(
        self, projects: Projects, render_limits: RenderLimits, cards: SkillCards, usual_times: UsualTimes
    ) -> None:
        self.projects = projects
        self.usual_times = usual_times
        self.limits = render_limits
        self._cards = cards

    async def __call__(self, attempt: Attempt) -> None:
        if attempt.load(Exported) is None and await self._is_wanted(attempt):
            await self.export(attempt)

    async def _is_wanted(self, attempt: Attempt) -> bool:
        if attempt.job.kind is JobKind.EXPORT or attempt.job.payload_as(EditPayload).version is not None:
            return True
        answered = attempt.load(AgentAnswered)
        if answered is None or not wants_export(answered) or attempt.load(RenderSkipped) is not None:
            return False
        return (await self.projects.chats.get_for(attempt.job)).exports_by_itself(attempt.clock.now())

    async def export(self, attempt: Attempt) -> None:
        """Save ``Exported``; do nothing if the agent left the project empty.

        Raises:
            JobEnded: There is nothing to export, or it failed.
        """
        key, chats = attempt.job.chat, self.projects.chats
        rendering = _Rendering(self, attempt)
        try:
            state = await self.projects.get_state(attempt.job, attempt.lost.end)
            earlier = await version_to_render(self.projects, attempt, state.draft)
            draft = state.draft if earlier is None else earlier.draft
            if draft is None or not draft.is_ready:
                if attempt.job.kind is JobKind.EXPORT:
                    raise JobEnded(_nothing_on_timeline(attempt, state), JobState.DONE)
                return await attempt.lost.end_if_lost_since_asked()
            if asked := unmet_output_options(attempt.job.payload_as(ExportPayload).output, draft):
                params: dict[str, Param] = {"asked": ", ".join(one.upper() for one in asked)}
                await attempt.save(PendingAnswer(message=LocalizedMessage("export.output", params)))
            chat = await chats.get_for(attempt.job)
            suggestions = (
                ()
                if earlier
                else next_steps(
                    draft,
                    self._cards.active(chat.skill),
                    attempt.job.prompt,
                    is_generated=bool(state.generated_media) and not state.video_infos,
                )
            )
            exported = Exported(
                digest=draft.digest(),
                as_file=chat.send_as_file,
                may_shrink=chat.shrink_results,
                next_steps=tuple(suggestion.name for suggestion in suggestions),
                is_earlier=earlier is not None,
            )
            cached = await chats.find_result(key, exported.digest, as_file=exported.as_file)
            if cached is not None and attempt.load(CachedResultUnusable) is None:
                await _save(attempt, exported, file_id=cached.file_id, kind=cached.kind)
                return
            await attempt.responder.show_progress()
            raw_draft = with_public_sources(draft.raw, state.video_infos, state.generated_media)
            render = await rendering.render(raw_draft)
            if chat.export_refused_at is not None:
                await chats.update(key, ChatFields(export_refused_at=None))
            await rendering.fetch(exported, render)
        except NemoError as error:
            if isinstance(error, ExportNotInPlan):
                # For a while only a request for it tries again: the account may have another plan by then.
                await chats.update(key, ChatFields(export_refused_at=attempt.clock.now()))
            ended = await ended_by(self.projects, attempt.job, error)
            raise _offering_export(attempt, ended) from error
        except asyncio.CancelledError:
            await rendering.cancel()
            raise


class _Rendering:
    """Renders a draft and fetches the video, for one attempt at a job."""

    def __init__(self, step: Export, attempt: Attempt) -> None:
        self._projects = step.projects
        self._nemo = step.projects.nemo
        self._usual_times = step.usual_times
        self._limits = step.limits
        self._attempt = attempt

    async def _call(self, make_call: Callable[[Project], Awaitable[T]]) -> T:
        return await self._projects.call(self._attempt.job, make_call, on_loss=self._attempt.lost.report)

    async def render(self, raw_draft: RawDraft) -> Render:
        """Render, once more if it fails.

        Raises:
            JobEnded, ServiceError: It failed for good, or took too long.
        """
        started, render = self._attempt.load(RenderStarted), None
        for number in range(1 if started is None else started.number, RENDERS + 1):
            render = await self._one_render(raw_draft, number)
            if render.status is RenderStatus.COMPLETED:
                return render
            log.warning("render.failed", number=number, status=render.status.value, reason=render.error)
            if (refusal := plan_refusal(render.error or "")) is not None:
                raise refusal
        raise _failed(self._attempt, render)

    async def _one_render(self, raw_draft: RawDraft, number: int) -> Render:
        """Start a render, or take up the one that an earlier attempt started, and wait for its end.

        Args:
            raw_draft: What to render.
            number: 1, or 2 after a failed first one.
        """
        clock, started, render = self._attempt.clock, self._attempt.load(RenderStarted), None
        is_resumed = started is not None and started.number == number
        stage = "progress.render" if number == 1 else "export.failed_once"
        times_s = (await self._usual_times.load())[TimedStage.RENDER]
        self._attempt.responder.report_progress(_progress(self._attempt, times_s, stage=stage))
        if started is not None and is_resumed:
            render_id = started.render_id
            with contextlib.suppress(TransportError, ServiceError, UnexpectedAnswer):
                render = await self._call(lambda p: self._nemo.get_render(p.credentials, render_id))
        else:
            render_id = _new_render_id(self._attempt)
        began_s = clock.monotonic_s()
        if render is None or render.status is RenderStatus.UNKNOWN:
            began_at = clock.now().timestamp()
            await self._attempt.save(RenderStarted(number=number, render_id=render_id, began_at=began_at))
            render = await self._start_render(render_id, raw_draft, number)
            if render.render_id != render_id:
                await self._attempt.save(
                    RenderStarted(number=number, render_id=render.render_id, began_at=began_at)
                )
        elif started is not None:
            # What an earlier attempt took is known from the wall clock only.
            began_s -= max(0.0, clock.now().timestamp() - started.began_at)
        if number > 1:
            await self._attempt.responder.flush_progress()  # a short render may end before the next edit
        render = await self._poll(render, times_s, began_s, is_resumed=is_resumed)
        if render.status is RenderStatus.COMPLETED and not is_resumed:
            await self._usual_times.learn(TimedStage.RENDER, clock.monotonic_s() - began_s)
        return render

    async def _start_render(self, render_id: str, raw_draft: RawDraft, number: int) -> Render:
        try:
            return await self._projects.call(
                self._attempt.job,
                lambda p: self._nemo.start_render(p.credentials, render_id, p.session_id, raw_draft),
                # The draft belongs to the lost project: a new one must not get it.
                on_loss=self._attempt.lost.end,
            )
        except RenderIdTaken as error:
            # The ID is random: what has it is this render, begun by a call whose answer was lost. Or it is not about
            # the ID at all, and another render of the project goes on: then the polls find nothing.
            return Render(render_id, RenderStatus.UNKNOWN, error=f"{error.status or ''} {error.message}")
        except (TransportError, UnexpectedAnswer, ServiceError) as error:
            is_refusal = isinstance(error, ServiceError) and not error.outcome_unknown
            if is_refusal and (type(error) is not ServiceError or number == RENDERS):
                raise
            # It may have begun all the same, or does the next time: the polls will show.
            log.warning("render.start_unknown", error=str(error))
            why = f"{error.status or ''} {error.message}"
            return Render(render_id, RenderStatus.UNKNOWN, error=why)

    async def _poll(
        self, render: Render, times_s: tuple[float, ...], began_s: float, *, is_resumed: bool
    ) -> Render:
        silent, lost, render_id = 0, 0, render.render_id
        polls, elapsed_s = 0, self._attempt.clock.monotonic_s() - began_s
        render_began_s = None
        while not render.status.is_over:
            if elapsed_s >= self._limits.total_s:
                log.warning("render.timed_out")
                await self._cancel(render_id)
                raise _failed(self._attempt, render)
            pause_s = next_poll_s(polls, elapsed_s, render.progress, self._limits.poll_s)
            if polls and render.progress is not None:
                expected_s = _expected_s(render.progress, elapsed_s, times_s)
                self._attempt.responder.report_progress(
                    _progress(self._attempt, (expected_s,), render.progress)
                )
                await self._attempt.save_render_progress(render.progress)
            await self._attempt.clock.sleep(pause_s)
            polls, elapsed_s = polls + 1, self._attempt.clock.monotonic_s() - began_s
            try:
                render = await self._call(lambda p: self._nemo.get_render(p.credentials, render_id))
                silent = lost = 0
                is_begun = render.status not in (RenderStatus.PENDING, RenderStatus.UNKNOWN)
                if is_begun and render_began_s is None and not is_resumed:
                    render_began_s = self._attempt.clock.monotonic_s()
                    metrics.RENDER.labels("queue").observe(render_began_s - began_s)
                    await self._usual_times.learn(TimedStage.RENDER_QUEUE, render_began_s - began_s)
            except (TransportError, ServiceError, UnexpectedAnswer) as error:
                silent += 1
                lost = lost + 1 if 404 in (error.status, error.code) else 0
                if lost >= LOST_POLLS:
                    return Render(render_id, RenderStatus.FAILED, error=render.error)
                if silent >= SILENT_POLLS:
                    raise
        if render_began_s is not None and render.status is RenderStatus.COMPLETED:
            metrics.RENDER.labels("render").observe(self._attempt.clock.monotonic_s() - render_began_s)
        return render

    async def fetch(self, exported: Exported, render: Render) -> None:
        self._attempt.responder.report_progress(
            Progress(
                "progress.fetch",
                fraction=DoneFraction.RENDERED,
                until=DoneFraction.FETCHED,
                expected_s=USUAL_FETCH_S,
            )
        )
        limit = self._attempt.responder.send_limit_bytes
        if exported.may_shrink:
            limit = max(limit, MAX_SOURCE_BYTES)
        for number in range(1, FETCHES + 1):
            # A link that breaks halfway may do so every time: the second try uses the download call alone.
            source = render if number != 2 else replace(render, url=None)
            began_s = self._attempt.clock.monotonic_s()
            try:
                fetch_all = partial(self._fetch_all, source, limit)
                if self._attempt.responder.can_stream_upload and self._attempt.fetching is None:
                    size = await fetch_ahead(self._attempt, fetch_all)
                else:
                    size = await fetch_all()
            except TooLarge as error:
                no_room = isinstance(error, NoRoom)
                if no_room:
                    log.warning("fetch.no_room", size=error.size)
                size = error.size or render.size_bytes or limit
                link = render.url or await self._projects.private_link(
                    self._attempt.job, self._attempt.lost.report
                )
                if link is None:
                    raise JobEnded(_not_sent(self._attempt, size, limit, no_room=no_room)) from error
                why_link = LinkReason.NO_ROOM if no_room else LinkReason.TOO_LARGE
                return await _save(self._attempt, exported, size_bytes=size, link=link, why_link=why_link)
            except HostNotAllowed as error:
                # For the operator to put into NEMO_MEDIA_HOSTS; the chat can open the link all the same.
                log.warning("fetch.host_not_allowed", host=error.host)
                if not render.url:
                    raise
                return await _save(
                    self._attempt,
                    exported,
                    size_bytes=render.size_bytes,
                    link=render.url,
                    why_link=LinkReason.ELSEWHERE,
                )
            except (TransportError, UnexpectedAnswer, ServiceError) as error:
                if number == FETCHES or isinstance(error, ExportNotInPlan):
                    raise
                log.warning("fetch.failed", tried=number, error=str(error))
                await self._attempt.clock.sleep(FETCH_PAUSE_S * number)
            else:
                took_s = self._attempt.clock.monotonic_s() - began_s
                metrics.RENDER.labels("download").observe(took_s)
                await self._usual_times.learn(TimedStage.DOWNLOAD, took_s)
                return await _save(
                    self._attempt,
                    exported,
                    size_bytes=size,
                    is_fetched=True,
                    duration_s=render.duration_s,
                    spare_link=render.url or "",
                )

    async def _fetch_all(
        self, source: Render, limit: int, on_start: Callable[[ArrivingFile], None] = lambda _: None
    ) -> int:
        path = self._attempt.responder.result_path
        return await self._call(
            lambda project: fetch(self._nemo, source, path, limit, project, on_start=on_start)
        )

    async def cancel(self) -> None:
        """Cancel the render at NemoVideo if a person has cancelled the job."""
        started = self._attempt.load(RenderStarted)
        if self._attempt.interruption is Interruption.CANCELLED and started is not None:
            await self._cancel(started.render_id)

    async def _cancel(self, render_id: str) -> None:
        """Cancel a render, whatever NemoVideo answers."""
        with contextlib.suppress(NemoError, JobEnded, TimeoutError):
            async with asyncio.timeout(CANCEL_TIMEOUT_S):
                await self._projects.call(
                    self._attempt.job, lambda p: self._nemo.cancel_render(p.credentials, render_id)
                )


def _progress(
    attempt: Attempt, estimates_s: tuple[float, ...], percent: float = 0.0, stage: str = "progress.render"
) -> Progress:
    start = DoneFraction.CONNECTED if attempt.load(AgentAnswered) is None else DoneFraction.ANSWERED
    return Progress(
        stage,
        fraction=start + (DoneFraction.RENDERED - start) * percent / 100,
        until=DoneFraction.RENDERED,
        expected_s=median(estimates_s),
        estimates_s=estimates_s,
    )


def _expected_s(percent: float, elapsed_s: float, times_s: tuple[float, ...]) -> float:
    """Return how many seconds a render still takes: by its percentage, at its beginning by what is usual too."""
    usual_s = left_s(times_s, elapsed_s) or median(times_s) / 10
    if percent <= 0:
        return usual_s
    by_percent_s = max(elapsed_s * (100 - percent) / percent, 1.0)
    weight = min(1.0, percent / RELIABLE_PERCENT)
    return weight * by_percent_s + (1 - weight) * usual_s


def _new_render_id(attempt: Attempt) -> str:
    """Return a new id of the form that the skill documents show, ``render_<ts>``, made unique."""
    return f"render_{round(attempt.clock.now().timestamp() * 1000)}_{secrets.token_hex(8)}"


def _nothing_on_timeline(attempt: Attempt, state: ProjectState) -> LocalizedMessage:
    """Say that there is nothing to export, and offer to put the project's files on the timeline."""
    if not (unplaced := unplaced_files(state)):
        return nothing_to_export(attempt)
    button = Button("button.place_files", PlaceFiles())
    return replace(unplaced_message(unplaced), buttons=(button,))


def _failed(attempt: Attempt, render: Render | None) -> JobEnded:
    kind = failure_kind((render and render.error) or "")
    return JobEnded(LocalizedMessage(f"export.failed_{kind}", buttons=(_again(attempt),)))


def _not_sent(attempt: Attempt, size: int, limit: int, *, no_room: bool) -> LocalizedMessage:
    if no_room:
        return LocalizedMessage("deliver.no_room", {"size": Bytes(size)}, (_again(attempt),))
    return LocalizedMessage(
        "deliver.too_large", {"size": Bytes(size), "limit": Bytes(limit)}, (_again(attempt),)
    )


def _again(attempt: Attempt) -> Button:
    """Return the button that exports again; the agent is done, so that is all that a retry has left to do."""
    return Button("button.export", Retry(attempt.job.id))


def _offering_export(attempt: Attempt, ended: JobEnded) -> JobEnded:
    """Offer the export again, which costs nothing, where the whole request would be tried again."""
    message = ended.message
    if isinstance(message, LocalizedMessage) and message.key in _AGAIN_LATER:
        return JobEnded(LocalizedMessage("export.unavailable", buttons=(_again(attempt),)), ended.state)
    return ended


def result_of(attempt: Attempt, exported: Exported) -> Result:
    """Return what the responder is given to send."""
    return Result(exported, path=attempt.responder.result_path if exported.is_fetched else None)


async def _save(attempt: Attempt, exported: Exported, **changes: object) -> None:
    took_s = (attempt.clock.now() - worked_since(attempt.job.asked_at, attempt)).total_seconds()
    await attempt.save(exported.changed(**changes, took_s=took_s))
