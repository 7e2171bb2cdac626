from pathlib import Path

import pytest

from tests.containers import compose
from tests.containers.compose import SERVICES, interpolate, notes, run_arguments

VARIABLES = {"VALKEY_PASSWORD": "abc", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("redis://:${VALKEY_PASSWORD:?set it}@valkey", "redis://:abc@valkey"),
        ("$$VALKEY_PASSWORD", "$VALKEY_PASSWORD"),
        ("${EMPTY:-default} ${NOWHERE:-default} ${NOWHERE:-}", "default default "),
    ],
)
def test_variables_are_replaced_as_compose_does(text: str, value: str) -> None:
    assert interpolate(text, VARIABLES) == value


@pytest.mark.parametrize("name", ["EMPTY", "NOWHERE"])
def test_a_variable_that_is_needed_has_to_be_given(name: str) -> None:
    with pytest.raises(ValueError, match="set it"):
        interpolate(f"${{{name}:?set it}}", VARIABLES)


def test_a_container_gets_what_the_file_says_of_its_service() -> None:
    arguments = run_arguments("valkey", VARIABLES, Path(".env"), "try-")
    assert arguments == [
        "--env=VALKEY_PASSWORD=abc",
        "--volume=try-store:/data",
        "--user=999:1000",
        "--read-only=true",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges:true",
        "--memory=2g",
        "--pids-limit=128",
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_every_key_of_every_service_is_known(service: str) -> None:
    assert "--cap-drop=ALL" in run_arguments(service, VARIABLES, Path(".env"), "")


def test_a_key_that_nobody_carries_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(compose.SERVICES, "valkey", {**SERVICES["valkey"], "privileged": True})
    with pytest.raises(ValueError, match="valkey: privileged"):
        run_arguments("valkey", VARIABLES, Path(".env"), "")


def test_values_to_copy_are_read_from_the_notes() -> None:
    assert notes()["SHARED_DIR"] == "/var/lib/telegram-bot-api/results"
    assert "VALKEY_PASSWORD" not in notes()
