"""The chat page's server: the page, people's actions, the services' switches, and the event stream.

It keeps no state: actions and switches go to the control APIs of the two stand-ins.

    GET   /KEY/                      the page
    GET   /KEY/events                the event stream, see `feed`
    GET   /KEY/panel, /KEY/schema    the side panel's content; the settings of NemoVideo's stand-in
    GET   /KEY/file/FILE_ID          a file of Telegram's, with range requests
    GET   /KEY/clips, /KEY/clip/NAME sample clips
    POST  /KEY/telegram/ACTION       see `bot.sandbox.botapi.control`
    any   /KEY/nemo/control/…        see `bot.sandbox.nemovideo.control`
"""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.pictures.lettering import TEXT_FONT
from bot.sandbox.botapi.app import BotApiServer
from bot.sandbox.botapi.errors import ApiError
from bot.sandbox.nemovideo import control
from bot.sandbox.page import clips
from bot.sandbox.page.feed import Feed
from bot.sandbox.page.panel import SETTINGS_SCHEMA
from bot.sandbox.services import Services

KEY_BYTES = 12

_STATIC = Path(__file__).parent / "static"

_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}

_SHOWN_TYPES = ("video/", "audio/", "image/jpeg", "image/png", "image/webp", "image/gif")
"""Content types that a browser may show; everything else that people send is a download."""

_TYPE_BY_KIND = {"photo": "image/jpeg", "thumbnail": "image/jpeg", "video_note": "video/mp4"}


def create_app(services: Services, redis: Redis, clips_dir: Path) -> Starlette:
    """Create the page's server, for ``serve``.

    Args:
        services: The stand-ins.
        redis: The bot's store, which the panel reads.
        clips_dir: Directory for sample clips.

    Returns:
        The app. ``state.path`` is the page's path with a key that other websites can't guess.
        ``state.feed`` is the :class:`~bot.sandbox.page.feed.Feed`.
    """
    feed = Feed(services, redis)
    path = f"/{secrets.token_urlsafe(KEY_BYTES)}/"
    nemo = Starlette(routes=control.routes())
    nemo.state.world = services.nemo
    files = _Files(services, clips_dir)
    routes = [
        Route("/events", feed.stream),
        Route("/panel", feed.panel),
        Route("/file/{file_id}", files.sent),
        Route("/clips", files.clips),
        Route("/clip/{name}", files.clip),
        Route("/schema", _schema),
        Route("/telegram/{action}", BotApiServer(services.telegram).control, methods=["POST"]),
        Mount("/nemo", nemo),
        Mount("/fonts", StaticFiles(directory=TEXT_FONT.parent)),
        Mount("/", StaticFiles(directory=_STATIC, html=True)),
    ]
    app = Starlette(
        routes=[Mount(path.rstrip("/"), routes=routes)],
        # Refuse other host names, so that DNS rebinding doesn't give a website access.
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
            Middleware(_Guard),
        ],
    )
    app.state.path = path
    app.state.feed = feed
    return app


class _Guard:
    """Adds security headers to every answer, so that nothing people send runs as code.

    Args:
        app: The app that answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("cache-control", "no-cache")
            await send(message)

        await self._app(scope, receive, guarded)


class _Files:
    """Files for the browser.

    Args:
        services: The stand-ins with the files.
        clips_dir: Directory for sample clips.
    """

    def __init__(self, services: Services, clips_dir: Path) -> None:
        self._files = services.telegram.files
        self._clips_dir = clips_dir

    async def sent(self, request: Request) -> Response:
        """Answer with a file that somebody sent."""
        try:
            file = self._files.find(request.path_params["file_id"], 0)
        except ApiError as error:
            return PlainTextResponse(error.description, 404)
        if not await asyncio.to_thread(file.path.exists):
            return PlainTextResponse("gone", 404)
        declared = _TYPE_BY_KIND.get(file.kind) or str(file.media.get("mime_type", ""))
        if file.kind == "sticker":
            declared = "image/webp"
        if "download" not in request.query_params and declared.startswith(_SHOWN_TYPES):
            return FileResponse(file.path, media_type=declared)
        name = str(file.media.get("file_name") or file.path.name)
        return FileResponse(file.path, media_type="application/octet-stream", filename=name)

    async def clips(self, _: Request) -> Response:
        """List the sample clips."""
        return JSONResponse(
            [{"name": name, "kind": clip.kind, "about": clip.about} for name, clip in clips.CLIPS.items()]
        )

    async def clip(self, request: Request) -> Response:
        """Answer with a sample clip."""
        try:
            return FileResponse(
                await asyncio.to_thread(clips.make, request.path_params["name"], self._clips_dir)
            )
        except KeyError:
            return PlainTextResponse("no such clip", 404)


async def _schema(_: Request) -> Response:
    return JSONResponse(SETTINGS_SCHEMA)
