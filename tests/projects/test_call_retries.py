"""Which refusals a call is repeated after, how often, and after which pauses."""

from collections.abc import Sequence

import pytest

from bot.nemo.errors import AuthError, Call, NemoError, RateLimited, SessionGone
from bot.projects.call_retries import LONGEST_RATE_LIMIT_PAUSE_S, RATE_LIMIT_PAUSE_S, call_with_retries
from tests.projects.test_projects import QuickClock

CALL = Call("POST", "/run_sse")
EXPIRED, GONE = AuthError(CALL, "expired"), SessionGone(CALL, "gone")


def limited(retry_after_s: float | None = None) -> RateLimited:
    error = RateLimited(CALL, "slow down")
    error.retry_after_s = retry_after_s
    return error


class Service:
    """Fails in the given ways, one call after the other, and then succeeds."""

    def __init__(self, *errors: NemoError) -> None:
        self._errors = list(errors)
        self.calls = 0
        self.repaired: list[NemoError] = []

    async def call(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"

    async def repair(self, error: NemoError) -> None:
        self.repaired.append(error)


async def test_a_token_and_a_project_are_each_repaired_in_one_call() -> None:
    service = Service(EXPIRED, GONE)
    assert await call_with_retries(QuickClock(), service.call, service.repair) == "done"
    assert service.repaired == [EXPIRED, GONE]


@pytest.mark.parametrize("errors", [(EXPIRED, EXPIRED), (GONE, GONE), (EXPIRED, GONE, EXPIRED)])
async def test_what_a_repair_did_not_help_is_not_repaired_again(errors: Sequence[NemoError]) -> None:
    service = Service(*errors)
    with pytest.raises(type(errors[-1])):
        await call_with_retries(QuickClock(), service.call, service.repair)
    assert (service.calls, len(service.repaired)) == (len(errors), len(errors) - 1)


async def test_who_can_repair_nothing_gets_the_refusal() -> None:
    service = Service(EXPIRED)
    with pytest.raises(AuthError):
        await call_with_retries(QuickClock(), service.call)
    assert service.calls == 1


@pytest.mark.parametrize(
    ("retry_after_s", "slept"),
    [
        (None, [RATE_LIMIT_PAUSE_S]),
        (0.0, [0.0]),
        (LONGEST_RATE_LIMIT_PAUSE_S, [LONGEST_RATE_LIMIT_PAUSE_S]),
        (LONGEST_RATE_LIMIT_PAUSE_S + 1, []),
    ],
)
async def test_too_many_requests_are_waited_out_as_long_as_the_service_asks_but_not_for_ever(
    retry_after_s: float | None, slept: list[float]
) -> None:
    clock, service = QuickClock(), Service(limited(retry_after_s))
    if slept:
        assert await call_with_retries(clock, service.call) == "done"
    else:
        with pytest.raises(RateLimited):
            await call_with_retries(clock, service.call)
    assert clock.slept == slept


async def test_who_does_not_want_to_wait_hears_of_too_many_requests_at_once() -> None:
    clock, service = QuickClock(), Service(limited())
    with pytest.raises(RateLimited):
        await call_with_retries(clock, service.call, waits_out_rate_limit=False)
    assert (service.calls, clock.slept) == (1, [])
