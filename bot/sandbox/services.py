"""Serve both stand-ins on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp

from bot.runtime.clock import Clock, SystemClock
from bot.sandbox.botapi.app import DEFAULT_TOKEN
from bot.sandbox.botapi.app import create_app as new_botapi
from bot.sandbox.botapi.flood import FloodLimits
from bot.sandbox.botapi.state import World
from bot.sandbox.nemovideo.app import create_app as new_nemovideo
from bot.sandbox.nemovideo.settings import Pace
from bot.sandbox.nemovideo.world import World as NemoWorld
from bot.web.serve import serve


@dataclass(frozen=True, slots=True)
class Services:
    """The running stand-ins.

    Args:
        telegram_url: The Bot API's base URL; its control API is at ``/control/``.
        nemo_url: NemoVideo's base URL, likewise.
        token: A bot token that the Bot API accepts.
        telegram: The Bot API's state.
        nemo: NemoVideo's state.
        telegram_app: The Bot API's app, whose control API answers without a connection too.
        nemo_app: NemoVideo's app, likewise.
    """

    telegram_url: str
    nemo_url: str
    token: str
    telegram: World = field(repr=False)
    nemo: NemoWorld = field(repr=False)
    telegram_app: ASGIApp = field(repr=False)
    nemo_app: ASGIApp = field(repr=False)


@contextlib.asynccontextmanager
async def serve_services(
    data_dir: Path,
    clock: Clock | None = None,
    *,
    local: bool = False,
    flood_limits: FloodLimits | None = FloodLimits(),  # noqa: B008 - frozen
    pace: Pace | None = None,
) -> AsyncIterator[Services]:
    """Serve both stand-ins until the block is left.

    Args:
        data_dir: Directory for their files.
        clock: Their source of time, which should be the bot's too.
        local: Whether the Bot API behaves as a server with ``--local``.
        flood_limits: Telegram's limits on sending; ``None`` for none.
        pace: How long things take at NemoVideo; fast by default.
    """
    clock = clock or SystemClock()
    botapi = new_botapi(data_dir / "telegram", local=local, clock=clock, flood_limits=flood_limits)
    nemovideo = new_nemovideo(data_dir / "nemovideo", clock=clock, pace=pace)
    async with serve(botapi) as telegram_url, serve(nemovideo) as nemo_url:
        yield Services(
            telegram_url,
            nemo_url,
            DEFAULT_TOKEN,
            botapi.state.world,
            nemovideo.state.world,
            botapi,
            nemovideo,
        )
