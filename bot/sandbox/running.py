"""Run the real bot against the stand-ins, in this process or in one of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bot.app import App
from bot.runtime.clock import Clock
from bot.runtime.process import Role
from bot.sandbox.services import Services
from bot.settings import Settings


class _OwnSettings(Settings):
    """Settings without environment and ``.env``, so that a real store or account stays untouched."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read neither the environment nor ``.env``."""
        return (init_settings,)


@contextlib.asynccontextmanager
async def running_bot(
    services: Services, data_dir: Path, clock: Clock, **settings: Any
) -> AsyncIterator[None]:
    """Run the real bot against the stand-ins until the block is left."""
    chosen = _OwnSettings(
        telegram_bot_token=SecretStr(services.token),
        telegram_api_url=services.telegram_url,
        nemo_api_url=services.nemo_url,
        nemo_web_url=services.nemo_url,
        data_dir=data_dir,
        **{name.lower(): value for name, value in settings.items()},
    )
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(App(chosen, clock, Role.ALL).run(stop, ready), name="bot")
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield
    finally:
        waiting.cancel()
        stop.set()
        await task


@contextlib.asynccontextmanager
async def bot_process(services: Services, data_dir: Path, **settings: str) -> AsyncIterator[int]:
    """Run the bot as ``nemovideo-bot run`` does, in a process of its own, until the block is left.

    Neither the settings of the environment nor ``.env`` reach it.

    Args:
        services: The stand-ins.
        data_dir: Directory for the bot's files.
        settings: Further environment variables.

    Yields:
        The ID of its process.
    """
    names = {name.upper() for name in Settings.model_fields}
    environment = {
        **{name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in names},
        "TELEGRAM_BOT_TOKEN": services.token,
        "TELEGRAM_API_URL": services.telegram_url,
        "NEMO_API_URL": services.nemo_url,
        "NEMO_WEB_URL": services.nemo_url,
        "DATA_DIR": str(data_dir),
        "LOG_LEVEL": "ERROR",
        **settings,
    }
    await asyncio.to_thread(data_dir.mkdir, parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from bot.cli import main; main()", "run", cwd=data_dir, env=environment
    )
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
