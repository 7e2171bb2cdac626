"""Credits around a message to the agent: a question before a generation with too few, and what it used after that."""

from __future__ import annotations

import asyncio

import structlog

from bot.chats.chats import Account
from bot.jobs.buttons import DropRequest, GoOn, GoOnChoice
from bot.jobs.checkpoints import AgentAnswered, AgentAsked, Turn
from bot.jobs.messages import Button, LocalizedMessage, PrivateMessage, TextMessage, with_lines
from bot.jobs.model import JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.steps.service_errors import top_up_buttons
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.errors import NemoError
from bot.projects.projects import Project, Projects
from bot.words import asks_for_generation

log = structlog.get_logger(__name__)

GENERATION_CREDITS = 100
"""What generating a clip takes, about."""

PATIENCE_S = 3.0  # for the reading before a message
GRACE_S = 0.5  # for the reading after it, once everything else is known


async def ensure_enough_credits(projects: Projects, attempt: Attempt, available: float | None) -> None:
    """Let a generation wait for a decision if there are too few credits left for it.

    Args:
        projects: The chats' projects.
        attempt: The attempt at the job.
        available: What is left; ``None`` if that is unknown.

    Raises:
        JobEnded: The request waits.
    """
    job = attempt.job
    may_go_on = job.payload_as(EditPayload).may_use_last_credits or not asks_for_generation(job.text)
    # With none at all NemoVideo refuses by itself, and charges nothing.
    if not available or available >= GENERATION_CREDITS or may_go_on:
        return
    buttons = (
        Button("button.go_on", GoOn(job.id, GoOnChoice.SPEND)),
        *await top_up_buttons(projects, await projects.chats.get(job.chat)),
        Button("button.drop", DropRequest(job.id)),
    )
    numbers = {"available": round(available), "needed": GENERATION_CREDITS}
    message = LocalizedMessage("credits.too_few", numbers, buttons)
    # A balance is not for everyone in a group.
    raise JobEnded(PrivateMessage(message, (LocalizedMessage("error.account"),)), JobState.DONE)


async def read_credits(projects: Projects, project: Project) -> float | None:
    """Return how many credits are left; ``None`` if that can't be had."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return (await projects.nemo.get_credits(project.credentials)).available
    except (NemoError, TimeoutError) as error:
        log.info("credits.unknown", error=type(error).__name__)
        return None


async def turns_before(projects: Projects, attempt: Attempt, project: Project) -> int | None:
    """Count the beginning of a turn of the operator's account, which other chats use too."""
    is_shared = project.account is Account.OPERATOR and attempt.job.chat.is_private
    return await projects.operator_token.count_turn() if is_shared else None


async def used_credits(projects: Projects, attempt: Attempt, turn: Turn) -> tuple[int, int]:
    """Return the credits that the job's message used, and those that are left; zeros where that can't be told."""
    asked = attempt.load(AgentAsked, turn.key)
    if asked is None or asked.credits_before is None or not attempt.job.chat.is_private:
        return 0, 0
    try:
        project = await projects.open(attempt.job)
    except NemoError:
        return 0, 0
    if (
        asked.turns_before is not None
        and await projects.operator_token.count_turn() != asked.turns_before + 1
    ):
        return 0, 0  # Another chat used the account meanwhile: the difference is not this job's alone.
    left = await read_credits(projects, project)
    if left is None:
        return 0, 0
    return max(0, round(asked.credits_before - left)), round(left)


def with_credits(message: TextMessage | None, answered: AgentAnswered) -> TextMessage | None:
    """Return an answer with a last line about the credits that it used."""
    if message is None or not answered.credits_used:
        return message
    line = LocalizedMessage(
        "answer.credits_used", {"n": answered.credits_used, "left": answered.credits_left}
    )
    return with_lines(message, (line,))
