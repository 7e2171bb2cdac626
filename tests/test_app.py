"""How the process waits for its end, and ends."""

import asyncio
from unittest.mock import Mock

import pytest
from pydantic import SecretStr
from telegram.error import InvalidToken

from bot import app
from bot.runtime.clock import SystemClock
from bot.runtime.process import Role
from bot.settings import Settings
from bot.startup import TelegramRefuses


async def test_a_token_that_is_revoked_ends_the_process_with_advice() -> None:
    async def poll() -> None:
        raise InvalidToken

    with pytest.raises(TelegramRefuses, match="@BotFather"):
        await app._wait_until(asyncio.Event(), [asyncio.create_task(poll())])


@pytest.mark.parametrize(("role", "jobs"), [(Role.INTAKE, 0), (Role.WORKER, 7 + app.QUICK_JOBS)])
async def test_files_are_asked_for_for_the_places_of_both_workers(
    monkeypatch: pytest.MonkeyPatch, role: Role, jobs: int
) -> None:
    class Enough(Exception):
        pass

    raise_open_files = Mock(side_effect=Enough)
    monkeypatch.setattr(app, "raise_open_files", raise_open_files)
    settings = Settings(  # type: ignore[call-arg]  # of pydantic-settings, unknown to its types
        _env_file=None, telegram_bot_token=SecretStr("1:a"), worker_jobs=7
    )
    with pytest.raises(Enough):
        await app.App(settings, SystemClock(), role).run(asyncio.Event())
    raise_open_files.assert_called_once_with(jobs)


async def test_the_end_gives_back_what_runs_before_it_waits_for_it() -> None:
    runner, drained = Mock(), asyncio.Event()
    runner.drain.side_effect = drained.set

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await drained.wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await app._end([task], runner)
    assert task.cancelled()
