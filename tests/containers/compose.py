"""What `deploy/compose.yaml` says of a service, as arguments of `podman run`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = DEPLOY / "compose.yaml"

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]

FLAGS = {
    "cap_add": "cap-add",
    "cap_drop": "cap-drop",
    "mem_limit": "memory",
    "pids_limit": "pids-limit",
    "read_only": "read-only",
    "security_opt": "security-opt",
    "tmpfs": "tmpfs",
    "user": "user",
}

ELSEWHERE = {"build", "command", "depends_on", "healthcheck", "image", "profiles", "stop_grace_period"}
"""Keys that the trials carry out themselves."""

NOT_TRIED = {"logging", "networks", "ports", "restart"}
"""Keys that need a bridge or a daemon."""


def notes() -> dict[str, str]:
    """Return the lines for `deploy/.env` that the top of the file gives, but for those that have no value there."""
    found = re.findall(r"(?m)^#\s+([A-Z_]+)=(\S+)", COMPOSE.read_text("utf-8"))
    return {name: value for name, value in found if value != "…"}


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$$`, `${NAME}`, `${NAME:-default}` and `${NAME:?error}` as compose does.

    Raises:
        ValueError: A variable is needed and not given.
    """

    def value(match: re.Match[str]) -> str:
        name, how, word = match.groups()
        if name is None:
            return "$"
        if found := variables.get(name):
            return found
        if how == ":?":
            raise ValueError(f"{name}: {word}")
        return word or ""

    return re.sub(r"\$(?:\$|\{(\w+)(?:(:[-?])([^}]*))?\})", value, text)


def run_arguments(service: str, variables: Mapping[str, str], env_file: Path, prefix: str) -> list[str]:
    """Return the arguments that give a container what the file sets.

    Args:
        service: Its name in the file.
        variables: What `deploy/.env` holds.
        env_file: That file.
        prefix: Begins the names of volumes.

    Raises:
        ValueError: The service has a key that nobody here knows.
    """
    arguments: list[str] = []
    for key, value in SERVICES[service].items():
        match key:
            case "environment":
                arguments += [f"--env={name}={interpolate(of, variables)}" for name, of in value.items()]
            case "env_file":
                arguments.append(f"--env-file={env_file}")
            case "volumes":
                sources = [
                    (DEPLOY / of).as_posix() if of.startswith("./") else f"{prefix}{of}" for of in value
                ]
                arguments += [f"--volume={source}" for source in sources]
            case _ if flag := FLAGS.get(key):
                values = value if isinstance(value, list) else [value]
                arguments += [f"--{flag}={of}".replace("=True", "=true") for of in values]
            case _ if key not in ELSEWHERE | NOT_TRIED:
                raise ValueError(f"{service}: {key}")
    return arguments
