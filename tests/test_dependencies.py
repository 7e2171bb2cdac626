"""Which versions get installed: those that ``pyproject.toml`` names, the indirect ones too."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESOLVED = ROOT / "uv.lock"
"""Made anew by every ``uv run``, for all supported Pythons and systems at once."""


def normal(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[=;<>! ]", requirement)[0]).lower()


def test_every_package_that_any_system_needs_is_pinned() -> None:
    if not RESOLVED.exists():
        pytest.skip("without uv nothing was resolved")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    required = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["otel"],
        *project["dependency-groups"]["dev"],
        *project["tool"]["uv"]["constraint-dependencies"],
    ]
    pinned = {normal(one) for one in required if "==" in one}
    assert {normal(one) for one in required} == pinned
    resolved = {package["name"] for package in tomllib.loads(RESOLVED.read_text("utf-8"))["package"]}
    assert resolved - pinned == {normal(project["project"]["name"])}
    assert pinned - resolved == set(), "pinned, and needed by nothing"
