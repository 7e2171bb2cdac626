"""The one web app of a process: Telegram's deliveries, and what whoever runs the bot asks it."""

from __future__ import annotations

import asyncio

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.runtime import metrics
from bot.web.health import CHECK_S, Health
from bot.web.webhook import Webhook

log = structlog.get_logger(__name__)

MAX_CONNECTIONS = 500
"""Open at once to the app; beyond it everybody is told to come again."""


def create_app(health: Health, webhook: Webhook | None = None, path: str = "/") -> Starlette:
    """Make the app.

    Args:
        health: What ``/readyz`` looks at.
        webhook: Telegram's deliveries, where they come by webhook.
        path: Of the webhook.
    """

    async def healthz(_: Request) -> Response:
        """The process lives: its loop turns."""
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        """Every part is of use; in JSON, which is and which is not."""
        found = await health.look()
        return JSONResponse(found, status_code=200 if all(found.values()) else 503)

    async def figures(_: Request) -> Response:
        """All figures, for Prometheus."""
        if health.before_metrics is not None:
            try:
                async with asyncio.timeout(CHECK_S):
                    await health.before_metrics()
            except Exception as error:
                # Figures of this process are worth having all the more when the store is away.
                log.warning("metrics.store_away", error=type(error).__name__)
        return Response(metrics.render(), media_type=metrics.CONTENT_TYPE)

    routes = [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", figures, methods=["GET"]),
    ]
    if webhook is not None:
        routes.append(Route(path or "/", webhook.take, methods=["POST"]))
    return Starlette(routes=routes)
