import pytest

from bot.pictures.times import format_range, format_time


@pytest.mark.parametrize(
    ("at_ms", "total_ms", "text"),
    [
        (0, 10_000, "0 s"),
        (3_500, 10_000, "3.5 s"),
        (50, 400, "0.05 s"),
        (65_000, 95_000, "1:05"),
        (3_605_000, 7_200_000, "1:00:05"),
        # Truncated: just before the minute is neither "1:60" nor "60 s".
        (119_960, 180_000, "1:59.9"),
        (59_990, 59_995, "59.9 s"),
    ],
)
def test_a_time_is_truncated_and_fits_the_timelines_length(at_ms: int, total_ms: int, text: str) -> None:
    assert format_time(at_ms, total_ms, " s") == text


def test_a_range_has_its_unit_once() -> None:
    assert format_range(0, 3_500, 10_000, " s") == "0–3.5 s"
    assert format_range(5_000, 5_000, 10_000, " s") == "5 s"
