import pytest

from bot.nemo.render_answers import next_poll_s


def test_the_pauses_grow_as_those_of_nemovideos_client() -> None:
    pauses = [next_poll_s(looks, 0, None, 15) for looks in range(7)]
    assert pauses == [2, 3, 4.5, 6.75, 10.125, 15, 15]


@pytest.mark.parametrize("render_s", [5, 12, 30, 61, 120, 300])
def test_a_render_that_tells_its_progress_is_found_soon_after_its_end(render_s: float) -> None:
    at_s, looks, progress = 0.0, 0, None
    while at_s < render_s:
        at_s += next_poll_s(looks, at_s, progress, 15)
        looks += 1
        progress = float(int(100 * min(at_s / render_s, 1)))
    assert at_s - render_s <= max(2, render_s / 10)
    assert looks < 40
