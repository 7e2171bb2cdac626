"""Both stand-ins, served on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

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
    """Where the stand-ins are.

    Args:
        telegram_url: The Bot API's base address; its control API is at ``/control/``.
        nemo_url: NemoVideo's, likewise.
        token: A bot's token that the Bot API takes.
        telegram: All that the one keeps.
        nemo: All that the other keeps.
    """

    telegram_url: str
    nemo_url: str
    token: str
    telegram: World = field(repr=False)
    nemo: NemoWorld = field(repr=False)


@contextlib.asynccontextmanager
async def serve_services(
    data_dir: Path,
    clock: Clock | None = None,
    *,
    local: bool = False,
    flood_limits: FloodLimits | None = FloodLimits(),  # noqa: B008 - frozen
    pace: Pace | None = None,
) -> AsyncIterator[Services]:
    """Serve both until the block is left.

    Args:
        data_dir: Where their files go.
        clock: Their time; the bot's should be the same.
        local: The Bot API behaves as an own server with ``--local``.
        flood_limits: Telegram's; ``None`` for none.
        pace: How long things take at NemoVideo; fast without one.
    """
    clock = clock or SystemClock()
    botapi = new_botapi(data_dir / "telegram", local=local, clock=clock, flood_limits=flood_limits)
    nemovideo = new_nemovideo(data_dir / "nemovideo", clock=clock, pace=pace)
    async with serve(botapi) as telegram_url, serve(nemovideo) as nemo_url:
        yield Services(telegram_url, nemo_url, DEFAULT_TOKEN, botapi.state.world, nemovideo.state.world)
