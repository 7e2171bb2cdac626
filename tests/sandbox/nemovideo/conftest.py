from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.nemovideo.app import create_app
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.settings import Pace
from bot.web.serve import serve
from tests.sandbox.nemovideo.caller import Caller

FAST = Pace(text_s=0.0, edit_s=0.0, generate_s=0.0, keepalive_s=0.05)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with serve(create_app(tmp_path / "nemo", pace=FAST)) as url:
        yield url


@pytest.fixture
async def nemo(url: str) -> AsyncIterator[NemoControl]:
    async with NemoControl(url) as nemo:
        yield nemo


@pytest.fixture
async def caller(url: str, nemo: NemoControl) -> AsyncIterator[Caller]:
    """Somebody registered with 1000 credits and an open session."""
    account = await nemo.add_account(credits=1000)
    async with Caller(url, account.token) as caller:
        await caller.open_session()
        yield caller
