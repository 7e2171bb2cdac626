"""The embedded store's disk is full for a while: the bot waits, and goes on once there is room."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.interruptions.expected import expect_everything_once
from tests.interruptions.points import AtNemo, AtTelegram, Point
from tests.interruptions.world import PATIENCE_S, World, until
from tests.interruptions.worlds import Worlds

FULL_S = 2.0
"""Longer than the lease: what runs can't renew it."""

POINTS: dict[str, Point] = {
    "upload": AtNemo("upload", "body", after_bytes=1),
    "turn": AtNemo("message", "work"),
    "deliver": AtTelegram("sendVideo", "after"),
}

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("mount") is None, reason="only root can mount a small disk"
    ),
]


@contextlib.contextmanager
def small_disk(data_dir: Path) -> Iterator[Path]:
    """A disk of its own for the store, of two megabytes."""
    directory = data_dir / "valkey"
    directory.mkdir(mode=0o700, parents=True)
    data_dir.chmod(0o700)
    options = ["-t", "tmpfs", "-o", "size=2m,mode=700"]
    mounted = subprocess.run(["mount", *options, "tmpfs", str(directory)], check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@contextlib.asynccontextmanager
async def full(disk: Path) -> AsyncIterator[None]:
    """No byte is left inside the block."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    try:
        yield
    finally:
        filler.unlink()


async def test_a_full_disk_is_waited_for(worlds: Worlds) -> None:
    async def play(world: World, point: Point) -> None:
        with small_disk(world.bots.data_dir) as disk:
            process = world.bots.start()
            let_go = await point.arrive(world)

            async with full(disk):
                await let_go()

                async def went_away() -> bool:
                    # It confirms nothing that is not on the disk: it ends, and is started again and again.
                    return "store.lost" in await asyncio.to_thread(world.bots.tell)

                await until(went_away)
                await asyncio.sleep(FULL_S)  # not for anything to happen: this is how long it is full

            await expect_everything_once(world)
            # The last one that uses the server stops it; its number may not have found room.
            await world.bots.end(process, signal.SIGTERM, within_s=PATIENCE_S)

    await worlds.at_each(POINTS, play)


async def test_what_is_written_meanwhile_is_answered_afterwards(world: World) -> None:
    with small_disk(world.bots.data_dir) as disk:
        process = world.bots.start()
        await world.bots.ready(process)

        async with full(disk):
            await world.prompt()

            async def went_away() -> bool:
                return "store.lost" in await asyncio.to_thread(world.bots.tell)

            await until(went_away)

        await expect_everything_once(world)
        await world.bots.end(process, signal.SIGTERM, within_s=PATIENCE_S)
