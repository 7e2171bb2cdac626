"""A short soak; ``python -m tests.interruptions.soak`` plays long ones."""

from tests.interruptions.soak import Plan, play


async def test_nothing_is_lost_or_doubled_while_processes_end_again_and_again() -> None:
    ledger = await play(Plan(chats=5, wishes=2, kills=5, seed=7))

    assert ledger.faults == []
    assert sum(ledger.ended.values()) == 5
    assert len(ledger.recovery_s) == 5
