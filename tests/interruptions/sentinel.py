"""A real Sentinel: a primary, replicas and three sentinels, all of the embedded store's server binary."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.store.server import find_server_binary
from tests.nemo.servers import free_port

NAME = "videos"
PASSWORD = "hush-hush"

DOWN_AFTER_MS = 3000
"""Longer than a busy machine keeps a live server from answering: replacing that one might lose what it took last."""


class Deployment:
    """Servers and sentinels on ports of this machine.

    Args:
        directory: Where each has its files.
        replicas: How many there are.
        settings: Further lines of each server's configuration.
    """

    def __init__(self, directory: Path, replicas: int, settings: str) -> None:
        self._directory = directory
        self._replicas = replicas
        self._settings = settings
        self._processes: list[subprocess.Popen[bytes]] = []
        self.servers: dict[int, subprocess.Popen[bytes]] = {}
        self.sentinels: list[int] = []

    @property
    def url(self) -> str:
        """What the bot is given."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://:{PASSWORD}@{hosts}/{NAME}/0"

    def start(self) -> None:
        """Start all of them."""
        primary = free_port()
        words = (
            f"requirepass {PASSWORD}\nmasterauth {PASSWORD}\nrepl-diskless-sync-delay 0\nsave ''\n"
            f"{self._settings}\n"
        )
        self.servers[primary] = self._start(primary, words)
        for _ in range(self._replicas):
            replica = free_port()
            self.servers[replica] = self._start(replica, f"{words}replicaof 127.0.0.1 {primary}\n")
        for _ in range(3):
            port = free_port()
            watched = (
                f"sentinel monitor {NAME} 127.0.0.1 {primary} 2\n"
                f"sentinel auth-pass {NAME} {PASSWORD}\n"
                f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}\n"
                f"sentinel failover-timeout {NAME} 5000\n"
            )
            self._start(port, watched, "--sentinel")
            self.sentinels.append(port)

    def _start(self, port: int, words: str, *options: str) -> subprocess.Popen[bytes]:
        directory = self._directory / str(port)
        directory.mkdir()
        file = directory / "server.conf"
        file.write_text(f"port {port}\nbind 127.0.0.1\ndir {directory}\n{words}")
        process = subprocess.Popen(
            [str(find_server_binary()), str(file), *options], stdout=subprocess.DEVNULL
        )
        self._processes.append(process)
        return process

    async def is_up(self) -> bool:
        """Whether all sentinels know the primary, and every replica is in step."""
        primary = await self.primary()
        return primary is not None and await self.replicas(primary) == self._replicas

    async def primary(self) -> int | None:
        """The primary's port, once all sentinels know it and each other."""
        ports = {await self._primary_of(port) for port in self.sentinels}
        return ports.pop() if len(ports) == 1 else None

    async def _primary_of(self, sentinel: int) -> int | None:
        try:
            async with Redis(port=sentinel, decode_responses=True) as client:
                state: Any = await client.sentinel_master(NAME)
        except RedisError:
            return None
        is_well = state["num-other-sentinels"] == 2 and state["num-slaves"] and state["flags"] == "master"
        return int(state["port"]) if is_well else None

    async def replicas(self, port: int) -> int:
        """How many replicas a server has that are in step."""
        info = await self._replication(port)
        return sum(one["state"] == "online" for key, one in info.items() if key.startswith("slave"))

    async def role(self, port: int) -> str:
        """What a server says it is: ``master`` or ``slave``."""
        return str((await self._replication(port)).get("role", ""))

    async def _replication(self, port: int) -> dict[str, Any]:
        try:
            async with Redis(port=port, password=PASSWORD, decode_responses=True) as server:
                info: dict[str, Any] = await server.info("replication")
                return info
        except RedisError:
            return {}

    def stop(self) -> None:
        """Stop whatever runs."""
        for process in self._processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@contextlib.contextmanager
def sentinel_deployment(replicas: int = 1, settings: str = "") -> Iterator[Deployment]:
    """One that runs; ended with the block."""
    with tempfile.TemporaryDirectory(prefix="sentinel-") as directory:
        deployment = Deployment(Path(directory), replicas, settings)
        try:
            deployment.start()
            yield deployment
        finally:
            deployment.stop()
