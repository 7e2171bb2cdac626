"""What waits for a decision about credits, and what counts against the operator's."""

import contextlib
from unittest.mock import AsyncMock, Mock

import pytest

from bot.chats.chats import AccountKind
from bot.jobs.checkpoints import PromptSent, Turn
from bot.jobs.steps.credits_use import GENERATION_CREDITS, CreditsReading, TurnCredits
from bot.jobs.worker.attempt import JobEnded
from tests.jobs.steps.conftest import Rig, a_draft


@pytest.mark.parametrize(
    ("available", "turn", "waits"),
    [
        (GENERATION_CREDITS - 1, 1, True),
        (GENERATION_CREDITS, 1, False),
        (0, 1, False),  # NemoVideo refuses, and charges nothing.
        (None, 1, False),
        (GENERATION_CREDITS - 1, 2, False),  # It has begun.
    ],
)
async def test_a_generation_waits_where_credits_may_not_last(
    rig: Rig, available: float | None, turn: int, waits: bool
) -> None:
    attempt = rig.attempt(rig.job(prompt="generate a video of a cat, 9:16, 8 s"))
    credits_ = TurnCredits(rig.projects, rig.credit_limits, attempt, Turn(number=turn))
    with pytest.raises(JobEnded) if waits else contextlib.nullcontext():
        await credits_.ensure_enough(available)


@pytest.mark.parametrize(
    ("account", "count"), [(AccountKind.OPERATOR, 1), (AccountKind.GUEST, 0), (AccountKind.OWN, 0)]
)
async def test_only_the_operators_credits_are_reserved(rig: Rig, account: AccountKind, count: int) -> None:
    limits = AsyncMock(reserve=AsyncMock(return_value=None))
    credits_ = TurnCredits(rig.projects, limits, rig.attempt(rig.job(prompt="cut it")), Turn())
    await credits_.reserve(Mock(account=account), CreditsReading(None, None))
    assert limits.reserve.await_count == count


async def test_what_was_topped_up_meanwhile_is_no_use(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    attempt = rig.attempt(rig.job(prompt="cut it"), PromptSent(credits_before=1))
    use = await TurnCredits(rig.projects, rig.credit_limits, attempt, Turn()).read_after()
    assert use.used == 0
    assert use.left > 1
