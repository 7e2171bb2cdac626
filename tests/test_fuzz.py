"""A short round of ``python -m tests.fuzz``."""

import pytest
from hypothesis import strategies as st

from tests.fuzz import TARGETS, Target, run

EXAMPLES = 60


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_breaks(name: str) -> None:
    assert run(TARGETS[name], examples=EXAMPLES) >= EXAMPLES


def test_what_breaks_is_found() -> None:
    def check(value: str) -> None:
        assert "z" not in value

    with pytest.raises(AssertionError):
        run(Target(check, st.text("xyz")), examples=EXAMPLES)
