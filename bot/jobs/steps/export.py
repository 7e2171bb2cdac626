"""Export: the draft becomes an MP4 that lies ready for sending. Deliver: it reaches the chat."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

import structlog

from bot.chats.chats import shown_at
from bot.jobs.buttons import Retry
from bot.jobs.messages import Button, Bytes, LocalizedMessage, Progress
from bot.jobs.model import JobKind, JobState
from bot.jobs.next_steps import how_to_begin, next_buttons, next_steps
from bot.jobs.ports import Delivered, FileGone, Result
from bot.jobs.steps.agent_answer import wants_export
from bot.jobs.steps.result_download import NoRoom, TooLarge, fetch
from bot.jobs.steps.service_errors import ended_by
from bot.jobs.worker.runner import Attempt, Interruption, JobEnded, Step
from bot.nemo.drafts import Draft
from bot.nemo.errors import (
    ExportNotInPlan,
    HostNotAllowed,
    NemoError,
    ServiceError,
    TransportError,
    UnexpectedAnswer,
)
from bot.nemo.renders import Render, RenderStatus
from bot.projects.projects import Projects
from bot.skills import Cards

log = structlog.get_logger(__name__)

FRACTION_BEFORE, FRACTION_RENDERED, FRACTION_FETCHED = 0.6, 0.9, 0.97

USUAL_RENDER_S = 60.0
RENDERS = 2
"""A failed render is tried once more under a new id."""

SILENT_POLLS = 10
"""Looks in a row without an answer, after which NemoVideo counts as down."""

LOST_POLLS = 2
"""Looks in a row at which NemoVideo knows nothing of the render, after which it counts as failed."""

FETCHES = 3
FETCH_PAUSE_S = 2.0

CANCEL_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Times of a render, in seconds.

    Args:
        poll_s: Between two looks.
        total_s: It may take in all.
    """

    poll_s: float = 30.0
    total_s: float = 3600.0


def export(projects: Projects, options: ExportOptions, cards: Cards) -> Step:
    """The step that renders and fetches, where the job asks for it or the turn calls for it."""

    async def step(attempt: Attempt) -> None:
        if attempt.get_value("result") is None and await _is_wanted(projects, attempt):
            await _export(projects, options, cards, attempt)

    return step


def deliver(projects: Projects, options: ExportOptions, cards: Cards) -> Step:
    """The step that sends the result."""

    async def step(attempt: Attempt) -> None:
        result = attempt.get_value("result")
        if result is None:
            return
        attempt.responder.report_progress(Progress("progress.deliver", fraction=FRACTION_FETCHED))
        path = attempt.responder.result_path if result["fetched"] else None
        if path is not None and not path.exists():
            # Fetched by an attempt on another machine, or cleaned away.
            await _export(projects, options, cards, attempt)
            result = attempt.get_value("result")
        try:
            delivered = await attempt.responder.deliver("delivered", await _result(projects, attempt, result))
        except FileGone:
            await attempt.save_value("no_reuse", True)
            await _export(projects, options, cards, attempt)
            result = attempt.get_value("result")
            delivered = await attempt.responder.deliver(
                "delivered_anew", await _result(projects, attempt, result)
            )
        if delivered.file_id and not result["file_id"]:
            await projects.chats.remember_result(
                attempt.job.chat,
                result["digest"],
                delivered.file_id,
                delivered.kind,
                as_file=result.get("as_file", False),
            )
        await _take_earlier_away(projects, attempt, delivered)

    return step


async def _take_earlier_away(projects: Projects, attempt: Attempt, delivered: Delivered) -> None:
    """The new video is there: the project's earlier one goes, where the chat wants it so.

    What somebody answered to or pinned stays, but for its buttons. The last write tells that all is done: an attempt
    that comes after it does nothing any more.
    """
    key = attempt.job.chat
    if (await projects.chats.get(key)).shown == shown_at(delivered.address, delivered.message_id):
        return
    # A worker that was taken for dead stops here.
    await attempt.save_value("replacing", delivered.message_id)
    chat = await projects.chats.get(key)
    is_same_project = chat.session_id is not None and chat.shown_session_id == chat.session_id
    if chat.shown is not None and chat.replace_results and is_same_project:
        where, _, message_id = chat.shown.partition(":")
        await attempt.responder.delete_message(int(where), int(message_id), only_buttons=chat.shown_used)
    await projects.chats.show(
        key, delivered.address, delivered.message_id, chat.session_id, instead_of=chat.shown
    )


async def _is_wanted(projects: Projects, attempt: Attempt) -> bool:
    if attempt.job.kind is JobKind.EXPORT:
        return True
    outcome = attempt.get_value("turn")
    if outcome is None or not wants_export(outcome):
        return False
    return (await projects.chats.get(attempt.job.chat)).exports_by_itself


async def _export(projects: Projects, options: ExportOptions, cards: Cards, attempt: Attempt) -> None:
    """Leave a checkpoint ``result``, or none when there is nothing to export."""
    try:
        draft = await _draft(projects, attempt)
        if draft is None or not draft.is_ready:
            if attempt.job.kind is JobKind.EXPORT:
                raise JobEnded(
                    LocalizedMessage("export.nothing_yet", {"begin": how_to_begin(attempt.job.chat)}),
                    JobState.DONE,
                )
            return
        card = cards.active((await projects.chats.get(attempt.job.chat)).skill)
        await attempt.save_value("next", [one.name for one in next_steps(draft, card, attempt.job.text)])
        as_file = (await projects.chats.get(attempt.job.chat)).send_as_file
        known = await projects.chats.find_result(attempt.job.chat, draft.digest(), as_file=as_file)
        if known is not None and not attempt.get_value("no_reuse"):
            await _keep_result(attempt, draft, file_id=known.file_id, kind=known.kind, as_file=as_file)
            return
        render = await _render(projects, options, attempt, draft)
        await projects.chats.update(attempt.job.chat, export_refused=None)
        await _fetch(projects, attempt, draft, render, as_file=as_file)
    except NemoError as error:
        if isinstance(error, ExportNotInPlan):
            # Asked for by hand it is tried again: the account may have another plan by then.
            await projects.chats.update(attempt.job.chat, export_refused=True)
        raise await ended_by(projects, attempt.job, error) from error
    except asyncio.CancelledError:
        await _give_up_render(projects, attempt)
        raise


async def _draft(projects: Projects, attempt: Attempt) -> Draft | None:
    nemo = projects.nemo

    async def tell() -> None:
        await attempt.responder.send("session_gone", LocalizedMessage("error.session_gone"))

    state = await projects.call(
        attempt.job, lambda project: nemo.state(project.who, project.session_id), on_new_session=tell
    )
    return state.draft


async def _render(projects: Projects, options: ExportOptions, attempt: Attempt, draft: Draft) -> Render:
    """Render, once more if it fails.

    Raises:
        Ended: It failed for good.
    """
    first = attempt.get_value("render")["number"] if attempt.get_value("render") else 1
    render = None
    for number in range(first, RENDERS + 1):
        render = await _one_render(projects, options, attempt, draft, number)
        if render.status is RenderStatus.COMPLETED:
            return render
        log.warning("render.failed", number=number, status=render.status.value, reason=render.error)
    reason = (
        render.error if render is not None and render.error else LocalizedMessage("export.reason_unknown")
    )
    raise JobEnded(
        LocalizedMessage(
            "export.failed", {"reason": reason}, (Button("button.retry", Retry(attempt.job.id)),)
        )
    )


async def _one_render(
    projects: Projects, options: ExportOptions, attempt: Attempt, draft: Draft, number: int
) -> Render:
    nemo = projects.nemo
    kept = attempt.get_value("render")
    is_resumed = kept is not None and kept["number"] == number
    render_id = kept["id"] if is_resumed else f"render_{uuid4().hex}"
    if not is_resumed:
        # Before the call: a render is found again by its id.
        await attempt.save_value("render", {"number": number, "id": render_id})
    stage = "progress.render" if number == 1 else "export.failed_once"
    attempt.responder.report_progress(
        Progress(stage, fraction=FRACTION_BEFORE, until=FRACTION_RENDERED, expected_s=USUAL_RENDER_S)
    )
    render = None
    if is_resumed:
        with contextlib.suppress(ServiceError):
            render = await projects.call(attempt.job, lambda p: nemo.render_status(p.who, render_id))
    if render is None or render.status is RenderStatus.UNKNOWN:
        try:
            render = await projects.call(
                attempt.job, lambda p: nemo.start_render(p.who, render_id, p.session_id, draft.raw)
            )
        except (TransportError, UnexpectedAnswer) as error:
            # It may have begun all the same: the polls will tell.
            log.warning("render.start_unknown", error=str(error))
            render = Render(render_id, RenderStatus.UNKNOWN)
    if render.render_id != render_id:
        await attempt.save_value("render", {"number": number, "id": render.render_id})
    return await _poll(projects, options, attempt, render)


async def _poll(projects: Projects, options: ExportOptions, attempt: Attempt, render: Render) -> Render:
    nemo = projects.nemo
    ends_s = attempt.clock.monotonic_s() + options.total_s
    silent, lost, render_id = 0, 0, render.render_id
    while not render.status.is_over:
        if attempt.clock.monotonic_s() >= ends_s:
            return Render(render_id, RenderStatus.FAILED)
        await attempt.clock.sleep(options.poll_s)
        try:
            render = await projects.call(attempt.job, lambda p: nemo.render_status(p.who, render_id))
            silent = lost = 0
        except (TransportError, ServiceError, UnexpectedAnswer) as error:
            silent += 1
            lost = lost + 1 if 404 in (error.status, error.code) else 0
            if lost >= LOST_POLLS:
                return Render(render_id, RenderStatus.FAILED)
            if silent >= SILENT_POLLS:
                raise
        else:
            _show(attempt, render, options)
    return render


def _show(attempt: Attempt, render: Render, options: ExportOptions) -> None:
    done = FRACTION_BEFORE + (FRACTION_RENDERED - FRACTION_BEFORE) * (render.progress or 0.0) / 100
    attempt.responder.report_progress(
        Progress(
            "progress.render",
            fraction=done,
            until=FRACTION_RENDERED,
            # A little different each time, so that the bar moves on from where the poll put it.
            expected_s=USUAL_RENDER_S if render.progress is None else max(options.poll_s, 1.0),
        )
    )


async def _fetch(
    projects: Projects, attempt: Attempt, draft: Draft, render: Render, *, as_file: bool
) -> None:
    attempt.responder.report_progress(
        Progress("progress.fetch", fraction=FRACTION_RENDERED, until=FRACTION_FETCHED, expected_s=10.0)
    )
    limit = attempt.responder.send_limit_bytes
    for tried in range(1, FETCHES + 1):
        # A link that breaks in the middle may do so every time: the second way is the download call alone.
        source = render if tried != 2 else replace(render, url=None)
        try:
            size = await projects.call(
                attempt.job, partial(fetch, projects.nemo, source, attempt.responder.result_path, limit)
            )
        except TooLarge as error:
            no_room = isinstance(error, NoRoom)
            if no_room:
                log.warning("fetch.no_room", size=error.size)
            size = error.size or render.size_bytes or limit
            link = render.url or await _browser_link(projects, attempt)
            if link is None:
                raise JobEnded(_not_sent(attempt, size, limit, no_room=no_room)) from error
            why_link = "no_room" if no_room else "too_large"
            await _keep_result(attempt, draft, size=size, link=link, why_link=why_link)
            return
        except HostNotAllowed as error:
            # For the operator to put into NEMO_MEDIA_HOSTS; whoever asked can fetch it all the same.
            log.warning("fetch.host_not_allowed", host=error.host)
            if not render.url:
                raise
            await _keep_result(attempt, draft, size=render.size_bytes, link=render.url, why_link="elsewhere")
            return
        except (TransportError, UnexpectedAnswer, ServiceError) as error:
            if tried == FETCHES or isinstance(error, ExportNotInPlan):
                raise
            log.warning("fetch.broke", tried=tried, error=str(error))
            await attempt.clock.sleep(FETCH_PAUSE_S * tried)
        else:
            await _keep_result(
                attempt, draft, size=size, fetched=True, duration_s=render.duration_s, as_file=as_file
            )
            return


def _not_sent(attempt: Attempt, size: int, limit: int, *, no_room: bool) -> LocalizedMessage:
    if no_room:
        retry = Button("button.retry", Retry(attempt.job.id))
        return LocalizedMessage("deliver.no_room", {"size": Bytes(size)}, (retry,))
    return LocalizedMessage("deliver.too_large", {"size": Bytes(size), "limit": Bytes(limit)})


async def _browser_link(projects: Projects, attempt: Attempt) -> str | None:
    # Whoever has it can take the project over: not for everyone in a group.
    return await projects.browser_link(attempt.job) if attempt.job.chat.is_private else None


async def _keep_result(
    attempt: Attempt,
    draft: Draft,
    *,
    file_id: str = "",
    kind: str = "video",
    link: str = "",
    why_link: str = "too_large",
    size: int | None = None,
    fetched: bool = False,
    duration_s: float | None = None,
    as_file: bool = False,
) -> None:
    took_s = (attempt.clock.now() - attempt.job.asked_at).total_seconds()
    await attempt.save_value(
        "result",
        {
            "digest": draft.digest(),
            "file_id": file_id,
            "kind": kind,
            "link": link,
            "why_link": why_link,
            "size": size,
            "fetched": fetched,
            "duration_s": duration_s,
            "took_s": took_s,
            "as_file": as_file,
        },
    )


async def _result(projects: Projects, attempt: Attempt, kept: dict[str, Any]) -> Result:
    return Result(
        browser_link=await _browser_link(projects, attempt) or "",
        buttons=next_buttons(attempt.get_value("next") or ()),
        path=attempt.responder.result_path if kept["fetched"] else None,
        link=kept["link"],
        why_link=kept.get("why_link", "too_large"),
        size=kept["size"],
        duration_s=kept["duration_s"],
        took_s=kept["took_s"],
        file_id=kept["file_id"],
        kind=kept["kind"],
        as_file=kept.get("as_file", False),
    )


async def _give_up_render(projects: Projects, attempt: Attempt) -> None:
    """Tell NemoVideo that nobody waits for the render any more; it need not answer."""
    if attempt.interruption is not Interruption.CANCELLED or attempt.get_value("render") is None:
        return
    with contextlib.suppress(NemoError, JobEnded, TimeoutError):
        async with asyncio.timeout(CANCEL_PATIENCE_S):
            await projects.call(
                attempt.job, lambda p: projects.nemo.cancel_render(p.who, attempt.get_value("render")["id"])
            )
