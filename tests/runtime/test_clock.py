from datetime import UTC, datetime, timedelta

import pytest

from bot.runtime.clock import SystemClock

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize("speed", [1.0, 50.0])
def test_a_clock_that_starts_at_another_time_goes_on_from_there(speed: float) -> None:
    clock = SystemClock(speed, starts_at=NOON)
    assert NOON <= clock.now() <= NOON + timedelta(minutes=10)
    assert not clock.is_real
    assert SystemClock().is_real
