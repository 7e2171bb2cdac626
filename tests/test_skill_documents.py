"""Every line of the skill documents is shown by tests or conversations that exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.words import Words

TESTS = Path(__file__).parent
CONVERSATIONS = TESTS.parent / "bot" / "sandbox" / "conversations"

ROWS: list[dict[str, Any]] = yaml.safe_load((TESTS / "skill_documents.yaml").read_text("utf-8"))


def exists(name: str) -> bool:
    """Return whether a conversation, or a test as ``file::function``, is there."""
    file, _, function = name.partition("::")
    if not function:
        return (CONVERSATIONS / f"{name}.yaml").is_file()
    path = TESTS / file
    return path.is_file() and bool(
        re.search(rf"(?m)^\s*(?:async )?def {function}\(", path.read_text("utf-8"))
    )


def test_all_lines_are_there() -> None:
    assert [row["number"] for row in ROWS] == list(range(1, 99))
    assert len({row["line"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["number"]))
def test_what_shows_a_line_exists(row: dict[str, Any]) -> None:
    assert row["shown_by"]
    assert [name for name in row["shown_by"] if not exists(name)] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_set_up_is_one_short_line(language: str) -> None:
    for key in ("setup.working", "setup.ready"):
        text = Words(language).plain(key)
        assert "\n" not in text
        assert len(text) <= 30


def test_what_does_not_exist_is_found() -> None:
    assert not exists("no_such_conversation")
    assert not exists("test_skill_documents.py::test_no_such")
