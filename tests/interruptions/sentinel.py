"""A real Sentinel: a primary, a replica and three sentinels, all of the embedded store's server binary."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.store.server import find_server_binary

NAME = "videos"
PASSWORD = "hush-hush"

DOWN_AFTER_MS = 1000


class Deployment:
    """Servers and sentinels on ports of this machine.

    Args:
        directory: Where each has its files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
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
        primary, replica = _free_port(), _free_port()
        rights = f"requirepass {PASSWORD}\nmasterauth {PASSWORD}\nrepl-diskless-sync-delay 0\nsave ''\n"
        self.servers[primary] = self._start(primary, rights)
        self.servers[replica] = self._start(replica, f"{rights}replicaof 127.0.0.1 {primary}\n")
        for _ in range(3):
            port = _free_port()
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
        try:
            async with Redis(port=port, password=PASSWORD, decode_responses=True) as server:
                info = await server.info("replication")
                return sum(one["state"] == "online" for key, one in info.items() if key.startswith("slave"))
        except RedisError:
            return 0

    def stop(self) -> None:
        """Stop whatever runs."""
        for process in self._processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def sentinel_deployment() -> Iterator[Deployment]:
    """One that runs; ended with the block."""
    with tempfile.TemporaryDirectory(prefix="sentinel-") as directory:
        deployment = Deployment(Path(directory))
        try:
            deployment.start()
            yield deployment
        finally:
            deployment.stop()
