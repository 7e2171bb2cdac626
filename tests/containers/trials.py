"""The trials: each is a world with the stand-ins, and the services of `compose.yaml` in containers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from bot.sandbox.samples import make_video
from tests.containers.compose import DEPLOY, SERVICES, notes
from tests.containers.podman import BOT_IMAGE, Containers, podman
from tests.interruptions.expected import TITLE, expect_everything_once
from tests.interruptions.points import AtNemo, AtTelegram, Point
from tests.interruptions.world import PATIENCE_S, World, open_world, until, world_of

PASSWORD = "letters0and0digits"

TWENTY_MB = 20 * 2**20
"""What Telegram's cloud passes to a bot at most."""

POINTS: dict[str, Point] = {
    "turn": AtNemo("message", "work"),
    "export": AtNemo("render-status", "before"),
    "deliver": AtTelegram("sendVideo", "after"),
}


@contextlib.asynccontextmanager
async def _containers(world: World, **variables: str) -> AsyncIterator[Containers]:
    """The store runs, and the bot doesn't yet."""
    given = {**world.bots.services_settings(), "VALKEY_PASSWORD": PASSWORD, **variables}
    containers = Containers(world.bots.directory, given)
    world.bots.redis_url = f"redis://:{PASSWORD}@127.0.0.1:6379/0"
    try:
        yield containers
    except BaseException:
        print(await asyncio.to_thread(containers.logs))
        raise
    finally:
        await asyncio.to_thread(containers.remove)


async def nobody(directory: Path) -> None:
    """The image plays a conversation without a network, rights, or a disk to write to."""
    cage = ["--rm", "--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL"]
    print(await asyncio.to_thread(podman, "run", *cage, BOT_IMAGE, "sandbox", "--play"))


async def main_job(directory: Path) -> None:
    """A video is edited and delivered once, by bot and store as compose sets them."""
    async with open_world(directory, _clip(directory)) as world, _containers(world) as containers:
        store = await containers.start("valkey")
        bot = await containers.start("bot")
        began_s = time.monotonic()
        await world.prompt()
        await expect_everything_once(world)
        print(f"request to video {time.monotonic() - began_s:.1f} s")
        for service, container in (("bot", bot), ("valkey", store)):
            shown = (await asyncio.to_thread(_confinement, container, SERVICES[service])).items()
            print(f"{service}: " + ", ".join(f"{name} {value}" for name, value in shown))
        for service, container in (("bot", bot), ("valkey", store)):
            print(f"{service} told to end: gone after {await containers.stop(container, service):.1f} s")


def _confinement(container: str, service: dict[str, object]) -> dict[str, str]:
    """Return what the kernel lets process 1 do, held against the file."""
    pid = podman("inspect", "--format={{.State.Pid}}", container)
    status = dict(re.findall(r"(?m)^(\w+):\s+(.+)$", Path(f"/proc/{pid}/status").read_text()))
    assert status["CapBnd"] == "0" * 16
    assert status["NoNewPrivs"] == "1"
    assert status["Uid"].split()[0] != "0"
    mounts = Path(f"/proc/{pid}/mounts").read_text()
    (root,) = re.findall(r"(?m)^\S+ / \S+ (\S+)", mounts)
    assert "ro" in root.split(",")
    memory = int(podman("inspect", "--format={{.HostConfig.Memory}}", container))
    assert memory == int(str(service["mem_limit"]).removesuffix("g")) * 2**30
    processes = int(podman("inspect", "--format={{.HostConfig.PidsLimit}}", container))
    assert processes == service["pids_limit"]
    return {
        "process 1": status["Name"],
        "user": status["Uid"].split()[0],
        "capabilities": "none",
        "root": "read-only",
        "memory limit": f"{memory // 2**20} MB",
        "in use": status["VmRSS"],
        "processes at most": str(processes),
    }


async def upgrade(directory: Path) -> None:
    """A new container takes over what the old one was at: asked, charged and delivered once, the waiting one too."""
    for number, (where, point) in enumerate(POINTS.items()):
        own = directory / str(number)
        own.mkdir()
        async with open_world(own, _clip(own)) as world, _containers(world) as containers:
            await containers.start("valkey")
            old = await containers.start("bot")
            let_go = await point.arrive(world)
            await world.ada.say('add a title "Two"')
            assert await world.people.confirmed(PATIENCE_S)
            ended_s = await containers.stop(old, "bot")
            began_s = time.monotonic()
            await containers.start("bot")
            ready_s = time.monotonic() - began_s
            await let_go()
            await expect_everything_once(world, (TITLE, 'add a title "Two"'))
            print(f"{where}: old gone after {ended_s:.1f} s, new ready after {ready_s:.1f} s, nothing twice")


async def backup(directory: Path) -> None:
    """The README's commands: a snapshot while a job runs, all killed and lost, restored, begun paused, resumed."""
    async with open_world(directory, _clip(directory)) as world:
        operator = await world.people.person("Grace", language_code="en")
        async with _containers(world, ADMINS=str(operator.id)) as containers:
            store = await containers.start("valkey")
            bot = await containers.start("bot")
            let_go = await POINTS["turn"].arrive(world)

            snapshot = directory / "store.rdb"
            began_s = time.monotonic()
            await asyncio.to_thread(_take_snapshot, store, snapshot)
            print(f"snapshot: {snapshot.stat().st_size} bytes after {time.monotonic() - began_s:.1f} s")
            for container in (bot, store):
                await asyncio.to_thread(podman, "kill", "--signal=KILL", container)
                await asyncio.to_thread(podman, "rm", "--force", container)
            data = containers.volume("store")
            await asyncio.to_thread(shutil.rmtree, data / "appendonlydir")
            await asyncio.to_thread(_restore, snapshot, data)

            await containers.start("valkey")
            key = containers.volume("bot") / "encryption.key"
            key.rename(directory / "kept.key")
            refusal = await _refused(containers)
            print(f"without its key: {refusal}")
            (directory / "kept.key").rename(key)

            await containers.start("bot", "run", "--paused")
            await let_go()
            await operator.say("/stats")
            answer = await operator.chat.wait(from_bots=True, timeout_s=PATIENCE_S)
            print(f"paused: /stats is answered, {answer.text.splitlines()[0]!r}")
            assert not await world.nemo.renders()
            assert not await world.ada.chat.messages(kind="video", from_bots=True)
            await operator.say("/resume")
            await expect_everything_once(world)
            print("after /resume: the video is there, asked, charged and delivered once")


def _take_snapshot(container: str, snapshot: Path) -> None:
    told = (DEPLOY / "README.md").read_text("utf-8")
    (script,) = set(re.findall(r"sh -c \\\n\s+'(.+)' >store\.rdb", told))
    with snapshot.open("wb") as out:
        subprocess.run(["podman", "exec", container, "sh", "-c", script], stdout=out, check=True)


def _restore(snapshot: Path, data: Path) -> None:
    subprocess.run([str(DEPLOY / "restore-rdb"), str(snapshot), str(data)], check=True)
    owner, group = map(int, SERVICES["valkey"]["user"].split(":"))
    for path in (data / "appendonlydir", *(data / "appendonlydir").iterdir()):
        os.chown(path, owner, group)


async def _refused(containers: Containers) -> str:
    """Start the bot, which has to end with the store's exit code; return its last words."""
    container = await containers.begin("bot")

    async def has_ended() -> bool:
        return await asyncio.to_thread(containers.state, container, "Running") == "false"

    await until(has_ended)
    assert containers.state(container, "ExitCode") == "3"
    return containers.log(container).splitlines()[-1]


async def webhook(directory: Path) -> None:
    """Updates come through Caddy by TLS, and nothing else does."""
    host, path, secret = "localhost", notes()["WEBHOOK_PATH"], "s3cret" * 8
    async with (
        open_world(directory, _clip(directory)) as world,
        _containers(
            world,
            WEBHOOK_HOST=host,
            WEBHOOK_PATH=path,
            WEBHOOK_URL=f"https://{host}{path}",
            WEBHOOK_SECRET=secret,
        ) as containers,
    ):
        await containers.start("valkey")
        await containers.start("caddy")
        root = containers.volume("caddy") / "caddy/pki/authorities/local/root.crt"
        await until(lambda: asyncio.to_thread(root.exists))
        os.environ["SSL_CERT_FILE"] = str(root)  # so that Telegram's stand-in trusts this Caddy
        await containers.start("bot")
        began_s = time.monotonic()
        await world.prompt()
        await expect_everything_once(world)
        print(f"request to video {time.monotonic() - began_s:.1f} s, delivered to https://{host}{path}")
        assert await world.people.calls("setWebhook")
        assert not await world.people.calls("getUpdates")
        async with httpx.AsyncClient(verify=str(root), trust_env=False) as client:
            codes = {
                path: (await client.post(f"https://{host}{path}", json={"update_id": 1})).status_code,
                **{
                    other: (await client.get(f"https://{host}{other}")).status_code
                    for other in ("/", "/metrics", "/readyz", "/healthz")
                },
            }
        print(f"to strangers: {codes}")
        assert codes.pop(path) in (401, 403)
        assert set(codes.values()) == {404}


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where the stand-ins in a container are."""

    telegram_url: str
    nemo_url: str
    people_url: str
    nemo_control_url: str
    token: str


async def bot_api(directory: Path) -> None:
    """A server of one's own passes a file above 20 MB, both ways by path on the shared volume; nothing stays there."""
    serve = Path(__file__).with_name("serve.py")
    given = {
        "VALKEY_PASSWORD": PASSWORD,
        **{name: notes()[name] for name in ("TELEGRAM_LOCAL_MODE", "SHARED_DIR")},
    }
    containers = Containers(directory, given)
    try:
        mount = SERVICES["bot-api"]["volumes"][0].partition(":")[2]
        server = await containers.start(
            "bot-api",
            f"{mount}/serve.py",
            mount,
            image=BOT_IMAGE,
            more=[
                "--entrypoint=/opt/bot/bin/python",
                "--user=101:101",
                f"--volume={serve}:{mount}/serve.py:ro",
            ],
        )
        await until(lambda: asyncio.to_thread(lambda: containers.log(server) != ""))
        services = Elsewhere(**json.loads(containers.log(server).splitlines()[0]))
        async with world_of(services, directory, _clip(directory, TWENTY_MB + 2**20)) as world:
            containers.variables |= world.bots.services_settings()
            world.bots.redis_url = f"redis://:{PASSWORD}@127.0.0.1:6379/0"
            await containers.start("valkey")
            await containers.start("bot")
            began_s = time.monotonic()
            await world.prompt()
            await expect_everything_once(world)
            print(f"request of {world.clip.stat().st_size} bytes to video {time.monotonic() - began_s:.1f} s")
            shared = containers.volume("bot-api")
            (fetched,) = (shared / "telegram").glob("*:*")
            for place in (fetched, shared / "results"):
                assert [path.name for path in place.rglob("*") if path.is_file()] == []
            print("the server's copy and the bot's result are gone from the volume")
    except BaseException:
        print(containers.logs())
        raise
    finally:
        await asyncio.to_thread(containers.remove)


def _clip(directory: Path, size_bytes: int | None = None) -> Path:
    return make_video(directory / "clip.mp4", 1.0, 64, 48, 12, size_bytes=size_bytes)
