"""Each probe of the security review stands in the table, and each test that the table names exists."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.sandbox.conversation import DIRECTORY as CONVERSATIONS

ROOT = Path(__file__).parents[2]
PROBES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("probes.yaml").read_text("utf-8"))


def test_all_probes_stand_in_the_table() -> None:
    assert [probe["id"] for probe in PROBES] == list(range(1, 85))
    assert all(probe["probe"] for probe in PROBES)
    assert {probe["verdict"] for probe in PROBES} <= {"holds", "open"}
    assert all(("test" in probe) == (probe["verdict"] == "holds") for probe in PROBES)


def named_tests() -> Iterator[str]:
    """Tests by path and name, those of conversation files with the file's name in brackets."""
    for probe in PROBES:
        named = probe.get("test", [])
        yield from [named] if isinstance(named, str) else named


@pytest.mark.parametrize("named", sorted(set(named_tests())), ids=lambda named: named.rpartition("::")[2])
def test_the_test_that_is_named_exists(named: str) -> None:
    path, _, name = named.partition("::")
    name, _, conversation = name.partition("[")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    assert not conversation or (CONVERSATIONS / f"{conversation[:-1]}.yaml").is_file()
