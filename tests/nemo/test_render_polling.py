import pytest

from bot.nemo.render_answers import next_poll_s


def test_the_pauses_grow_by_half_at_most_from_two_seconds_to_the_longest() -> None:
    pauses = [next_poll_s(polls, 1000, None, 15) for polls in range(7)]
    assert pauses == [2, 3, 4.5, 6.75, 10.125, 15, 15]


@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize("render_s", [5, 12, 28, 30, 61, 120, 300])
def test_a_render_is_found_soon_after_its_end(render_s: float, reports: bool) -> None:
    at_s, polls, progress = 0.0, 0, None
    while at_s < render_s:
        at_s += next_poll_s(polls, at_s, progress, 15)
        polls += 1
        progress = float(int(100 * min(at_s / render_s, 1))) if reports else None
    assert at_s - render_s <= max(2, render_s / 10)
    assert polls < 50
