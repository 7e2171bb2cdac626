from bot.runtime.backoff import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(first_s=0.5, longest_s=3)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1, 2, 3, 3]


def test_a_reset_begins_with_the_first_pause() -> None:
    backoff = Backoff(first_s=1, longest_s=8)
    backoff.next_s()
    backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 1
