"""What deploy/README.md tells operators to do, done while a job runs: upgrade, back up, restore."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from tests.interruptions.expected import expect_everything_once
from tests.interruptions.points import AtNemo, AtTelegram, Point
from tests.interruptions.world import ExternalStore, World, external_store
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy


DEPLOY = Path(__file__).parents[2] / "deploy"

POINTS: dict[str, Point] = {
    "turn": AtNemo("message", "work"),
    "export": AtNemo("render-status", "before"),
    "deliver": AtTelegram("sendVideo", "after"),
}


def run(script: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(DEPLOY / script), *map(str, arguments)], capture_output=True, text=True, check=False
    )


def take_snapshot(cli: str, store: ExternalStore, snapshot: Path) -> None:
    """Do what the README says, with the client that is here and the store's own place."""
    told = (DEPLOY / "README.md").read_text("utf-8")
    (script,) = set(re.findall(r"sh -c \\\n\s+'(.+)' >store\.rdb", told))
    script = script.replace("valkey-cli", f"{cli} -s store.sock").replace("/data/", "./")
    with snapshot.open("wb") as out:
        subprocess.run(
            ["sh", "-c", script],
            cwd=store.directory,
            env={**os.environ, "VALKEY_PASSWORD": store.password},
            stdout=out,
            check=True,
        )
    assert not (store.directory / "copy.rdb").exists()


async def lose_everything(world: World, store_pid: int) -> None:
    for process in list(world.bots.running):
        await world.bots.end(process, signal.SIGKILL)
    os.kill(store_pid, signal.SIGKILL)


async def test_a_backup_of_the_embedded_store_is_restored_into_a_fresh_directory(worlds: Worlds) -> None:
    async def play(world: World, point: Point) -> None:
        world.bots.start()
        let_go = await point.arrive(world)
        data, copy = world.bots.data_dir, world.bots.directory / "copy"

        done = await asyncio.to_thread(run, "backup", data, copy)
        assert done.returncode == 0, done.stderr
        await lose_everything(world, world.bots.store_pid())
        await asyncio.to_thread(shutil.rmtree, data)
        await asyncio.to_thread(shutil.copytree, copy, data)
        world.bots.start()
        await let_go()

        await expect_everything_once(world)

    await worlds.at_each(POINTS, play)


async def test_a_backup_during_a_rewrite_of_the_log_is_whole(world: World) -> None:
    world.bots.start()
    let_go = await AtNemo("message", "work").arrive(world)
    data = world.bots.data_dir
    async with world.bots.store() as redis:
        for round_ in range(5):
            with contextlib.suppress(ResponseError):  # the one before goes on
                await redis.bgrewriteaof()
            done = await asyncio.to_thread(run, "backup", data, world.bots.directory / f"copy-{round_}")
            assert done.returncode == 0, done.stderr

    await lose_everything(world, world.bots.store_pid())
    await asyncio.to_thread(shutil.rmtree, data)
    await asyncio.to_thread(shutil.copytree, world.bots.directory / "copy-4", data)
    world.bots.start()
    await let_go()

    await expect_everything_once(world)


async def test_a_backup_goes_over_no_other_and_is_for_its_owner_alone(world: World) -> None:
    process = world.bots.start()
    await world.bots.ready(process)
    copy = world.bots.directory / "copy"

    first = await asyncio.to_thread(run, "backup", world.bots.data_dir, copy)
    second = await asyncio.to_thread(run, "backup", world.bots.data_dir, copy)

    assert (first.returncode, second.returncode != 0) == (0, True)
    for path in (copy, *copy.rglob("*")):
        if path.is_dir() or path.name.endswith("key"):
            assert path.stat().st_mode & 0o077 == 0, path


async def test_a_snapshot_of_an_external_store_is_restored(worlds: Worlds) -> None:
    async def play(world: World, point: Point) -> None:
        world.bots.redis_url = external.url
        world.bots.start()
        let_go = await point.arrive(world)

        snapshot = world.bots.directory / "store.rdb"
        if cli := shutil.which("valkey-cli") or shutil.which("redis-cli"):
            await asyncio.to_thread(take_snapshot, cli, external, snapshot)
        else:
            async with world.bots.store() as redis:
                await redis.save()  # the same file
            (external.directory / "dump.rdb").rename(snapshot)
        for process in list(world.bots.running):
            await world.bots.end(process, signal.SIGKILL)
        external.stop(signal.SIGKILL)
        shutil.rmtree(external.directory / "appendonlydir")
        done = await asyncio.to_thread(run, "restore-rdb", snapshot, external.directory)
        assert done.returncode == 0, done.stderr
        external.start()
        world.bots.start()
        await let_go()

        await expect_everything_once(world)

    with external_store("swordfish") as external:
        await worlds.at_each({"turn": POINTS["turn"]}, play)


def test_a_snapshot_is_restored_over_no_store(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "store.rdb").write_bytes(b"")
    assert run("restore-rdb", tmp_path / "store.rdb", tmp_path).returncode != 0
    assert not list((tmp_path / "appendonlydir").iterdir())


@pytest.mark.parametrize("roles", [("all",), ("intake", "worker")], ids="-".join)
async def test_an_upgrade_loses_no_job(worlds: Worlds, roles: tuple[str, ...]) -> None:
    async def play(world: World, point: Point) -> None:
        old = [world.bots.start(role) for role in roles]
        let_go = await point.arrive(world)

        # As a rolling update does it: the new one is ready before the old one is told to end.
        for role, process in zip(roles, old, strict=True):
            await world.bots.ready(world.bots.start(role))
            await world.bots.end(process, signal.SIGTERM)
        await let_go()

        await expect_everything_once(world)

    await worlds.at_each(POINTS, play)
