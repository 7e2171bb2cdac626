"""Every refusal of Telegram at every form of a result, in every kind of chat: nothing is lost, nothing sent twice."""

from collections.abc import Collection
from itertools import combinations

import pytest

from bot.telegram.sending.result_forms import ResultForm, next_form
from bot.telegram.sending.send_refusals import SendRefusal

VIDEO, FILE, SMALLER, LINK, PRIVATE, KEPT = ResultForm
ALL = frozenset(ResultForm)
UPLOADS = {VIDEO, FILE}


@pytest.mark.parametrize(
    ("refused", "refusal", "sent_next"),
    [
        (VIDEO, SendRefusal.TOO_LARGE, SMALLER),
        (FILE, SendRefusal.TOO_LARGE, SMALLER),
        (SMALLER, SendRefusal.TOO_LARGE, LINK),
        (VIDEO, SendRefusal.KIND, FILE),
        (FILE, SendRefusal.KIND, LINK),
        (SMALLER, SendRefusal.KIND, LINK),
        (VIDEO, SendRefusal.CHAT, PRIVATE),
        (FILE, SendRefusal.CHAT, PRIVATE),
        (SMALLER, SendRefusal.CHAT, PRIVATE),
        (LINK, SendRefusal.CHAT, PRIVATE),
        (PRIVATE, SendRefusal.CHAT, KEPT),
        (KEPT, SendRefusal.CHAT, None),
        (VIDEO, SendRefusal.OTHER, FILE),
        (FILE, SendRefusal.OTHER, LINK),
        (SMALLER, SendRefusal.OTHER, LINK),
        (LINK, SendRefusal.OTHER, PRIVATE),
        (PRIVATE, SendRefusal.OTHER, KEPT),
        (KEPT, SendRefusal.OTHER, None),
        (VIDEO, SendRefusal.BUTTON, FILE),
        (VIDEO, SendRefusal.THREAD, FILE),
        (VIDEO, SendRefusal.REPLY, FILE),
        (VIDEO, SendRefusal.FORMATTING, FILE),
    ],
)
def test_a_refused_result_goes_on_in_the_best_form_left(
    refused: ResultForm, refusal: SendRefusal, sent_next: ResultForm | None
) -> None:
    assert next_form(refused, refusal, ALL) is sent_next


def possible_sets() -> list[Collection[ResultForm]]:
    """Every set of forms that a result may have; that it is kept can always be said."""
    others = [form for form in ResultForm if form is not KEPT]
    return [{KEPT, *some} for size in range(len(others) + 1) for some in combinations(others, size)]


@pytest.mark.parametrize("refusal", SendRefusal)
def test_every_way_ends_with_the_news_that_it_is_kept_and_no_form_comes_twice(refusal: SendRefusal) -> None:
    for possible in possible_sets():
        for start in possible:
            seen: list[ResultForm] = [start]
            while (form := next_form(seen[-1], refusal, possible)) is not None:
                assert form in possible
                seen.append(form)
            assert seen[-1] is KEPT
            assert len(set(seen)) == len(seen)
            if refusal is SendRefusal.TOO_LARGE:
                # The same bytes are never uploaded again.
                assert len(UPLOADS & set(seen)) <= 1
