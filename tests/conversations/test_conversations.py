"""Every conversation file of the sandbox, played against the real bot."""

import asyncio
from pathlib import Path

import pytest

from bot.sandbox import player
from bot.sandbox.conversation import DIRECTORY, read_conversation
from bot.sandbox.transcript import FILE_NAME
from bot.store.connect import Store

ENDS_WITHIN_S = 220


@pytest.mark.parametrize("file", sorted(DIRECTORY.glob("*.yaml")), ids=lambda file: file.stem)
async def test_every_expectation_holds(file: Path, tmp_path: Path, store: Store) -> None:
    out = tmp_path / "out"
    (tmp_path / "work").mkdir()

    async with asyncio.timeout(ENDS_WITHIN_S):
        difference = await player.play(read_conversation(file), out, tmp_path / "work", store.url)

    assert difference is None, f"{difference}\n\n{(out / FILE_NAME).read_text(encoding='utf-8')}"
