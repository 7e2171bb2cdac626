"""What a turn brought, told to the chat: words without screen talk, what changed, and what to do next."""

from __future__ import annotations

from typing import Any

from bot.chats.key import ChatKey
from bot.jobs.buttons import Export, KeepExtras, RemoveExtra, Retry, RunOffer, ShowCredits
from bot.jobs.messages import AgentMessage, Button, ListMessage, LocalizedMessage, OutgoingMessage
from bot.jobs.next_steps import how_to_begin, next_buttons, next_steps
from bot.jobs.steps.change_list import change_lines
from bot.jobs.steps.questions import show_credits, timeline
from bot.jobs.worker.runner import Attempt, JobEnded
from bot.nemo.drafts import Draft, TrackKind, digest, read_draft
from bot.nemo.errors import Call, ServiceError
from bot.nemo.events import StreamError
from bot.projects.projects import Projects
from bot.skills import Cards
from bot.words.screen_talk import ScreenAction as Screen
from bot.words.screen_talk import Translated, translate

TURN_CALL = Call("POST", "/run_sse")

EXTRAS = {TrackKind.AUDIO: "audio", TrackKind.TEXT: "text", TrackKind.OTHER: "other"}
"""Kinds of tracks that the agent adds by itself to a video that it generated."""


async def send_answer(projects: Projects, cards: Cards, attempt: Attempt) -> None:
    """Tell what a finished turn brought; the chat is never left in silence.

    Raises:
        Ended: The turn failed; what it brought before that has been told.
        ServiceError: It was refused with one of the documented codes.
    """
    outcome = attempt.get_value("turn")
    before, after = draft_of(outcome["before"]), draft_of(outcome["after"])
    said = translate(outcome["text"])
    lines = change_lines(before, after) if has_changed(outcome) else ()
    buttons = await _buttons(projects, cards, attempt, outcome, after)
    if (answer := _answer(said, lines, outcome, after, buttons, attempt.job.chat)) is not None:
        await attempt.responder.send("answer", answer)
    await _act(projects, attempt, said, after)
    if outcome["raw_told"] and after is not None:
        await _offer_extras(attempt, before, after)
    if outcome["failed"]:
        error = StreamError(outcome["code"], outcome["reason"]).as_error(TURN_CALL)
        if type(error) is not ServiceError:
            raise error
        reason = outcome["reason"] or "?"
        retry = Button("button.retry", Retry(attempt.job.id))
        raise JobEnded(LocalizedMessage("error.turn_failed", {"reason": reason}, (retry,)))


def _answer(
    said: Translated,
    lines: tuple[LocalizedMessage, ...],
    outcome: dict[str, Any],
    after: Draft | None,
    buttons: tuple[Button, ...],
    chat: ChatKey,
) -> OutgoingMessage | None:
    if said.text.strip():
        return AgentMessage(said.text, buttons, lines)
    if lines:
        return ListMessage(LocalizedMessage("answer.silent_edit"), lines, buttons)
    if has_changed(outcome):
        return LocalizedMessage("answer.done", buttons=buttons)
    if outcome["failed"] or said.actions:
        return None  # Told in another way.
    if after is not None and after.is_ready:
        return LocalizedMessage("answer.no_change")
    return LocalizedMessage("answer.empty", {"begin": how_to_begin(chat)})


async def _buttons(
    projects: Projects, cards: Cards, attempt: Attempt, outcome: dict[str, Any], after: Draft | None
) -> tuple[Button, ...]:
    """Under the answer only where no video follows, which has them under itself."""
    if after is None or not after.is_ready:
        return ()
    if not wants_export(outcome):
        # What was brought may lie on the timeline since its upload: then the turn found nothing to change.
        is_fresh = attempt.get_value("uploaded") is not None or attempt.get_value("linked") is not None
        return (Button("button.export", Export()),) if is_fresh else ()
    job = attempt.job
    chat = await projects.chats.get(job.chat)
    if chat.exports_by_itself:
        return ()
    further = next_steps(after, cards.active(chat.skill), job.text) if has_changed(outcome) else ()
    return (Button("button.export", Export()), *next_buttons(one.name for one in further))


async def _act(projects: Projects, attempt: Attempt, said: Translated, after: Draft | None) -> None:
    """Do what the agent told somebody with a screen to do."""
    if Screen.CREDITS in said.actions:
        if attempt.job.chat.is_private:
            await show_credits(projects)(attempt)
        else:
            await attempt.responder.send(
                "credits",
                LocalizedMessage("answer.see_credits", buttons=(Button("button.credits", ShowCredits()),)),
            )
    if said.actions & {Screen.TIMELINE, Screen.STATE} and after is not None and after.is_ready:
        heading, tracks = timeline(after, attempt.job.chat)
        await attempt.responder.send("tracks", ListMessage(heading, tracks))
    if said.edits:
        offer = Button("button.do_it", RunOffer(attempt.job.id))
        await attempt.responder.send(
            "offer", LocalizedMessage("answer.offer_edit", {"edit": said.edits[0]}, (offer,))
        )


def offered_edit(outcome: dict[str, Any]) -> str | None:
    """The edit that a finished turn's words told somebody to do by hand, as it was offered."""
    edits = translate(outcome["text"]).edits
    return edits[0] if edits else None


async def _offer_extras(attempt: Attempt, before: Draft | None, after: Draft) -> None:
    """List every track, with a button for each kind that came by itself."""
    had = {track.kind for track in before.tracks if track.segments} if before is not None else set()
    extra = [
        kind
        for kind in dict.fromkeys(track.kind for track in after.tracks if track.segments)
        if kind in EXTRAS and kind not in had
    ]
    if not extra:
        return
    _, tracks = timeline(after, attempt.job.chat)
    strip = [
        Button(f"button.strip_{EXTRAS[kind]}", RemoveExtra(EXTRAS[kind], attempt.job.id)) for kind in extra
    ]
    keep = Button("button.keep", KeepExtras(attempt.job.id))
    await attempt.responder.send(
        "extras", ListMessage(LocalizedMessage("answer.all_tracks"), tracks, (keep, *strip))
    )


def wants_export(outcome: dict[str, Any]) -> bool:
    """Whether a finished turn calls for the video: something changed, or the agent spoke of the Export button."""
    return has_changed(outcome) or Screen.EXPORT in translate(outcome["text"]).actions


def has_changed(outcome: dict[str, Any]) -> bool:
    """Whether a finished turn left another draft than it found."""
    return digest(outcome["before"]) != digest(outcome["after"])


def draft_of(raw: Any) -> Draft | None:
    """The draft of a checkpoint."""
    return read_draft(raw) if raw else None
