"""The draft after a message to the agent, read with patience: the message was paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from bot.jobs.checkpoints import AFTER, NO_DRAFT, KeptDraft, PromptSent, Turn, before_turn
from bot.jobs.steps.pending_generations import Announced, AnnouncedKind
from bot.jobs.worker.attempt import Attempt
from bot.nemo import lenient_json as read
from bot.nemo.drafts import Draft, Segment, TrackKind, digest
from bot.nemo.errors import AuthError, NemoError
from bot.projects.projects import Projects

log = structlog.get_logger(__name__)

SECOND_LOOKS = 3
SECOND_LOOK_PAUSE_S = 5.0
"""Looks at a project that seems unchanged after a turn that may have changed it, and the pause before each."""

GENERATION_READINGS = 10
"""Looks at the project for work that was only announced: for almost ten minutes; it usually takes up to five."""

_WITH_VIDEO = (TrackKind.VIDEO, TrackKind.OTHER)


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """Times of one message to the agent, in seconds; the defaults are the service's own advice.

    Args:
        silent_s: Seconds with nothing but keep-alives after which the stream counts as broken.
        total_s: How long the answer may take in all.
        recovery_first_s: Pause after a broken stream, until the project is looked at.
        recovery_every_s: Pause between the looks after that.
        recovery_readings: Unchanged looks after which the answer counts as lost.
    """

    silent_s: float = 600.0
    total_s: float = 900.0
    recovery_first_s: float = 30.0
    recovery_every_s: float = 60.0
    recovery_readings: int = 5


class DraftUnchanged(Exception):
    """The draft is as it was before the message."""


class TurnDraft:
    """The project's draft after one message to the agent.

    Args:
        projects: The chats' projects.
        limits: Times of the agent's answer.
        attempt: The attempt at the job.
        turn: The message.
    """

    def __init__(self, projects: Projects, limits: TurnLimits, attempt: Attempt, turn: Turn) -> None:
        self._projects = projects
        self._limits = limits
        self._attempt = attempt
        self._turn = turn
        self.is_unread = False
        """Whether the draft couldn't be read the last time, so that the message's effect is unknown."""
        self._made = 0  # clips in the draft that were made before the announced ones

    def is_other(self, draft: Draft | None) -> bool:
        """Return whether a draft differs from the one before the message."""
        asked = self._attempt.load(PromptSent, self._turn.key) or PromptSent()
        return digest_of(draft) != asked.draft_digest

    def has_announced(self, draft: Draft | None, announced: Announced) -> bool:
        """Return whether a draft has what was announced: as many clips as are new since the message, or any change."""
        if announced.kind is AnnouncedKind.WORK:
            return self.is_other(draft)
        return self._new_videos(draft) >= self._made + announced.videos

    async def read(self) -> Draft | None:
        """Return the draft; the one before the message if it can't be read."""
        for reading in range(self._limits.recovery_readings):
            if reading:
                await self._pause(reading - 1)
            try:
                return await self._read()
            except NemoError as error:
                log.warning("turn_draft.reading_failed", reading=reading, error=str(error))
                if isinstance(error, AuthError):
                    break
        return self._unread()

    async def read_after_turn(self, *, may_lag: bool) -> Draft | None:
        """Return the draft.

        Args:
            may_lag: Whether to look again at an unchanged one: the state may lag behind the agent's work.
        """
        draft = await self.read()
        for _ in range(SECOND_LOOKS):
            if not may_lag or self.is_unread or self.is_other(draft):
                break
            await self._attempt.clock.sleep(SECOND_LOOK_PAUSE_S)
            draft = await self.read()
        return draft

    async def wait_for_change(self) -> Draft | None:
        """Return the draft once it has changed; the one before the message if it can't be read.

        Raises:
            DraftUnchanged: It never did.
        """
        return await self._wait(self.is_other, self._limits.recovery_readings)

    async def wait_for_announced(self, announced: Announced) -> Draft | None:
        """Return the draft once what was announced is in it, or as it is after all the waiting."""
        draft = await self.read()
        for _ in range(SECOND_LOOKS):
            if self.is_unread or self._new_videos(draft) >= announced.made:
                break
            # Clips that are made may show some seconds late; the agent need not use them all, either.
            await self._attempt.clock.sleep(SECOND_LOOK_PAUSE_S)
            draft = await self.read()
        self._made = min(self._new_videos(draft), announced.made)
        if self.has_announced(draft, announced):
            return draft
        try:
            return await self._wait(partial(self.has_announced, announced=announced), GENERATION_READINGS)
        except DraftUnchanged:
            return await self.read()

    async def _wait(self, is_there: Callable[[Draft | None], bool], readings: int) -> Draft | None:
        is_read = False
        for reading in range(readings):
            await self._pause(reading)
            try:
                draft = await self._read()
            except NemoError as error:
                log.warning("turn_draft.reading_failed", reading=reading, error=str(error))
                if isinstance(error, AuthError):
                    break
                continue
            is_read = True
            if is_there(draft):
                log.info("turn_draft.recovered", reading=reading)
                return draft
        if is_read:
            raise DraftUnchanged
        return self._unread()

    def _new_videos(self, draft: Draft | None) -> int:
        return new_videos(draft_before(self._attempt, self._turn), draft)

    def _unread(self) -> Draft | None:
        # Treat an unread draft as changed: an export, which shows it, is free; asking the agent again is not.
        self.is_unread = True
        return draft_before(self._attempt, self._turn)

    async def _read(self) -> Draft | None:
        draft = (await self._projects.get_state(self._attempt.job, self._attempt.lost.end)).draft
        self.is_unread = False
        return draft

    async def _pause(self, earlier: int) -> None:
        pause_s = self._limits.recovery_every_s if earlier else self._limits.recovery_first_s
        await self._attempt.clock.sleep(pause_s)


def draft_before(attempt: Attempt, turn: Turn) -> Draft | None:
    """Return the draft before a turn as the job has kept it."""
    return (attempt.load(KeptDraft, before_turn(turn)) or KeptDraft()).read()


def draft_after(attempt: Attempt) -> Draft | None:
    """Return the draft after the latest turn as the job has kept it."""
    return (attempt.load(KeptDraft, AFTER) or KeptDraft()).read()


def digest_of(draft: Draft | None) -> str:
    """Return a draft's digest as checkpoints have it; all that hold no segment are alike, and like none."""
    return draft.digest() if draft is not None and draft.is_ready else NO_DRAFT


def new_videos(before: Draft | None, after: Draft | None) -> int:
    """Return how many clips a draft has that an earlier one doesn't have."""
    return (_videos(after) - _videos(before)).total()


def _videos(draft: Draft | None) -> Counter[str]:
    """Return how often each clip is in a draft; a track of an unknown type may hold clips too."""
    tracks = () if draft is None else draft.tracks
    clips = [clip for track in tracks if track.kind in _WITH_VIDEO for clip in track.segments]
    # A file that is there several times was split or repeated: the agent makes others.
    named = {clip.media for clip in clips if clip.media}
    return Counter([*named, *(_mark(clip) for clip in clips if not clip.media)])


def _mark(clip: Segment) -> str:
    """Return what tells a clip without a file from others, the same also in a large draft that is kept in parts."""
    return read.text(read.mapping(clip.raw).get("raw")) or digest(clip.raw)
