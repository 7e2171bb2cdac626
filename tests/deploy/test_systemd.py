"""The unit for one machine: what systemd says of it, and what it leaves the bot."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bot.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd/nemovideo-bot.service"


def settings_of(section: str) -> dict[str, list[str]]:
    part = UNIT.read_text("utf-8").split(f"[{section}]\n")[1].split("\n[")[0]
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"(?m)^(\w+)=(.*)$", part):
        found.setdefault(name, []).append(value)
    return found


def test_systemd_takes_it(tmp_path: Path) -> None:
    if not (systemd_analyze := shutil.which("systemd-analyze")):
        pytest.skip("systemd is not here")
    # The bot is not installed where the unit looks for it.
    text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text("utf-8"))
    for name, unit in (
        ("right.service", text),
        ("wrong.service", text.replace("RestartSec=", "RestartSecs=")),
    ):
        (tmp_path / name).write_text(unit, "utf-8")

    said = {
        name: subprocess.run(
            [systemd_analyze, "verify", "--man=no", str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        for name in ("right.service", "wrong.service")
    }

    assert said["right.service"].returncode == 0
    # A systemd before Landlock leaves its calls out of the filter and says so; the bot does without them.
    complaints = [line for line in said["right.service"].stderr.splitlines() if "landlock_" not in line]
    assert complaints == []
    assert "RestartSecs" in said["wrong.service"].stderr


def test_it_keeps_everything_in_its_own_directory() -> None:
    service = settings_of("Service")
    environment = dict(line.split("=", 1) for line in service["Environment"])
    (state,) = service["StateDirectory"]
    assert environment["DATA_DIR"] == f"/var/lib/{state}"
    assert service["StateDirectoryMode"] == ["0700"]
    assert service["UMask"] == ["0077"]
    of_others = {"HOME", "PYTHONDONTWRITEBYTECODE"}
    assert environment.keys() - of_others <= {name.upper() for name in Settings.model_fields}
    # Secrets come from root's file; what stands in a unit, everybody may read.
    assert service["EnvironmentFile"] == ["/etc/nemovideo-bot/env"]


def test_it_may_do_no_more_than_it_has_to() -> None:
    service = settings_of("Service")
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "RestrictSUIDSGID"):
        assert service[name] == ["yes"], name
    assert service["ProtectSystem"] == ["strict"]
    assert service["CapabilityBoundingSet"] == [""]
    assert service["User"] == ["nemovideo-bot"]
    assert "ReadWritePaths" not in service
    assert service["ProcSubset"] == ["pid"]
    assert service["PrivateUsers"] == ["yes"]
    assert service["MemoryMax"]
    assert service["TasksMax"]


def test_only_the_bot_is_told_to_end() -> None:
    service = settings_of("Service")
    assert service["KillMode"] == ["mixed"]  # the embedded store is needed until the jobs have stopped
    assert float(service["TimeoutStopSec"][0]) >= 15  # the store takes 10 s at most


def test_the_readme_installs_what_the_unit_starts() -> None:
    readme = (DEPLOY / "README.md").read_text("utf-8")
    service = settings_of("Service")
    (command,) = service["ExecStart"]
    assert command.endswith("/bin/nemovideo-bot run")
    home = command.split("/bin/")[0]
    for named in (
        f"VIRTUAL_ENV={home} ",
        service["EnvironmentFile"][0],
        UNIT.name,
        service["User"][0],
    ):
        assert named in readme, named
