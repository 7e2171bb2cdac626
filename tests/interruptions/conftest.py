"""Real processes of the bot, and a small video; no process outlives its test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.sandbox.samples import make_video
from tests.interruptions.world import ExternalStore, World, external_store, open_world
from tests.interruptions.worlds import Worlds


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4", 1.0, 64, 48, 12)


@pytest.fixture
async def world(tmp_path: Path, clip: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path, clip) as opened:
        yield opened


@pytest.fixture
def worlds(tmp_path: Path, clip: Path) -> Worlds:
    return Worlds(tmp_path, clip)


@pytest.fixture
def external() -> Iterator[ExternalStore]:
    with external_store() as server:
        yield server
