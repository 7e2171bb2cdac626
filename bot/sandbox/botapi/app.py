"""The Bot API server: routes, tokens, faults and answers around the methods."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.runtime.clock import Clock, SystemClock
from bot.sandbox.botapi.context import Context, Method
from bot.sandbox.botapi.control_reads import ACTIONS
from bot.sandbox.botapi.errors import NO_METHOD, NOT_FOUND, UNAUTHORIZED, ApiError, DropConnection
from bot.sandbox.botapi.files import CLOUD_UPLOAD_BYTES, LOCAL_BYTES
from bot.sandbox.botapi.flood import FloodLimits
from bot.sandbox.botapi.journal import FILE_DOWNLOAD
from bot.sandbox.botapi.methods import METHODS
from bot.sandbox.botapi.params import Params, read_params
from bot.sandbox.botapi.responses import Dropped, FileBody
from bot.sandbox.botapi.state import Bot, World
from bot.sandbox.links import link_client

BOT_ID = 7_000_000_001
DEFAULT_TOKEN = f"{BOT_ID}:sandbox-bot-token-of-nobody-at-all"
"""The token of a stand-in that is served alone; those of a sandbox are random."""

FORM_OVERHEAD_BYTES = 256 * 1024
"""Bytes that a multipart body may have in addition to its file."""

T = TypeVar("T")

_QUIET = frozenset({"getupdates"})
"""Calls that the journal leaves out, because there are thousands of them."""

__all__ = ["DEFAULT_TOKEN", "BotApiServer", "create_app"]


class BotApiServer:
    """A Bot API server over a world.

    Args:
        world: The server's state.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._client: httpx.AsyncClient | None = None

    def routes(self) -> list[Route]:
        """Return the routes of the Bot API and of the control API."""
        return [
            Route("/bot{token}/{method}", self.call, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", self.download, methods=["GET"]),
            Route("/control/", self.explain, methods=["GET"]),
            Route("/control/file/{file_id}", self.any_file, methods=["GET"]),
            Route("/control/{action}", self.control, methods=["GET", "POST"]),
        ]

    async def close(self) -> None:
        """Stop webhooks and close connections."""
        for bot in self.world.bots.values():
            await bot.queue.close()
        if self._client is not None:
            await self._client.aclose()

    async def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = await link_client(public_only=self.world.public_links_only)
        return self._client

    async def call(self, request: Request) -> Response:
        """Answer a call of a Bot API method."""
        params = Params({})
        try:
            bot, method = await self._addressed(request)
            largest = LOCAL_BYTES if self.world.local else CLOUD_UPLOAD_BYTES
            params = await read_params(request, self.world.files.incoming, largest + FORM_OVERHEAD_BYTES)
            result = await _while_connected(request, method, self.run(bot, method, params))
        except ApiError as error:
            return JSONResponse(error.json(), status_code=error.code, headers=_retry_header(error))
        except (DropConnection, ClientDisconnect):
            return Dropped()
        finally:
            params.discard_uploads()
        return JSONResponse({"ok": True, "result": result})

    async def _addressed(self, request: Request) -> tuple[Bot, Method]:
        bot = self.world.bot_of(request.path_params["token"])
        method = METHODS.get(request.path_params["method"].lower())
        if bot is None or method is None:
            # Read the body to its end, so that the client gets the answer and not a broken connection.
            async for _ in request.stream():
                pass
            raise ApiError(*(UNAUTHORIZED if bot is None else NO_METHOD))
        if bot.logged_out and method.name != "logOut":
            raise ApiError(400, "Logged out")
        return bot, method

    async def run(self, bot: Bot, method: Method, params: Params) -> Any:
        """Run a method, apply the faults that match it, and log the call.

        Raises:
            ApiError: Telegram's refusal, or a fault's.
            DropConnection: The connection has to close without an answer.
        """
        world, journal = self.world, self.world.journal
        if method.name.lower() in _QUIET and not journal.faults:
            return await method.run(self._context(bot, params))
        call = journal.begin(bot.id, method.name, params.summary())
        chat_id = params.text("chat_id")
        took_effect = False
        try:
            if fault := journal.match(method.name, chat_id, "before"):
                await journal.apply(fault)
            if method.sends:
                self._count(bot, params)
            result = await method.run(self._context(bot, params))
            took_effect = True
            call.result = result
            if fault := journal.match(method.name, chat_id, "after"):
                await journal.apply(fault)
        except ApiError as error:
            journal.end(call, "lost" if took_effect else "error", None if took_effect else error.json())
            raise
        except BaseException:
            journal.end(call, "lost" if took_effect else "dropped")
            raise
        journal.end(call, "ok", result)
        world.changes.notify()
        return result

    def _context(self, bot: Bot, params: Params) -> Context:
        return Context(self.world, bot, params, self._http, self._answered(bot))

    def _answered(self, bot: Bot) -> Callable[[Any], Awaitable[None]]:
        async def run(body: Any) -> None:
            """Run the method call that a webhook answered with; its result goes nowhere."""
            method = METHODS.get(str(body.get("method", "")).lower()) if isinstance(body, dict) else None
            if method is not None:
                with contextlib.suppress(ApiError, DropConnection):
                    await self.run(bot, method, Params(body))

        return run

    def _count(self, bot: Bot, params: Params) -> None:
        chat_id = params.integer("chat_id")
        if guest := self.world.guest_message(bot, params.text("inline_message_id")):
            chat_id = guest[0].id
        given = params.values.get("media")
        count = 1
        with contextlib.suppress(ValueError):
            items = json.loads(given) if isinstance(given, str) else given
            count = len(items) if isinstance(items, list) and items else 1
        self.world.flood.acquire(bot.id, chat_id, chat_id < 0, count)

    async def download(self, request: Request) -> Response:
        """Answer with a file's content; a server with ``--local`` refuses, as the real one does."""
        world = self.world
        bot = world.bot_of(request.path_params["token"])
        file = world.files.find_path(request.path_params["path"])
        if bot is None or world.local or file is None or not file.path.exists():
            error = ApiError(*(UNAUTHORIZED if bot is None else NOT_FOUND))
            return JSONResponse(error.json(), status_code=error.code)
        journal = world.journal
        call = journal.begin(bot.id, FILE_DOWNLOAD, {"file_path": file.file_path, "size": file.size})
        fault = journal.match(FILE_DOWNLOAD, "", "before")
        try:
            if fault:
                await journal.apply(fault)
        except ApiError as error:
            journal.end(call, "error", error.json())
            return JSONResponse(error.json(), status_code=error.code)
        except DropConnection:
            journal.end(call, "dropped")
            return Dropped()
        return FileBody(file.path, file.size, world.clock, fault, lambda whole: journal.end(call, whole))

    async def any_file(self, request: Request) -> Response:
        """Answer the control API with any file, in any mode, by the ID that any bot got."""
        try:
            file = self.world.files.find(request.path_params["file_id"], 0)
        except ApiError as error:
            return JSONResponse(error.json(), status_code=404)
        return FileBody(file.path, file.size, self.world.clock)

    async def explain(self, _: Request) -> Response:
        """List the actions of the control API with their parameters."""
        lines = [f"{name:16} {run.__doc__}" for name, run in sorted(ACTIONS.items())]
        return PlainTextResponse(
            "POST /control/ACTION with JSON, or multipart for files\n\n" + "\n".join(lines)
        )

    async def control(self, request: Request) -> Response:
        """Run an action of the control API."""
        action = ACTIONS.get(request.path_params["action"])
        if action is None:
            return JSONResponse({"error": f"no action named {request.path_params['action']}"}, 404)
        params = Params({})
        try:
            params = await read_params(request, self.world.files.incoming, LOCAL_BYTES * 2)
            return JSONResponse(await action(self.world, params))
        except ApiError as error:
            return JSONResponse({"error": error.description}, 400)
        except (KeyError, ValueError, TypeError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
        except ClientDisconnect:
            return Dropped()
        finally:
            params.discard_uploads()


async def _while_connected(request: Request, method: Method, running: Awaitable[T]) -> T:
    """Run a method; end a poll whose client disconnected.

    Raises:
        DropConnection: The client disconnected.
    """
    if method.name.lower() not in _QUIET:
        return await running
    polling, leaving = asyncio.ensure_future(running), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({polling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not polling.done():
            raise DropConnection
        return polling.result()
    finally:
        polling.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _retry_header(error: ApiError) -> dict[str, str]:
    wait_s = (error.parameters or {}).get("retry_after")
    return {"Retry-After": str(wait_s)} if wait_s else {}


def create_app(
    data_dir: Path,
    *,
    tokens: Iterable[str] = (DEFAULT_TOKEN,),
    local: bool = False,
    flood_limits: FloodLimits | None = FloodLimits(),  # noqa: B008 - frozen
    clock: Clock | None = None,
    any_token: bool = False,
    public_links_only: bool = False,
) -> Starlette:
    """Create the stand-in of Telegram's Bot API server, for ``serve``.

    Args:
        data_dir: Directory for files.
        tokens: A token for each bot; the control API adds more.
        local: Whether to behave as a server started with ``--local``.
        flood_limits: Telegram's limits on sending; ``None`` for none.
        clock: Source of time for messages, flood limits, polls and delays.
        any_token: Whether every well-formed token makes a bot.
        public_links_only: Whether links into this machine's networks are not fetched.

    Returns:
        The app. Its ``state.world`` is the :class:`~bot.sandbox.botapi.state.World`.
    """
    world = World(
        data_dir,
        clock or SystemClock(),
        local=local,
        flood_limits=flood_limits,
        any_token=any_token,
        public_links_only=public_links_only,
    )
    for token in tokens:
        world.add_bot(token)
    server = BotApiServer(world)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await server.close()

    app = Starlette(routes=server.routes(), lifespan=lifespan)
    app.state.world = world
    return app
