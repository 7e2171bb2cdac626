"""A short and a longer round of ``python -m tests.fuzz``."""

import pytest
from hypothesis import strategies as st

from tests.fuzz import TARGETS, Target, run

EXAMPLES = 25
HEAVY_EXAMPLES = 1500


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_breaks(name: str) -> None:
    assert run(TARGETS[name], examples=EXAMPLES) >= EXAMPLES


@pytest.mark.heavy
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_breaks_in_many_rounds(name: str) -> None:
    assert run(TARGETS[name], examples=HEAVY_EXAMPLES) >= HEAVY_EXAMPLES


def test_what_breaks_is_found() -> None:
    def check(value: str) -> None:
        assert "z" not in value

    with pytest.raises(AssertionError):
        run(Target(check, st.text("xyz")), examples=EXAMPLES)
