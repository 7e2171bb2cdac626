"""The stand-in as an ASGI app, for `bot.web.serve.serve`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bot.runtime.clock import Clock, SystemClock
from bot.sandbox.nemovideo import api, control, streaming, website
from bot.sandbox.nemovideo.api import ApiError
from bot.sandbox.nemovideo.faults import FaultLayer
from bot.sandbox.nemovideo.requests import LogLayer
from bot.sandbox.nemovideo.settings import Pace, Settings
from bot.sandbox.nemovideo.world import World


def create_app(
    data_dir: Path,
    *,
    clock: Clock | None = None,
    pace: Pace | None = None,
    public_links_only: bool = False,
) -> Starlette:
    """Create the stand-in.

    Args:
        data_dir: Directory for uploads and videos; created if missing.
        clock: Source of time; by default the system's clock.
        pace: How long things take; fast by default.
        public_links_only: Whether links into this machine's networks are not fetched.
    """
    settings = Settings(pace=pace) if pace is not None else Settings()
    world = World(data_dir, clock or SystemClock(), settings, public_links_only)
    for name in ("uploads", "renders"):
        (data_dir / name).mkdir(parents=True, exist_ok=True)
    app = Starlette(
        routes=[
            Route("/api/auth/anonymous-token", api.anonymous_token, methods=["POST"]),
            Route("/api/auth/claim-token", api.claim_token, methods=["POST"]),
            Route("/api/tasks/me/with-session/nemo_agent", api.create_session, methods=["POST"]),
            Route("/run_sse", streaming.run_sse, methods=["POST"]),
            Route("/api/upload-video/nemo_agent/me/{session_id}", streaming.upload, methods=["POST"]),
            Route("/api/credits/balance/simple", api.credit_balance),
            Route("/api/state/nemo_agent/me/{session_id}/latest", api.latest_state),
            Route("/api/render/proxy/lambda", api.post_render, methods=["POST"]),
            Route("/api/render/proxy/lambda/{render_id}", api.render_status),
            Route("/api/render/proxy/lambda/{render_id}/cancel", api.cancel_render, methods=["POST"]),
            Route("/api/render/proxy/{render_id}/download", streaming.download),
            Route("/media/{key}/{name}", streaming.media),
            *website.routes(),
            *control.routes(),
        ],
        middleware=[Middleware(LogLayer, world.log), Middleware(FaultLayer, world.faults)],
        exception_handlers={ApiError: _refuse, ClientDisconnect: _nobody_hears},
        lifespan=_lifespan(world),
    )
    app.state.world = world
    app.state.turns = set()
    return app


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return api.refuse(error)


async def _nobody_hears(_: Request, __: Exception) -> Response:
    # The client disconnected, which is no error to log.
    return Response(status_code=499)


def _lifespan(world: World) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        world.faults.clear()
        turns: set[asyncio.Task[None]] = app.state.turns
        for turn in list(turns):
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        await world.renders.close()

    return lifespan
