"""Questions: answered in a lane of their own, while an edit is running."""

from __future__ import annotations

from bot.chats.chats import Account
from bot.chats.key import ChatKey
from bot.jobs.job import Job, Lane, State
from bot.jobs.lanes import Lanes
from bot.jobs.next_steps import how_to_begin
from bot.jobs.ports import (
    Button,
    Confidential,
    Membership,
    Notice,
    Param,
    Report,
    Seconds,
    TimelinePicture,
)
from bot.jobs.redrawing import close_announcement
from bot.jobs.runner import Ended, Run, Step
from bot.jobs.told_changes import segment_name, track_label
from bot.jobs.workspace import Project, Workspace
from bot.nemo.answers import Credits
from bot.nemo.drafts import Draft, Segment, Track
from bot.nemo.errors import NemoError

MOST_TRACKS = 20


def tell_credits(workspace: Workspace) -> Step:
    """Answers how many credits are left."""

    async def ask(project: Project) -> Credits:
        return await workspace.nemo.credits(project.who)

    async def step(run: Run) -> None:
        try:
            found = await workspace.call(run.job, ask)
        except NemoError as error:
            raise await workspace.ended_by(run.job, error) from error
        chat = await workspace.chats.get(run.job.chat)
        balance = {
            name: round(amount or 0)
            for name, amount in (
                ("available", found.available),
                ("frozen", found.frozen),
                ("total", found.total),
            )
        }
        account = "own" if chat.account is Account.NONE else str(chat.account)
        await run.front.say(
            "credits",
            Confidential(
                Report(
                    Notice("credits.balance", balance),
                    (Notice("credits.costs"), Notice(f"credits.account_{account}")),
                    workspace.register_buttons(chat) if run.job.chat.is_private else (),
                )
            ),
        )

    return step


def tell_status(workspace: Workspace, lanes: Lanes) -> Step:
    """Answers what is on the timeline, and what runs and waits."""

    async def step(run: Run) -> None:
        draft = None
        if await workspace.is_set_up(run.job.chat):
            nemo = workspace.nemo
            try:
                state = await workspace.call(run.job, lambda p: nemo.state(p.who, p.session_id))
            except NemoError as error:
                raise await workspace.ended_by(run.job, error) from error
            draft = state.draft
        heading, lines = timeline(draft, run.job.chat)
        work = await _work(run.job, lanes)
        if draft is None or not draft.is_ready:
            return await run.front.say("status", Report(heading, (*lines, *work)))
        credits_left = await _credits_beside(workspace, run)
        caption = Report(heading, (*lines, *work, *credits_left), (Button("button.export", "export"),))
        return await run.front.say("status", TimelinePicture(draft, caption))

    return step


async def _credits_beside(workspace: Workspace, run: Run) -> tuple[Notice, ...]:
    """A line with the credits, where they are nobody else's business; no answer is worth waiting for it."""
    if not run.job.chat.is_private:
        return ()
    try:
        found = await workspace.call(run.job, lambda p: workspace.nemo.credits(p.who))
    except (NemoError, Ended):
        return ()
    return (Notice("status.credits", {"available": round(found.available or 0)}),)


def cancel_job(lanes: Lanes, membership: Membership) -> Step:
    """Stops the job that its data name; doing it twice is doing it once."""

    async def step(run: Run) -> None:
        chat, data = run.job.chat, run.job.data
        if data.get("as_admin") and not await membership.is_admin(chat, run.job.owner_id):
            raise Ended(Notice("toast.not_yours"), State.DONE)
        standing = await lanes.find(chat, data["job"])
        was = await lanes.cancel(chat, Lane.EDIT, data["job"])
        if standing is not None and was in (State.QUEUED, State.CANCELLED):
            await close_announcement(lanes, run.job, standing.job)
        await run.front.say("cancelled", Notice("job.cancelled"))

    return step


def new_project(workspace: Workspace) -> Step:
    """Begins an empty project."""

    async def step(run: Run) -> None:
        if run.get("forgotten") is None:
            await workspace.forget_session(run.job.chat)
            await run.save("forgotten", True)
        await run.front.say("new", Notice("new.done", {"begin": how_to_begin(run.job.chat)}))

    return step


def timeline(draft: Draft | None, chat: ChatKey) -> tuple[Notice, tuple[Notice, ...]]:
    """The tracks of a draft, a line each; of an empty one how to begin in the chat."""
    if draft is None or not draft.is_ready:
        return Notice("status.empty", {"begin": how_to_begin(chat)}), ()
    shown = [track for track in draft.tracks if track.segments]
    heading = Notice(
        "status.heading", {"n": len(shown), "duration": Seconds((draft.duration_ms or 0) / 1000, tenths=True)}
    )
    return heading, tuple(_track(place, track) for place, track in enumerate(shown[:MOST_TRACKS], 1))


def _track(place: int, track: Track) -> Notice:
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
        return Notice("status.track", params)
    return Notice("status.track_volume", {**params, "volume": f"{round(volume * 100)}%"})


def _names(track: Track) -> str:
    shown: tuple[Segment, ...] = track.segments[:3]
    more = "…" if len(track.segments) > len(shown) else ""
    return ", ".join(str(segment_name(segment, track)) for segment in shown) + more


async def _work(job: Job, lanes: Lanes) -> tuple[Notice, ...]:
    ids = await lanes.current(job.chat, Lane.EDIT)
    waiting = len(ids)
    if waiting == 0:
        return (Notice("status.idle"),)
    if await lanes.is_paused():
        first = await lanes.find(job.chat, ids[0])
        if first is not None and first.state is State.QUEUED:
            return (Notice("status.paused", {"n": waiting}),)
    lines = [Notice("status.working")]
    if waiting > 1:
        lines.append(Notice("status.waiting", {"n": waiting - 1}))
    return tuple(lines)
