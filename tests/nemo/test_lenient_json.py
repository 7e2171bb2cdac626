from collections.abc import Callable
from typing import Any

import pytest

from bot.nemo import lenient_json as read


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        (read.parse, b'{"a": 1}', {"a": 1}),
        (read.parse, "{", None),
        (read.parse, "[" * 100_000, None),
        (read.mapping, ' {"a": 1}', {"a": 1}),
        (read.mapping, [1], {}),
        (read.items, {"a": 1, "b": 2}, [1, 2]),
        (read.items, "ab", []),
        (read.text, " a ", "a"),
        (read.text, 7, "7"),
        (read.text, "  ", None),
        (read.text, True, None),
        (read.text, 10**20, None),
        (read.text, "\ud83c\udfac", "🎬"),
        (read.text, "a\ud83c", "a\ufffd"),
        (read.number, "35%", 35.0),
        (read.number, "1e999", None),
        (read.number, 1e308, None),
        (read.number, -(10**400), None),
        (read.number, False, None),
        (read.number, float("nan"), None),
        (read.integer, "1002", 1002),
        (read.integer, 2**54, None),
        (read.positive, 0, None),
        (read.positive, 3.0, 3),
    ],
)
def test_any_value_is_read_or_none(function: Callable[[Any], Any], value: Any, expected: Any) -> None:
    assert function(value) == expected


def test_the_first_usable_key_counts() -> None:
    source = {"a": None, "b": "", "c": 0, "d": "7"}
    assert read.first_of(source, ("a", "b", "c")) == ""
    assert read.text_at(source, "a", "b", "c") == "0"
    assert read.number_at(source, "a", "b", "d", "c") == 7.0
    assert read.first_of(source, ("x",)) is None
