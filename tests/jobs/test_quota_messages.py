"""What a person reads when a day's quota refuses a request."""

import pytest

from bot.jobs.queue.quota_messages import quota_message
from bot.jobs.queue.quotas import DailyLimit, Quotas, QuotaWarning, Scope
from tests.clocks import HandClock


@pytest.mark.parametrize("scope", ["person", "chat"])
@pytest.mark.parametrize(("left", "told"), [(0, ("over", 5)), (2, ("short", 2))])
def test_a_refusal_tells_what_is_left_where_it_is_too_few(
    scope: Scope, left: int, told: tuple[str, int]
) -> None:
    quotas = Quotas(HandClock(), DailyLimit(5), DailyLimit(5))
    message = quota_message(QuotaWarning(scope, "requests", left), quotas, is_over=True)
    kind, n = told
    assert (message.key, message.params["n"]) == (f"quota.{kind}_jobs_{scope}", n)
