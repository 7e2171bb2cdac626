"""Each file that is installed has a known hash, and is the version that pyproject.toml names."""

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_dependencies import RESOLVED, normal

ROOT = Path(__file__).parents[2]
HASHES = ROOT / "deploy/hashes"
AGAIN = (
    "make them anew: uv export --format requirements.txt --no-emit-project --no-header --no-annotate"
    " --no-dev -o deploy/hashes/bot.txt, and with --all-groups --all-extras -o deploy/hashes/ci.txt"
)
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text("utf-8"))["services"]


def versions(name: str) -> dict[str, str]:
    """Versions by package; each has a hash, as has every line of the file."""
    entries = (HASHES / name).read_text("utf-8").replace("\\\n", " ").splitlines()
    found = {}
    for entry in entries:
        requirement = re.fullmatch(
            r"([\w.-]+)(?:\[[\w,-]+\])?==([^ ;]+)[^#]*?((?: +--hash=sha256:[0-9a-f]{64})+)", entry
        )
        assert requirement, f"no hash: {entry[:60]}"
        found[normal(requirement[1])] = requirement[2]
    return found


def pins() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    required = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["otel"],
        *project["dependency-groups"]["dev"],
        *project["tool"]["uv"]["constraint-dependencies"],
    ]
    return {normal(one): one.split(";")[0].split("==")[1].strip() for one in required}


def test_the_hashes_are_of_the_pinned_versions() -> None:
    assert versions("ci.txt") == pins(), AGAIN
    bot = versions("bot.txt")
    assert bot.items() <= pins().items(), AGAIN
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert bot.keys() >= {normal(one) for one in project["dependencies"]}, AGAIN
    assert not bot.keys() & {"pytest", "mypy", "ruff"}


def test_the_hashes_are_what_was_resolved() -> None:
    if not RESOLVED.exists():
        pytest.skip("without uv nothing was resolved")
    resolved = {
        file["hash"]
        for package in tomllib.loads(RESOLVED.read_text("utf-8"))["package"]
        for file in (*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ()))
    }
    listed = set(re.findall(r"--hash=(\S+)", (HASHES / "ci.txt").read_text("utf-8")))
    assert listed <= resolved, AGAIN


@pytest.mark.parametrize("path", sorted(HASHES.glob("*.txt")), ids=lambda path: path.name)
def test_no_address_stands_in_the_hashes(path: Path) -> None:
    assert versions(path.name)
    assert "://" not in path.read_text("utf-8")


@pytest.mark.parametrize("path", ["deploy/Dockerfile", ".ci/run", "deploy/README.md"])
def test_whatever_is_installed_is_checked(path: str) -> None:
    installs = re.findall(
        r"(?:pip|uv pip) (?:install|sync)(?:[^\n]*\\\n)*[^\n]*", (ROOT / path).read_text("utf-8")
    )
    assert installs
    for command in installs:
        assert (
            "--require-hashes" in command or "--no-deps --build-constraints deploy/hashes/uv.txt" in command
        )
    assert "uv sync" not in (ROOT / path).read_text("utf-8")


@pytest.mark.parametrize(
    ("said", "code", "expected"),
    [
        ("No known vulnerabilities found", 0, "pip-audit: no known holes"),
        ("Found 2 known vulnerabilities in 1 package\nhttpx 0.1 GHSA-1", 1, "httpx 0.1 GHSA-1"),
        (
            "ConnectionError: no route to host",
            1,
            "pip-audit: could not ask for known holes; nothing was checked",
        ),
    ],
)
def test_the_audit_says_what_it_found_and_whether_it_could_ask(
    tmp_path: Path, said: str, code: int, expected: str
) -> None:
    script = (ROOT / ".ci/run").read_text("utf-8")
    audit = script[script.index("audit() {") : script.index("\n}\n") + 3]
    tool = tmp_path / "pip-audit"
    tool.write_text(f"#!/bin/sh\nprintf '%s\\n' '{said}'\nexit {code}\n")
    tool.chmod(0o755)
    ran = subprocess.run(
        ["bash", "-euc", f"{audit}\naudit"],
        env={"PATH": os.environ["PATH"], "audit_tool": str(tool)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert expected in ran.stdout


@pytest.mark.parametrize("name", sorted(COMPOSE))
def test_each_container_has_no_more_than_it_needs(name: str) -> None:
    service = COMPOSE[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert set(service.get("cap_add", ())) <= {
        "CHOWN",
        "DAC_OVERRIDE",
        "SETGID",
        "SETUID",
        "NET_BIND_SERVICE",
    }


def test_every_image_of_others_can_be_held_by_its_digest() -> None:
    readme = (ROOT / "deploy/README.md").read_text("utf-8")
    told = re.search(r"^for image in (.+); do$", readme, re.M)
    assert told
    files = [
        ROOT / "deploy/Dockerfile",
        ROOT / "deploy/compose.yaml",
        *(ROOT / "deploy/kubernetes").rglob("*.yaml"),
    ]
    named = {
        image.partition("@")[0]
        for file in files
        for image in re.findall(r"^(?:FROM|\s*(?:- )?image:) (\S+)", file.read_text("utf-8"), re.M)
    }
    assert named - {"nemovideo-bot"} == set(told[1].split())
