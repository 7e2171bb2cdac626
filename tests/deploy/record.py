"""``uv run python -m tests.deploy.record``: record what real processes show of outages, for `test_recorded.py`.

A real Prometheus scrapes them. All outages are recorded side by side, in real time: two quiet minutes, then six with
the fault. Needs ``prometheus`` in the path; names of outages record these alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.deploy.test_monitoring import alerts
from tests.interruptions.world import ExternalStore, Process, World, external_store, open_world
from tests.nemo.servers import free_port

RECORDED = Path(__file__).parent / "recorded"
EVERY_S = 15
BEFORE, DURING = 8, 24
"""Scrapes before the fault begins, and with it."""

READY = "/readyz"
"""What the recordings of readiness are called, followed by the name of a process."""

RUNS_S = 60.0
RESTARTED_AFTER_S = 5.0
"""How long a process lives that ends again and again, and when systemd starts it anew."""

CONFIG = """
global: {scrape_interval: 15s}
scrape_configs:
  - job_name: nemovideo-bot
    file_sd_configs: [{files: ["*.targets.json"]}]
"""


class Gate:
    """A relay of TCP in front of Telegram, which can hang or be cut off."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._passes = asyncio.Event()
        self._passes.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""

    def hang(self) -> None:
        """Take everything, and answer nothing."""
        self._passes.clear()

    def cut(self) -> None:
        """Close every connection, and refuse new ones."""
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await self._passes.wait()
            inner, outer = await asyncio.open_connection(self._target.hostname, self._target.port)
            self._writers |= {writer, outer}
            await asyncio.gather(self._pass_on(reader, outer), self._pass_on(inner, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(65_536):
                await self._passes.wait()
                writer.write(block)
                await writer.drain()
        writer.close()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Gate]:
        """Listen until the block is left."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        yield self
        self.cut()


@dataclass(slots=True)
class Scene:
    """The processes of one outage, and what Prometheus finds of them."""

    name: str
    world: World
    gate: Gate
    store: ExternalStore
    discovery: Path
    processes: dict[str, Process] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    readiness: dict[str, list[str]] = field(default_factory=dict)

    async def start(self, name: str, role: str = "all", **settings: str) -> None:
        """Start a process, again under the address that it had."""
        address = self.addresses.setdefault(name, f"127.0.0.1:{free_port()}")
        self.readiness.setdefault(name, [])
        process = self.world.bots.start(
            role,
            **{
                "HTTP_LISTEN": address,
                "TELEGRAM_API_URL": self.gate.url,
                "REDIS_URL": self.store.url,
                "DEAD_WORKER_S": "10",  # the default; the world's is shorter
                **settings,
            },
        )
        self.processes[name] = process
        await self.world.bots.ready(process)
        self.discover(*self.processes)

    async def kill(self, name: str) -> None:
        """End a process at once."""
        await self.world.bots.end(self.processes[name], signal.SIGKILL)

    def discover(self, *names: str) -> None:
        """Let Prometheus know these processes, and no others of the outage."""
        found = [
            {"targets": [self.addresses[name]], "labels": {"outage": self.name, "instance": name}}
            for name in names
        ]
        file = self.discovery / f"{self.name}.targets.json"
        file.with_suffix(".new").write_text(json.dumps(found), "utf-8")
        file.with_suffix(".new").rename(file)

    async def look(self, http: httpx.AsyncClient) -> None:
        """Note who is ready."""
        for name, address in self.addresses.items():
            try:
                status = (await http.get(f"http://{address}{READY}", timeout=10)).status_code
            except httpx.TransportError:
                self.readiness[name].append("_")
            else:
                self.readiness[name].append(str(status))


Step = Callable[[Scene], Coroutine[None, None, None]]


async def _alone(scene: Scene) -> None:
    await scene.start("bot")


async def _webhook(scene: Scene) -> None:
    await scene.start("bot", WEBHOOK_URL="https://127.0.0.1:8443/hook", WEBHOOK_SECRET="s" * 32)


async def _two_roles(scene: Scene) -> None:
    await scene.start("intake", "intake")
    await scene.start("worker", "worker")


async def _nothing(scene: Scene) -> None:
    pass


async def _hang(scene: Scene) -> None:
    scene.gate.hang()


async def _cut(scene: Scene) -> None:
    scene.gate.cut()


async def _kill_store(scene: Scene) -> None:
    scene.store.stop(signal.SIGKILL)


async def _upgrade(scene: Scene) -> None:
    for name in ("worker", "intake"):
        await scene.world.bots.end(scene.processes[name], signal.SIGTERM)
        await scene.start(name, name)


async def _poll_elsewhere(scene: Scene) -> None:
    """Run the same bot once more, with a store of its own."""
    with external_store() as other:
        scene.world.bots.start(
            REDIS_URL=other.url, DATA_DIR=str(scene.world.bots.directory / "elsewhere"), HTTP_LISTEN=""
        )
        await asyncio.Event().wait()


async def _end_worker(scene: Scene) -> None:
    """As in a cluster that has no room: no pod runs, and discovery knows none."""
    await scene.kill("worker")
    scene.discover("intake")


async def _end_all(scene: Scene) -> None:
    for name in scene.processes:
        await scene.kill(name)
    scene.discover()


async def _restart(scene: Scene) -> None:
    while True:
        await scene.kill("bot")
        await asyncio.sleep(RESTARTED_AFTER_S)
        await scene.start("bot")
        await asyncio.sleep(RUNS_S)


OUTAGES: dict[str, tuple[Step, Step]] = {
    "nothing": (_alone, _nothing),
    "telegram_hangs": (_alone, _hang),
    "telegram_cut_off": (_alone, _cut),
    "another_poller": (_alone, _poll_elsewhere),
    "restart_loop": (_alone, _restart),
    "upgrade": (_two_roles, _upgrade),
    "no_worker": (_two_roles, _end_worker),
    "gone_pods": (_two_roles, _end_all),
    "webhook_idle_nothing": (_webhook, _nothing),
    "webhook_idle_telegram_cut_off": (_webhook, _cut),
    "webhook_idle_store_dead": (_webhook, _kill_store),
}
"""By the names of their files: what runs, and what begins the fault. Nobody writes to the bot meanwhile."""


class Prometheus:
    """A real one, which scrapes what its directory's files name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._url = f"http://127.0.0.1:{free_port()}"

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Run it until the block is left."""
        found = shutil.which("prometheus")
        assert found, "prometheus is not here"
        (self._directory / "prometheus.yaml").write_text(CONFIG, "utf-8")
        process = subprocess.Popen(
            [
                found,
                "--config.file=prometheus.yaml",
                "--storage.tsdb.path=data",
                "--log.level=error",
                f"--web.listen-address={urlsplit(self._url).netloc}",
            ],
            cwd=self._directory,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()

    async def series(self, http: httpx.AsyncClient, outage: str, began_at: float) -> dict[str, str]:
        """Return what an outage's rules ask for, as promtool reads it: ``stale`` where a series ended."""
        asked = " ".join(rule["expr"] for rule in alerts())
        answer = await http.get(
            f"{self._url}/api/v1/query_range",
            params={
                "query": f'{{outage="{outage}"}}',
                "start": began_at,
                "end": began_at + (BEFORE + DURING - 1) * EVERY_S,
                "step": EVERY_S,
            },
            timeout=60,
        )
        series = {}
        for one in answer.raise_for_status().json()["data"]["result"]:
            labels = one["metric"]
            name = labels.pop("__name__")
            del labels["outage"]
            if name.removesuffix("_bucket") in asked:
                listed = ",".join(f"{label}={json.dumps(value)}" for label, value in sorted(labels.items()))
                values = {round((at - began_at) / EVERY_S): float(value) for at, value in one["values"]}
                series[f"{name}{{{listed}}}"] = _notation(
                    [values.get(number) for number in range(BEFORE + DURING)]
                )
        return series


def _notation(values: list[float | None]) -> str:
    """Write down values for promtool."""
    words: list[str] = []
    for value in values:
        if value is not None:
            words.append("NaN" if math.isnan(value) else f"{value:.12g}")
        else:
            words.append("_" if not words or words[-1] in {"_", "stale"} else "stale")
    return " ".join(words)


@contextlib.asynccontextmanager
async def _set_up(outage: str, directory: Path, discovery: Path) -> AsyncIterator[Scene]:
    async with contextlib.AsyncExitStack() as stack:
        store = stack.enter_context(external_store())
        world = await stack.enter_async_context(open_world(directory, directory / "no_clip"))
        gate = await stack.enter_async_context(Gate(world.bots.services.telegram_url).open())
        scene = Scene(outage, world, gate, store, discovery)
        await OUTAGES[outage][0](scene)
        yield scene


async def main(outages: list[str]) -> None:
    """Record them."""
    RECORDED.mkdir(exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        discovery = directory / "prometheus"
        discovery.mkdir()
        prometheus = Prometheus(discovery)
        stack.enter_context(prometheus.run())
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        for outage in outages:
            (directory / outage).mkdir()
        scenes = [
            await stack.enter_async_context(_set_up(outage, directory / outage, discovery))
            for outage in outages
        ]

        # The first scrape of all comes within one interval.
        await asyncio.sleep(EVERY_S + 5)
        began_at, began_s = time.time(), time.monotonic()
        faults: list[asyncio.Task[None]] = []
        for number in range(BEFORE + DURING):
            await asyncio.sleep(began_s + number * EVERY_S - time.monotonic())
            await asyncio.gather(*(scene.look(http) for scene in scenes))
            if number == BEFORE - 1:
                faults = [asyncio.create_task(OUTAGES[scene.name][1](scene)) for scene in scenes]
        for fault in faults:
            fault.cancel()
        for ended in await asyncio.gather(*faults, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        for scene in scenes:
            series = await prometheus.series(http, scene.name, began_at)
            series |= {f"{READY} {name}": " ".join(seen) for name, seen in scene.readiness.items()}
            (RECORDED / f"{scene.name}.json").write_text(
                json.dumps(series, indent=1, sort_keys=True) + "\n", "utf-8"
            )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or [*OUTAGES]))
