"""The agent's answer as the chat gets it: its words, what changed, and what to do next."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence

from bot.chats.chats import Chat, ChatFields
from bot.jobs.buttons import Export, KeepExtras, RemoveExtra, Retry, RunOffer, RunScreenButton
from bot.jobs.buttons import ShowCredits as ShowCreditsButton
from bot.jobs.checkpoints import FILES, LINKS, AgentAnswered, Checkpoint, PendingAnswer, Turn, Uploaded
from bot.jobs.clip_names import is_voice
from bot.jobs.messages import (
    AgentMessage,
    Button,
    DoneFraction,
    ListMessage,
    LocalizedMessage,
    Progress,
    TextMessage,
    with_lines,
)
from bot.jobs.model import Job, QueueName
from bot.jobs.next_steps import how_to_begin, next_buttons, next_steps
from bot.jobs.payloads import EditPayload
from bot.jobs.steps.change_list import change_lines
from bot.jobs.steps.credits_use import with_credits
from bot.jobs.steps.service_errors import top_up_buttons
from bot.jobs.steps.show_credits import ShowCredits
from bot.jobs.steps.timeline import timeline
from bot.jobs.steps.turn_draft import draft_after, draft_before
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.drafts import Draft, TrackKind
from bot.nemo.errors import BY_CODE, AuthError, Call, NemoError, RateLimited, ServiceError, SessionGone
from bot.nemo.failures import FailureKind, failure_kind
from bot.nemo.stream_errors import StreamError
from bot.projects.projects import Projects
from bot.skills.cards import SkillCards
from bot.words import bounded
from bot.words.screen_talk import CleanedAnswer, remove_screen_talk
from bot.words.screen_talk import ScreenAction as Screen

MAX_BUTTON_CHARS = 20  # of a name on a button: phones show one line

TURN_CALL = Call("POST", "/run_sse")

EXTRAS = {TrackKind.AUDIO: "audio", TrackKind.TEXT: "text", TrackKind.OTHER: "other"}
"""Kinds of tracks that the agent adds by itself to a video that it generated."""


class RenderSkipped(Checkpoint):
    """Saved when the answer goes out without a video, because only a later request is to be rendered."""

    name = "render_skipped"


async def send_answer(
    projects: Projects, cards: SkillCards, attempt: Attempt, answered: AgentAnswered
) -> None:
    """Send what the agent's answer brought, or hold it for what follows; the chat is never left in silence.

    Raises:
        JobEnded: The answer ended in an error and changed nothing; its words are held for the job's end.
        ServiceError: It ended in one of the documented errors and changed nothing.
    """
    chat = await projects.chats.get_for(attempt.job)
    latest = ChatFields(answer_job_id=attempt.job.id, answer_session_id=chat.session_id)
    await projects.chats.update(attempt.job.chat, latest)
    has_failed = answered.failed and not answered.is_exportable
    said = remove_screen_talk(answered.text)
    exports = wants_export(answered) and chat.exports_by_itself(attempt.clock.now())
    if exports and await _only_later_one_is_rendered(attempt, chat):
        await attempt.save(RenderSkipped())
    exports = exports and attempt.load(RenderSkipped) is None
    answer = await _whole_answer(projects, cards, attempt, answered, said)
    if answer is not None:
        if has_failed or exports:
            await attempt.save(PendingAnswer(message=answer))
            words = said.text.strip()
            attempt.responder.report_progress(
                Progress("progress.turn", fraction=DoneFraction.ANSWERED, preview=lambda: words)
            )
        else:
            await attempt.responder.send("answer", answer)
    if Screen.CREDITS in said.actions and attempt.job.chat.is_private:
        with contextlib.suppress(JobEnded, NemoError):  # The video matters more.
            await ShowCredits(projects)(attempt)
    if has_failed:
        error = StreamError(answered.code, answered.reason).as_error(TURN_CALL)
        if type(error) not in (ServiceError, RateLimited) and not may_be_tools(error):
            raise error
        raise turn_failed(attempt.job, failure_kind(f"{answered.code or ''} {answered.reason}"))


async def _only_later_one_is_rendered(attempt: Attempt, chat: Chat) -> bool:
    """Return whether the chat wants the render of another request alone, which still waits behind this one."""
    waiting = (
        await attempt.job_queue.current(attempt.job.chat, QueueName.MAIN) if chat.last_only_job_id else ()
    )
    return chat.last_only_job_id != attempt.job.id and chat.last_only_job_id in waiting


async def _whole_answer(
    projects: Projects, cards: SkillCards, attempt: Attempt, answered: AgentAnswered, said: CleanedAnswer
) -> TextMessage | None:
    """Return the agent's words with what changed, what it used and what to do next; ``None`` if it said nothing."""
    before = draft_before(attempt, Turn())
    after = draft_after(attempt)
    extras: tuple[str, ...] = ()
    if answered.raw_video_announced and after is not None:
        extras = _extras(before, after)
    if extras and after is not None:
        lines = (LocalizedMessage("answer.all_tracks"), *timeline(after, attempt.job.chat)[1])
    else:
        lines = change_lines(before, after) if answered.has_changed else ()
    if answered.failed and answered.has_changed:
        lines = (*lines, LocalizedMessage("answer.stopped_early"))
    if answered.still_generating:
        is_broken_off = answered.failed and not answered.has_changed
        key = "answer.may_still_come" if is_broken_off else "answer.still_generating"
        lines = (*lines, LocalizedMessage(key))
    if attempt.load(RenderSkipped) is not None:
        lines = (*lines, LocalizedMessage("answer.render_skipped"))
    buttons = await _buttons(projects, cards, attempt, answered, after)
    if said.buttons and not answered.failed:
        # Also after a change: the agent may hold back the rest of it until a person presses.
        buttons = (*_screen_buttons(attempt.job.id, said), *buttons)
        if answered.has_changed:
            lines = (*lines, LocalizedMessage("answer.go_ahead"))
    chat = await projects.chats.get_for(attempt.job)
    if answered.has_changed and chat.auto_export and chat.lacks_export(attempt.clock.now()):
        lines = (*lines, LocalizedMessage("answer.no_export_in_plan"))
        buttons = (*buttons, *await top_up_buttons(projects, chat, "button.upgrade"))
    answer = _answer(said, lines, answered, after, buttons, attempt.job)
    offers, offer_buttons = _offers(attempt.job, said, after, extras)
    if answer is not None:
        pressed = attempt.job.payload_as(EditPayload).pressed
        unseen = _unseen_lines(attempt)
        answer = with_lines(answer, (*([pressed] if pressed else []), *unseen, *offers), offer_buttons)
    elif offers:
        answer = ListMessage(offers[0], offers[1:], offer_buttons)
    return with_credits(answer, answered)


def _unseen_lines(attempt: Attempt) -> tuple[LocalizedMessage, ...]:
    """Return a line if an album came with one file: an album has more, which a group's privacy mode hides."""
    if attempt.job.chat.is_private:
        return ()
    albums = Counter(part.album for part in attempt.last_gathered.parts if part.album)
    return (LocalizedMessage("answer.album_unseen"),) if 1 in albums.values() else ()


def may_be_tools(error: NemoError) -> bool:
    """Return whether an error within a turn may be about the token or session of a tool: it says so in words alone."""
    return isinstance(error, AuthError | SessionGone) and error.code not in BY_CODE


def turn_failed(job: Job, kind: FailureKind) -> JobEnded:
    """Return the end of a job whose agent turn failed without changing anything.

    The service's own words are not shown: they may hold an exception's name or JSON.
    """
    buttons: tuple[Button, ...] = (Button("button.retry", Retry(job.id)),)
    match kind:
        case FailureKind.POLICY | FailureKind.PERSON:
            buttons = ()  # The same words would be refused, and charged, again.
        case FailureKind.QUOTA:
            buttons = (Button("button.credits", ShowCreditsButton()), *buttons)
    return JobEnded(LocalizedMessage(f"error.turn_{kind}", buttons=buttons))


def _answer(
    said: CleanedAnswer,
    lines: tuple[LocalizedMessage, ...],
    answered: AgentAnswered,
    after: Draft | None,
    buttons: tuple[Button, ...],
    job: Job,
) -> TextMessage | None:
    if said.text.strip():
        return AgentMessage(said.text, buttons, lines)
    if answered.still_generating:
        return ListMessage(lines[0], lines[1:], buttons)
    if lines:
        return ListMessage(LocalizedMessage("answer.silent_edit"), lines, buttons)
    if answered.has_changed:
        return LocalizedMessage("answer.done", buttons=buttons)
    if said.buttons and not answered.failed:
        return LocalizedMessage("answer.offer_buttons", buttons=buttons)
    if answered.failed or said.actions or answered.files:
        return None  # What follows is the answer, or files that were sent.
    if job.payload_as(EditPayload).version is not None:
        return LocalizedMessage("answer.not_restored")
    if after is not None and after.is_ready:
        return LocalizedMessage("answer.no_change")
    return LocalizedMessage("answer.empty", {"begin": how_to_begin(job.chat)})


def _screen_buttons(job_id: str, said: CleanedAnswer) -> tuple[Button, ...]:
    return tuple(
        Button(text=f"✅ {bounded(name, MAX_BUTTON_CHARS)}", action=RunScreenButton(job_id, str(number)))
        for number, name in enumerate(said.buttons)
    )


async def _buttons(
    projects: Projects, cards: SkillCards, attempt: Attempt, answered: AgentAnswered, after: Draft | None
) -> tuple[Button, ...]:
    """Return the buttons under the answer; if a video follows, they are under that."""
    if answered.still_generating:
        return (Button("button.export", Export()),)
    if after is None or not after.is_ready:
        return ()
    if not wants_export(answered):
        # Uploads may be on the timeline already: then the agent found nothing to change.
        is_fresh = any(attempt.load(Uploaded, key) is not None for key in (FILES, LINKS))
        return (Button("button.export", Export()),) if is_fresh else ()
    job = attempt.job
    chat = await projects.chats.get_for(job)
    if chat.exports_by_itself(attempt.clock.now()):
        return ()
    further = next_steps(after, cards.active(chat.skill), job.prompt) if answered.has_changed else ()
    return (Button("button.export", Export()), *next_buttons(one.name for one in further))


def _offers(
    job: Job, said: CleanedAnswer, after: Draft | None, extras: Sequence[str]
) -> tuple[tuple[LocalizedMessage, ...], tuple[Button, ...]]:
    """Return lines and buttons for what the agent asked the reader to do on the website, and for its extras."""
    lines: list[LocalizedMessage] = []
    buttons: list[Button] = []
    if extras:
        strip = (Button(f"button.strip_{extra}", RemoveExtra(extra, job.id)) for extra in extras)
        buttons += [Button("button.keep", KeepExtras(job.id), style="success"), *strip]
    if Screen.CREDITS in said.actions and not job.chat.is_private:
        lines.append(LocalizedMessage("answer.see_credits"))
        buttons.append(Button("button.credits", ShowCreditsButton()))
    if said.actions & {Screen.TIMELINE, Screen.STATE} and after is not None and after.is_ready and not extras:
        heading, tracks = timeline(after, job.chat)
        lines += [heading, *tracks]
    if said.edits:
        lines.append(LocalizedMessage("answer.offer_edit", {"edit": said.edits[0]}))
        buttons.append(Button("button.do_it", RunOffer(job.id), style="success"))
    return tuple(lines), tuple(buttons)


def offered_button(answered: AgentAnswered, number: str) -> str | None:
    """Return the label of the screen button of this number in the agent's answer."""
    names = remove_screen_talk(answered.text).buttons
    return next((name for at, name in enumerate(names) if str(at) == number), None)


def offered_edit(answered: AgentAnswered) -> str | None:
    """Return the edit that the agent described instead of making it, in its own words."""
    edits = remove_screen_talk(answered.text).edits
    return edits[0] if edits else None


def _extras(before: Draft | None, after: Draft) -> tuple[str, ...]:
    """Return the kinds of tracks that the agent added by itself to a video that it generated."""
    had = {track.kind for track in before.tracks if track.segments} if before is not None else set()
    added = [
        track for track in after.tracks if track.segments and track.kind in EXTRAS and track.kind not in had
    ]
    return tuple(dict.fromkeys("other" if is_voice(track) else EXTRAS[track.kind] for track in added))


def wants_export(answered: AgentAnswered) -> bool:
    """Return whether the answer calls for the video: something changed, or the agent spoke of the Export button.

    While the agent still makes the video, there is only the one of before.
    """
    if answered.still_generating:
        return False
    return answered.has_changed or Screen.EXPORT in remove_screen_talk(answered.text).actions
