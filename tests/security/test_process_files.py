"""What a real process of the bot leaves on disk."""

import contextlib
import os
import signal
import stat
from pathlib import Path

import pytest

from bot.sandbox.samples import make_video
from tests.interruptions.world import open_world

pytestmark = pytest.mark.heavy


async def test_what_a_process_writes_is_its_users_alone(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 1.0, 64, 48, 12)
    before = os.umask(0o022)
    try:
        async with open_world(tmp_path / "world", clip) as world:
            process = world.bots.start()
            await world.prompt()
            await world.videos()
            await world.at_rest()
            data = world.bots.data_dir
            found = {}
            for path in [data, *data.rglob("*")]:
                with contextlib.suppress(FileNotFoundError):  # a temporary one
                    found[path] = stat.S_IMODE(path.lstat().st_mode)
            await world.bots.end(process, signal.SIGTERM)  # takes the store's link in /tmp along
    finally:
        os.umask(before)
    assert {"valkey", "encryption.key", "results"} <= {path.name for path in found}
    assert {path: oct(mode) for path, mode in found.items() if mode & 0o077} == {}
