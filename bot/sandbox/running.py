"""Run the real bot against the stand-ins, in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bot.app import App
from bot.runtime.clock import Clock
from bot.runtime.role import Role
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
