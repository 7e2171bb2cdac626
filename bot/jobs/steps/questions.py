"""Questions: answered in a lane of their own, while an edit is running."""

from __future__ import annotations

from bot.chats.chats import Account
from bot.chats.key import ChatKey
from bot.jobs.buttons import Export
from bot.jobs.messages import (
    Button,
    ListMessage,
    LocalizedMessage,
    Param,
    PrivateMessage,
    Seconds,
    TimelinePicture,
)
from bot.jobs.model import Job, JobState, QueueName
from bot.jobs.next_steps import how_to_begin
from bot.jobs.payloads import CancelPayload
from bot.jobs.ports import GroupAdmins
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.redraw import close_announcement
from bot.jobs.steps.change_list import segment_name, track_label
from bot.jobs.steps.service_errors import ended_by, register_buttons
from bot.jobs.worker.runner import Attempt, JobEnded, Step
from bot.nemo.answers import Credits
from bot.nemo.drafts import Draft, Segment, Track
from bot.nemo.errors import NemoError
from bot.projects.projects import Project, Projects

MOST_TRACKS = 20


def show_credits(projects: Projects) -> Step:
    """Answers how many credits are left."""

    async def ask(project: Project) -> Credits:
        return await projects.nemo.credits(project.who)

    async def step(attempt: Attempt) -> None:
        try:
            found = await projects.call(attempt.job, ask)
        except NemoError as error:
            raise await ended_by(projects, attempt.job, error) from error
        chat = await projects.chats.get(attempt.job.chat)
        balance = {
            name: round(amount or 0)
            for name, amount in (
                ("available", found.available),
                ("frozen", found.frozen),
                ("total", found.total),
            )
        }
        account = "own" if chat.account is Account.NONE else str(chat.account)
        await attempt.responder.send(
            "credits",
            PrivateMessage(
                ListMessage(
                    LocalizedMessage("credits.balance", balance),
                    (LocalizedMessage("credits.costs"), LocalizedMessage(f"credits.account_{account}")),
                    register_buttons(projects, chat) if attempt.job.chat.is_private else (),
                )
            ),
        )

    return step


def show_status(projects: Projects, job_queue: JobQueue) -> Step:
    """Answers what is on the timeline, and what runs and waits."""

    async def step(attempt: Attempt) -> None:
        draft = None
        if await projects.is_set_up(attempt.job.chat):
            nemo = projects.nemo
            try:
                state = await projects.call(attempt.job, lambda p: nemo.state(p.who, p.session_id))
            except NemoError as error:
                raise await ended_by(projects, attempt.job, error) from error
            draft = state.draft
        heading, lines = timeline(draft, attempt.job.chat)
        work = await _work(attempt.job, job_queue)
        if draft is None or not draft.is_ready:
            return await attempt.responder.send("status", ListMessage(heading, (*lines, *work)))
        credits_left = await _credits_beside(projects, attempt)
        caption = ListMessage(heading, (*lines, *work, *credits_left), (Button("button.export", Export()),))
        return await attempt.responder.send("status", TimelinePicture(draft, caption))

    return step


async def _credits_beside(projects: Projects, attempt: Attempt) -> tuple[LocalizedMessage, ...]:
    """A line with the credits, where they are nobody else's business; no answer is worth waiting for it."""
    if not attempt.job.chat.is_private:
        return ()
    try:
        found = await projects.call(attempt.job, lambda p: projects.nemo.credits(p.who))
    except NemoError:
        return ()
    return (LocalizedMessage("status.credits", {"available": round(found.available or 0)}),)


def cancel_job(job_queue: JobQueue, group_admins: GroupAdmins) -> Step:
    """Stops the job that its data name; doing it twice is doing it once."""

    async def step(attempt: Attempt) -> None:
        chat, payload = attempt.job.chat, attempt.job.payload_as(CancelPayload)
        if payload.only_admin and not await group_admins.is_admin(chat, attempt.job.owner_id):
            raise JobEnded(LocalizedMessage("toast.not_yours"), JobState.DONE)
        status = await job_queue.find(chat, payload.job_id)
        was = await job_queue.cancel(chat, QueueName.MAIN, payload.job_id)
        if status is not None and was in (JobState.QUEUED, JobState.CANCELLED):
            await close_announcement(job_queue, attempt.job, status.job)
        await attempt.responder.send("cancelled", LocalizedMessage("job.cancelled"))

    return step


def new_project(projects: Projects) -> Step:
    """Begins an empty project."""

    async def step(attempt: Attempt) -> None:
        if attempt.get_value("forgotten") is None:
            await projects.forget_session(attempt.job.chat)
            await attempt.save_value("forgotten", True)
        await attempt.responder.send(
            "new", LocalizedMessage("new.done", {"begin": how_to_begin(attempt.job.chat)})
        )

    return step


def timeline(draft: Draft | None, chat: ChatKey) -> tuple[LocalizedMessage, tuple[LocalizedMessage, ...]]:
    """The tracks of a draft, a line each; of an empty one how to begin in the chat."""
    if draft is None or not draft.is_ready:
        return LocalizedMessage("status.empty", {"begin": how_to_begin(chat)}), ()
    shown = [track for track in draft.tracks if track.segments]
    heading = LocalizedMessage(
        "status.heading", {"n": len(shown), "duration": Seconds((draft.duration_ms or 0) / 1000, tenths=True)}
    )
    return heading, tuple(_track(place, track) for place, track in enumerate(shown[:MOST_TRACKS], 1))


def _track(place: int, track: Track) -> LocalizedMessage:
    first, last = track.segments[0], track.segments[-1]
    params: dict[str, Param] = {
        "place": place,
        "track": track_label(track),
        "name": _names(track),
        "start": Seconds((first.start_ms or 0) / 1000, tenths=True),
        "end": Seconds((last.end_ms or 0) / 1000, tenths=True),
    }
    volume = first.volume if track.volume is None else track.volume
    if volume is None:
        return LocalizedMessage("status.track", params)
    return LocalizedMessage("status.track_volume", {**params, "volume": f"{round(volume * 100)}%"})


def _names(track: Track) -> str:
    shown: tuple[Segment, ...] = track.segments[:3]
    more = "…" if len(track.segments) > len(shown) else ""
    return ", ".join(str(segment_name(segment, track)) for segment in shown) + more


async def _work(job: Job, job_queue: JobQueue) -> tuple[LocalizedMessage, ...]:
    ids = await job_queue.current(job.chat, QueueName.MAIN)
    waiting = len(ids)
    if waiting == 0:
        return (LocalizedMessage("status.idle"),)
    if await job_queue.is_paused():
        first = await job_queue.find(job.chat, ids[0])
        if first is not None and first.state is JobState.QUEUED:
            return (LocalizedMessage("status.paused", {"n": waiting}),)
    lines = [LocalizedMessage("status.working")]
    if waiting > 1:
        lines.append(LocalizedMessage("status.waiting", {"n": waiting - 1}))
    return tuple(lines)
