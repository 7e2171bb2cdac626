"""Credits around a message to the agent: ask before a generation that has too few, then count what was used."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from bot.chats.chats import AccountKind
from bot.jobs.buttons import DropRequest, GoOn, GoOnChoice, Retry
from bot.jobs.checkpoints import AgentAnswered, PromptSent, Turn
from bot.jobs.generation_choice import RATIOS, choice_message
from bot.jobs.messages import Button, LocalizedMessage, PrivateMessage, Seconds, TextMessage, with_lines
from bot.jobs.model import JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.account_credits import ChatAccountKind
from bot.jobs.queue.credit_limits import BalanceReading, CreditLimits
from bot.jobs.queue.quotas import seconds_until_reset
from bot.jobs.steps.service_errors import top_up_buttons
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.errors import NemoError
from bot.projects.projects import Project, Projects
from bot.words import asks_for_generation, names_format_or_length

log = structlog.get_logger(__name__)

GENERATION_CREDITS = 100
"""What generating a clip takes, about."""

EDIT_CREDITS = 50
"""What any other message takes, about."""

_COUNTED: Final[Mapping[AccountKind, ChatAccountKind]] = {AccountKind.OWN: "own", AccountKind.GUEST: "guest"}
"""The accounts whose use is added up; that of the operator's account shows in its falling balance."""

PATIENCE_S = 3.0  # for the reading before a message
GRACE_S = 0.5  # for the reading after it, once everything else is known


@dataclass(frozen=True, slots=True)
class CreditsReading:
    """The credits of an account at a moment."""

    available: float | None  # credits that can be used; ``None`` if that is unknown
    balance: BalanceReading | None  # of the operator's account; ``None`` if it is unknown


@dataclass(frozen=True, slots=True)
class CreditsUse:
    """The credits that a message used."""

    # Credits; ``None`` if unknown, as other chats used the account meanwhile.
    used: int | None = None
    left: int = 0  # credits after it
    reading: CreditsReading | None = None  # the reading after it
    account: AccountKind = AccountKind.NONE  # whose account it was


class TurnCredits:
    """Credits around one message to the agent.

    Args:
        projects: The chats' projects.
        limits: Daily limits of what the operator's account spends.
        attempt: The attempt at the job.
        turn: The message.
    """

    def __init__(self, projects: Projects, limits: CreditLimits, attempt: Attempt, turn: Turn) -> None:
        self._projects = projects
        self._limits = limits
        self._attempt = attempt
        self._turn = turn
        self._has_reserved = False

    async def read(self, project: Project) -> CreditsReading:
        """Return what the project's account has."""
        is_operators = project.account is AccountKind.OPERATOR
        number = await self._limits.begin_reading() if is_operators else None
        try:
            async with asyncio.timeout(PATIENCE_S):
                credits_ = await self._projects.nemo.get_credits(project.credentials)
        except (NemoError, TimeoutError) as error:
            log.info("credits.unknown", error=type(error).__name__)
            return CreditsReading(None, None)
        total = credits_.available if credits_.total is None else credits_.total
        balance = None if number is None or total is None else BalanceReading(number, total)
        return CreditsReading(credits_.available, balance)

    async def ensure_generation_chosen(self, available: float | None) -> None:
        """Hold up a clip that is to be generated from words alone until its format and length are chosen.

        Args:
            available: The credits that are left; ``None`` if that is unknown.

        Raises:
            JobEnded: The request waits.
        """
        job = self._attempt.job
        payload = job.payload_as(EditPayload)
        is_from_words = asks_for_generation(job.prompt) and not job.files and not payload.links
        # With no credits at all NemoVideo refuses by itself.
        if self._turn.number > 1 or not is_from_words or available == 0:
            return
        # A button under an answer says all there is.
        if payload.is_form_chosen or payload.pressed is not None:
            return
        if not names_format_or_length(job.prompt):
            left = available if job.chat.is_private else None
            ratio = (await self._projects.chats.brands.load(job.chat)).ratio or RATIOS[0]
            raise JobEnded(choice_message(job.id, GENERATION_CREDITS, left, ratio), JobState.DONE)

    async def ensure_enough(self, available: float | None) -> None:
        """Ask for a decision before a generation for which too few credits are left.

        Args:
            available: What is left; ``None`` if that is unknown.

        Raises:
            JobEnded: The request waits.
        """
        job = self._attempt.job
        may_go_on = job.payload_as(EditPayload).may_use_last_credits or not asks_for_generation(job.prompt)
        # With none at all NemoVideo refuses by itself, and charges nothing.
        if self._turn.number > 1 or not available or available >= GENERATION_CREDITS or may_go_on:
            return
        buttons = (
            Button("button.go_on", GoOn(job.id, GoOnChoice.SPEND), style="success"),
            *await top_up_buttons(self._projects, await self._projects.chats.get(job.chat)),
            Button("button.drop", DropRequest(job.id)),
        )
        numbers = {"available": round(available), "needed": GENERATION_CREDITS}
        message = LocalizedMessage("credits.too_few", numbers, buttons)
        # Not everyone in a group may see a balance.
        raise JobEnded(PrivateMessage(message, (LocalizedMessage("error.account"),)), JobState.DONE)

    async def reserve(self, project: Project, reading: CreditsReading) -> None:
        """Reserve what the message will use of the operator's credits today.

        Raises:
            JobEnded: Today's limit does not allow it.
        """
        if project.account is not AccountKind.OPERATOR:
            return
        job = self._attempt.job
        is_generation = asks_for_generation(self._turn.prompt or job.prompt)
        estimate = GENERATION_CREDITS if is_generation else EDIT_CREDITS
        self._has_reserved = True
        scope = await self._limits.reserve(
            job, self._attempt.turn_id(self._turn.number), estimate, reading.balance
        )
        if scope is not None:
            retry = Button("button.retry", Retry(job.id))
            params = {"anew_in": Seconds(seconds_until_reset(self._attempt.clock.now()))}
            raise JobEnded(LocalizedMessage(f"quota.over_credits_{scope}", params, (retry,)), JobState.DONE)

    async def record_use(self, use: CreditsUse) -> None:
        """Replace the reserved credits with the used ones, and count those of a chat's own account."""
        job, reading = self._attempt.job, use.reading
        if self._has_reserved:
            await self._limits.record_use(job, use.used, reading.balance if reading else None)
        if use.used is not None and (kind := _COUNTED.get(use.account)):
            await self._limits.accounts.record(kind, job.chat.chat_id, use.used, use.left)

    async def turns_before(self, project: Project) -> int | None:
        """Count the beginning of a turn of the operator's account, which other chats use too."""
        is_shared = project.account is AccountKind.OPERATOR
        return await self._projects.operator_token.count_turn() if is_shared else None

    async def read_after(self) -> CreditsUse:
        """Return what the message used, and what is left after it."""
        asked = self._attempt.load(PromptSent, self._turn.key)
        if asked is None:
            return CreditsUse()
        try:
            project = await self._projects.open(self._attempt.job)
        except NemoError:
            return CreditsUse()
        is_alone = (
            asked.turns_before is None
            or await self._projects.operator_token.count_turn() == asked.turns_before + 1
        )
        reading = await self.read(project)
        left = reading.available
        if not is_alone or left is None or asked.credits_before is None:
            return CreditsUse(reading=reading)
        used = max(0, round(asked.credits_before - left))
        return CreditsUse(used, round(left), reading, project.account)


def with_credits(message: TextMessage | None, answered: AgentAnswered) -> TextMessage | None:
    """Return an answer with a last line about the credits that it used."""
    if message is None or not answered.credits_used:
        return message
    line = LocalizedMessage(
        "answer.credits_used", {"n": answered.credits_used, "left": answered.credits_left}
    )
    return with_lines(message, (line,))
