"""Serve both stand-ins on loopback."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp

from bot.runtime.clock import Clock, SystemClock
from bot.sandbox.botapi.app import BOT_ID
from bot.sandbox.botapi.app import create_app as new_botapi
from bot.sandbox.botapi.flood import FloodLimits
from bot.sandbox.botapi.state import World
from bot.sandbox.guard import Guard
from bot.sandbox.nemovideo.app import create_app as new_nemovideo
from bot.sandbox.nemovideo.settings import Pace
from bot.sandbox.nemovideo.world import World as NemoWorld
from bot.web.serve import serve

KEY_BYTES = 12
TOKEN_BYTES = 26  # 35 characters, as in Telegram's tokens


@dataclass(frozen=True, slots=True)
class Services:
    """The running stand-ins.

    Args:
        telegram_url: The Bot API's base URL.
        nemo_url: NemoVideo's base URL.
        key: The part of a path before ``/control/`` that other web sites can't guess.
        token: The bot token that the Bot API accepts.
        telegram: The Bot API's state.
        nemo: NemoVideo's state.
        telegram_app: The Bot API's app, whose control API answers without a connection too.
        nemo_app: NemoVideo's app, likewise.
    """

    telegram_url: str
    nemo_url: str
    key: str
    token: str
    telegram: World = field(repr=False)
    nemo: NemoWorld = field(repr=False)
    telegram_app: ASGIApp = field(repr=False)
    nemo_app: ASGIApp = field(repr=False)

    @property
    def people_url(self) -> str:
        """The base URL of the Bot API's control API, for ``People``."""
        return f"{self.telegram_url}/{self.key}"

    @property
    def nemo_control_url(self) -> str:
        """The base URL of NemoVideo's control API, for ``NemoControl``."""
        return f"{self.nemo_url}/{self.key}"


@contextlib.asynccontextmanager
async def serve_services(
    data_dir: Path,
    clock: Clock | None = None,
    *,
    host: str = "127.0.0.1",
    local: bool = False,
    flood_limits: FloodLimits | None = FloodLimits(),  # noqa: B008 - frozen
    pace: Pace | None = None,
    telegram_port: int = 0,
    nemo_port: int = 0,
) -> AsyncIterator[Services]:
    """Serve both stand-ins until the block is left, out of reach of web sites; they fetch public links only.

    Args:
        data_dir: Directory for their files.
        clock: Their source of time, which should be the bot's too.
        host: The address to listen on.
        local: Whether the Bot API behaves as a server with ``--local``.
        flood_limits: Telegram's limits on sending; ``None`` for none.
        pace: How long things take at NemoVideo; fast by default.
        telegram_port: Port of the Bot API; 0 for a free one.
        nemo_port: Port of NemoVideo, likewise.

    Raises:
        OSError: A port can't be used.
    """
    clock = clock or SystemClock()
    key, token = secrets.token_urlsafe(KEY_BYTES), f"{BOT_ID}:{secrets.token_urlsafe(TOKEN_BYTES)}"
    botapi = new_botapi(
        data_dir / "telegram",
        tokens=[token],
        local=local,
        clock=clock,
        flood_limits=flood_limits,
        public_links_only=True,
    )
    nemovideo = new_nemovideo(data_dir / "nemovideo", clock=clock, pace=pace, public_links_only=True)
    telegram_app, nemo_app = Guard(botapi, key), Guard(nemovideo, key)
    async with (
        serve(telegram_app, host, telegram_port) as telegram_url,
        serve(nemo_app, host, nemo_port) as nemo_url,
    ):
        yield Services(
            telegram_url,
            nemo_url,
            key,
            token,
            botapi.state.world,
            nemovideo.state.world,
            telegram_app,
            nemo_app,
        )
