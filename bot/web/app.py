"""The one web app of a process: Telegram's webhook, and what monitoring asks for."""

import asyncio

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.runtime import metrics
from bot.web.health import CHECK_TIMEOUT_S, Health
from bot.web.webhook import Webhook

log = structlog.get_logger(__name__)

MAX_REQUESTS = 500  # more at once are answered with a 503

HEALTH_PATH = "/healthz"  # answered beside any number of requests: a busy process is not to be killed


def create_app(health: Health, webhook: Webhook | None = None, path: str = "/") -> Starlette:
    """Make the app."""

    async def healthz(_: Request) -> Response:
        """Answer 200 while the event loop runs and workers don't hang; without an answer, the loop does."""
        return PlainTextResponse("hangs\n", status_code=503) if health.hangs() else PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        """Answer 200 if every check passes, else 503; the JSON says which pass."""
        results = await health.check()
        return JSONResponse(results, status_code=200 if all(results.values()) else 503)

    async def metrics_page(_: Request) -> Response:
        """Answer with all metrics, for Prometheus."""
        if health.before_metrics is not None:
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    await health.before_metrics()
            except Exception as error:
                # This process's own metrics matter all the more while the store is away.
                log.warning("metrics.store_unreachable", error=type(error).__name__)
        return Response(metrics.render(), media_type=metrics.CONTENT_TYPE)

    routes = [
        Route(HEALTH_PATH, healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics_page, methods=["GET"]),
    ]
    if webhook is not None:
        routes.append(Route(path or "/", webhook.handle, methods=["POST"]))
    return Starlette(routes=routes)
