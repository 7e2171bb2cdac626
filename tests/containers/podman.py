"""Containers and images with podman, by their names alone."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.containers.compose import DEPLOY, SERVICES, interpolate, run_arguments
from tests.interruptions.world import until

BOT_IMAGE = "nemovideo-bot-try"
STANDINS = Path(__file__).parent / "standins.Dockerfile"


class NotHere(Exception):
    """Something is missing on this machine without which nothing can be tried."""


def podman(*arguments: str, check: bool = True) -> str:
    """Run podman, and return what it prints.

    Raises:
        RuntimeError: It failed.
    """
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"podman {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def image_of(service: str) -> str:
    """Return the image that runs a service: its own, or a stand-in's where that can't be pulled."""
    own = full_name(SERVICES[service]["image"])
    return BOT_IMAGE if service == "bot" else own if is_here(own) else f"{BOT_IMAGE}-{service}"


def full_name(image: str) -> str:
    """Return an image's name with its registry, so that podman asks nobody which one is meant."""
    return f"docker.io/{image}" if "/" in image else f"docker.io/library/{image}"


def is_here(image: str) -> bool:
    """Return whether an image is on this machine."""
    return subprocess.run(["podman", "image", "exists", image], check=False).returncode == 0


def prepare_images() -> None:
    """Build the bot's image, and pull or build what runs beside it.

    Raises:
        NotHere: The base image can't be had, or no container of it starts.
    """
    base = "python:3.13-slim"
    if not _pulled(full_name(base)):
        raise NotHere(f"{base} is not here and can't be pulled")
    try:
        podman("run", "--rm", "--network=host", "--memory=64m", "--pids-limit=8", full_name(base), "true")
    except RuntimeError as error:
        raise NotHere(f"no container starts: {error}") from error
    podman(
        "build", "--network=host", f"--tag={BOT_IMAGE}", f"--file={DEPLOY / 'Dockerfile'}", str(DEPLOY.parent)
    )
    for service in ("valkey", "caddy"):
        if not _pulled(full_name(SERVICES[service]["image"])):
            print(
                f"{SERVICES[service]['image']} can't be pulled: the same program from packages stands in for it"
            )
            build = ["build", "--network=host", f"--target={service}", f"--tag={BOT_IMAGE}-{service}"]
            podman(*build, f"--file={STANDINS}", str(STANDINS.parent))


def _pulled(image: str) -> bool:
    if not is_here(image):
        podman("pull", "--quiet", image, check=False)
    return is_here(image)


class Containers:
    """Containers of one trial, gone with it, and so are their volumes.

    All share the loopback of the process that starts them, and the services' names lead there.

    Args:
        directory: For `.env`.
        variables: What `deploy/.env` holds.
    """

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        self.variables = dict(variables)
        self._env_file = directory / ".env"
        self._prefix = f"{BOT_IMAGE}-{time.time_ns()}-"
        self._names: list[str] = []

    async def start(self, service: str, *command: str, image: str = "", more: Sequence[str] = ()) -> str:
        """Start a service, and wait until the file's health check finds it healthy.

        Args:
            service: Its name in `compose.yaml`.
            command: Instead of the file's or the image's.
            image: Instead of the file's.
            more: Further arguments of `podman run`.

        Returns:
            The container's name.
        """
        container = await self.begin(service, *command, image=image, more=more)
        if test := SERVICES[service].get("healthcheck", {}).get("test"):
            kind, *check = test
            check = ["sh", "-c", interpolate(check[0], self.variables)] if kind == "CMD-SHELL" else check
            await until(lambda: self._succeeds(container, check))
        return container

    async def begin(self, service: str, *command: str, image: str = "", more: Sequence[str] = ()) -> str:
        """Start a service, and wait for nothing."""
        self._env_file.write_text("".join(f"{key}={value}\n" for key, value in self.variables.items()))
        container = f"{self._prefix}{service}-{len(self._names)}"
        self._names.append(container)
        arguments = run_arguments(service, self.variables, self._env_file, self._prefix)
        hosts = [f"--add-host={host}:127.0.0.1" for host in SERVICES]
        told = command or [interpolate(of, self.variables) for of in SERVICES[service].get("command", [])]
        run = ["run", "--detach", f"--name={container}", "--network=host", *hosts, *arguments, *more]
        await asyncio.to_thread(podman, *run, image or image_of(service), *told)
        return container

    async def _succeeds(self, container: str, command: Sequence[str]) -> bool:
        done = await asyncio.to_thread(
            subprocess.run, ["podman", "exec", container, *command], capture_output=True, check=False
        )
        return done.returncode == 0

    async def stop(self, container: str, service: str) -> float:
        """Tell it to end, as compose does; it has to end well within the file's grace.

        Returns:
            How long it took, in seconds.
        """
        grace_s = SERVICES[service]["stop_grace_period"].removesuffix("s")
        began_s = time.monotonic()
        await asyncio.to_thread(podman, "stop", f"--time={grace_s}", container)
        took_s = time.monotonic() - began_s
        assert self.state(container, "ExitCode") == "0", "it was killed, or ended badly"
        return took_s

    def state(self, container: str, field: str) -> str:
        """Return a field of the container's state."""
        return podman("inspect", f"--format={{{{.State.{field}}}}}", container)

    def volume(self, name: str) -> Path:
        """Return where the files of a volume are."""
        return Path(podman("volume", "inspect", "--format={{.Mountpoint}}", f"{self._prefix}{name}"))

    def log(self, container: str) -> str:
        """Return the last lines that it wrote."""
        command = ["podman", "logs", "--tail=40", container]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return done.stdout.strip()

    def logs(self) -> str:
        """Return the last lines of each container."""
        return "\n".join(f"--- {name}\n{self.log(name)}" for name in self._names)

    def remove(self) -> None:
        """Leave nothing behind."""
        for name in self._names:
            podman("rm", "--force", "--time=0", "--volumes", name, check=False)
        volumes = podman("volume", "ls", "--quiet", f"--filter=name={self._prefix}").split()
        if volumes:
            podman("volume", "rm", "--force", *volumes, check=False)
