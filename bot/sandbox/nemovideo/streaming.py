"""The endpoints with long bodies: the answer to a message, uploads, and media."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from bot.sandbox.nemovideo import uploads
from bot.sandbox.nemovideo.api import (
    ATTRIBUTION,
    ApiError,
    account_of,
    answer,
    base_url,
    finished_render,
    json_of,
    session_of,
    world_of,
)
from bot.sandbox.nemovideo.media import CONTENT_TYPES, NotTakenError, TooLargeError, Upload
from bot.sandbox.nemovideo.sessions import Message
from bot.sandbox.nemovideo.turns import AgentTurn, words_of
from bot.sandbox.nemovideo.uploads import BadUploadError, Received

_CHUNK_BYTES = 1 << 18


class EventStream(Response):
    """The events of a turn, which continues without the client.

    Args:
        turn: The running turn.
        message: Where to save whether the client read to the end.
    """

    def __init__(self, turn: AgentTurn, message: Message) -> None:
        super().__init__(media_type="text/event-stream", headers={"cache-control": "no-cache"})
        del self.headers["content-length"]
        self._turn, self._message = turn, message

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the turn ends, the client disconnects, or a script closes the connection."""
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            self._message.delivered = sending.done() and not self._turn.cut
        finally:
            sending.cancel()
            gone.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with contextlib.aclosing(self._turn.chunks()) as chunks:
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        # Without an end of the body the server closes the connection, and the client gets a broken stream.
        if not self._turn.cut:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class Bytes(FileResponse):
    """A file response with larger chunks than usual."""

    chunk_size = _CHUNK_BYTES


async def run_sse(request: Request) -> Response:
    """``POST /run_sse``."""
    account = account_of(request)
    body = await json_of(request)
    world = world_of(request)
    try:
        session = session_of(request, account, body.get("session_id"))
    except ApiError:
        if world.settings.session_missing == "code":
            raise
        return JSONResponse({"detail": f"Session not found: {body.get('session_id')}"}, 404)
    try:
        text = words_of(body.get("new_message"))
    except ValueError as error:
        raise ApiError(400, str(error), 400) from error
    kept = {name: request.headers[name] for name in (*ATTRIBUTION, "x-client-id") if name in request.headers}
    message = Message(session.id, account.user_id, text, kept, world.now())
    world.messages.append(message)
    turn = AgentTurn(world, account, session, message, base_url(request))
    world.signal.notify()
    if world.settings.no_credits == "body" and not turn.scripted and turn.cost_now() > account.available:
        message.ended_at, message.delivered = world.now(), True
        raise ApiError(2001, "Insufficient credits")
    tasks: set[asyncio.Task[None]] = request.app.state.turns
    task = asyncio.create_task(turn.run(), name=f"turn {session.id}")
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return EventStream(turn, message)


async def upload(request: Request) -> Response:
    """``POST /api/upload-video/nemo_agent/me/{session_id}``: files, or URLs to fetch."""
    account = account_of(request)
    session = session_of(request, account, request.path_params["session_id"])
    world = world_of(request)
    folder, limit_bytes = world.folder / "uploads", world.settings.upload_limit_bytes
    content_type = request.headers.get("content-type", "")
    received: list[Received] = []
    taken: list[Upload] = []
    by_link = content_type.startswith("application/json")
    try:
        if by_link:
            urls = (await json_of(request)).get("urls")
            if not isinstance(urls, list) or not urls:
                raise BadUploadError("urls is missing")  # noqa: TRY301 - the answer is built in one place
            for url in urls:
                one = await uploads.fetch(str(url), folder, limit_bytes, public_only=world.public_links_only)
                received.append(one)
        else:
            reader = uploads.Multipart(content_type, folder, limit_bytes)
            received = reader.files
            await reader.read(_stream(request))
        await world.clock.sleep(world.settings.pace.upload_s)
        taken = [
            await uploads.accept(
                one,
                session_id=session.id,
                source="url" if by_link else "files",
                media=world.media,
                base_url=base_url(request),
            )
            for one in received
        ]
    except NotTakenError as error:
        raise ApiError(4001, str(error)) from error
    except TooLargeError as error:
        raise ApiError(4002, str(error)) from error
    except BadUploadError as error:
        raise ApiError(400, str(error), 400) from error
    finally:
        if not taken:
            for one in received:
                one.path.unlink(missing_ok=True)
    session.take(taken, wait=world.settings.uploads_wait)
    world.signal.notify()
    return answer({"files": [one.as_info() for one in taken], "session_state_applied": True})


async def download(request: Request) -> Response:
    """``GET /api/render/proxy/{id}/download``."""
    render = finished_render(request)
    render.downloads += 1
    return Bytes(render.path or "", media_type="video/mp4", filename=f"{render.id}.mp4")


async def media(request: Request) -> Response:
    """``GET /media/…``: anyone who knows the URL gets the file."""
    world = world_of(request)
    served = world.media.served.get(request.path_params["key"])
    if served is None or (served.render and world.settings.media_missing):
        return PlainTextResponse("Not Found", 404)
    path = served.path or await world.renders.paint(served)
    return Bytes(path, media_type=CONTENT_TYPES.get(path.suffix[1:], "application/octet-stream"))


async def _stream(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise BadUploadError("the client went away") from error


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
