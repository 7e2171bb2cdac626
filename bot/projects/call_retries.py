"""Retries of calls to NemoVideo that can't do anything twice; by the clock that is passed in, unlike stamina's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.nemo.errors import AuthError, RateLimited, SessionGone, TransportError, WarmingUp
from bot.runtime.clock import Clock

T = TypeVar("T")

RATE_LIMIT_PAUSE_S = 30.0
"""The service's own advice for a 429, which is waited out once."""

LONGEST_RATE_LIMIT_PAUSE_S = 120.0
"""If the service asks for a longer pause, the chat is notified instead."""

PAUSES_S = (1.0, 3.0, 10.0)
"""Pauses between tries of a call that never reached the service."""

WARM_UP_PAUSES_S = (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.0, 5.0, 5.0)
"""Pauses between tries while the agent's sandbox is starting."""


async def call_with_retries(
    clock: Clock,
    call_service: Callable[[], Awaitable[T]],
    repair: Callable[[AuthError | SessionGone], Awaitable[None]] | None = None,
    *,
    waits_out_rate_limit: bool = True,
) -> T:
    """Make a call; retry it while it surely was not carried out, and once after each kind of repair.

    A call was not carried out if the sandbox was still starting, or if it never reached the service. A 429 is waited
    out once. Nothing else is retried: the call may have been carried out.

    Args:
        clock: Source of time; tests pass a manual one.
        call_service: Starts the call.
        repair: Repairs a refused token or a lost project, or raises.
        waits_out_rate_limit: Whether to wait out a 429, rather than raise it.

    Raises:
        NemoError: What the caller has to judge.
    """
    repaired: set[type[Exception]] = set()
    pauses, warm_up_pauses = iter(PAUSES_S), iter(WARM_UP_PAUSES_S)
    while True:
        try:
            return await call_service()
        except RateLimited as error:
            pause_s = RATE_LIMIT_PAUSE_S if error.retry_after_s is None else error.retry_after_s
            is_too_long = pause_s > LONGEST_RATE_LIMIT_PAUSE_S
            if is_too_long or not waits_out_rate_limit or RateLimited in repaired:
                raise
            repaired.add(RateLimited)
            await clock.sleep(pause_s)
        except (AuthError, SessionGone) as error:
            if repair is None or type(error) in repaired:
                raise
            repaired.add(type(error))
            await repair(error)
        except WarmingUp:
            warm_up_s = next(warm_up_pauses, None)
            if warm_up_s is None:
                raise
            await clock.sleep(warm_up_s)
        except TransportError as error:
            next_s = next(pauses, None)
            if error.sent or next_s is None:
                raise
            await clock.sleep(next_s)
