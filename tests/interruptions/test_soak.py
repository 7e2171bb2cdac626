"""A short soak; ``python -m tests.interruptions.soak`` plays long ones."""

import pytest

from tests.interruptions.soak import Plan, play

pytestmark = pytest.mark.heavy


async def test_nothing_is_lost_or_doubled_while_processes_end_again_and_again() -> None:
    checkpoints = await play(Plan(chats=5, prompts=2, kills=5, seed=7))

    assert checkpoints.faults == []
    assert sum(checkpoints.ended.values()) == 5
    assert len(checkpoints.recovery_s) == 5
