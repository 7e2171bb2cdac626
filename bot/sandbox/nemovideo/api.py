"""The service's endpoints that answer at once; `streaming` has those for messages, uploads and media."""

from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.sandbox.nemovideo.accounts import TOKEN_LIFE, Account, RateLimitError
from bot.sandbox.nemovideo.render import Render
from bot.sandbox.nemovideo.sessions import Session, new_session
from bot.sandbox.nemovideo.world import World

ATTRIBUTION = ("x-skill-source", "x-skill-version", "x-skill-platform")


class ApiError(Exception):
    """A refusal by the service.

    Args:
        code: The error code, or the HTTP status.
        message: The error message.
        status: The HTTP status.
    """

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def world_of(request: Request) -> World:
    """Return the service's state."""
    world: World = request.app.state.world
    return world


def answer(data: object) -> JSONResponse:
    """Return the envelope of a successful answer."""
    return JSONResponse({"code": 0, "message": "success", "data": data})


def refuse(error: ApiError) -> JSONResponse:
    """Return the envelope of a refusal."""
    return JSONResponse({"code": error.code, "message": error.message, "data": None}, error.status)


def base_url(request: Request) -> str:
    """Return this server's base URL, as the client knows it."""
    return str(request.base_url).rstrip("/")


def account_of(request: Request) -> Account:
    """Return the account whose token a request carries.

    Raises:
        ApiError: The token is missing, unknown or expired: 1001, or the code that is set.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    world = world_of(request)
    account = world.accounts.by_token(token.strip()) if scheme.lower() == "bearer" else None
    if account is None:
        settings = world.settings
        raise ApiError(settings.auth_code, "Token invalid or expired", settings.auth_status)
    return account


def session_of(request: Request, account: Account, session_id: object) -> Session:
    """Return one of an account's sessions.

    Raises:
        ApiError: The session doesn't exist (1002).
    """
    session = world_of(request).sessions.get(str(session_id))
    if session is None or session.user_id != account.user_id:
        raise ApiError(1002, "Session not found")
    return session


async def json_of(request: Request) -> dict[str, Any]:
    """Return a request's JSON object.

    Raises:
        ApiError: The body is no JSON object (400).
    """
    try:
        value = await request.json()
    except ValueError as error:
        raise ApiError(400, "The body is not JSON", 400) from error
    if not isinstance(value, dict):
        raise ApiError(400, "The body is not a JSON object", 400)
    return value


async def anonymous_token(request: Request) -> Response:
    """``POST /api/auth/anonymous-token``."""
    client_id = request.headers.get("x-client-id", "").strip()
    if not client_id:
        raise ApiError(400, "X-Client-Id header is required", 400)
    address = request.client.host if request.client else "unknown"
    try:
        account = world_of(request).accounts.anonymous(client_id, address)
    except RateLimitError as error:
        raise ApiError(429, f"Too many requests: {error}", 429) from error
    expires_at = account.expires_at.astimezone(UTC).isoformat(timespec="milliseconds")
    return answer(
        {
            "token": account.token,
            "user_id": account.user_id,
            "expires_at": expires_at.replace("+00:00", "Z"),
            "credits": account.available,
        }
    )


async def claim_token(request: Request) -> Response:
    """``POST /api/auth/claim-token``."""
    body = await json_of(request)
    session = session_of(request, account_of(request), body.get("session_id"))
    if body.get("task_id") != session.task_id:
        raise ApiError(1002, "The task does not belong to the session")
    token = f"clm_{session.id[5:]}{len(session.claim_tokens):02}"
    session.claim_tokens.append(token)
    return answer({"claim_token": token, "expires_in": int(TOKEN_LIFE.total_seconds())})


async def create_session(request: Request) -> Response:
    """``POST /api/tasks/me/with-session/nemo_agent``."""
    account = account_of(request)
    body = await json_of(request)
    world = world_of(request)
    title = str(body.get("task_name") or "project")
    session = new_session(account.user_id, str(body.get("language") or "en"), title, world.now())
    world.sessions[session.id] = session
    world.signal.notify()
    return answer({"session_id": session.id, "task_id": session.task_id, "user_id": account.user_id})


async def credit_balance(request: Request) -> Response:
    """``GET /api/credits/balance/simple``."""
    account = account_of(request)
    total = account.available + account.frozen
    return answer({"available": account.available, "frozen": account.frozen, "total": total})


async def latest_state(request: Request) -> Response:
    """``GET /api/state/nemo_agent/me/{session_id}/latest``."""
    session = session_of(request, account_of(request), request.path_params["session_id"])
    return answer({"state": session.state(), "task_id": session.task_id, "session_id": session.id})


async def post_render(request: Request) -> Response:
    """``POST /api/render/proxy/lambda``; a known ID gets its render again."""
    account = account_of(request)
    world = world_of(request)
    missing = [name for name in ATTRIBUTION if not request.headers.get(name, "").strip()]
    if missing:
        raise ApiError(402, f"Export is not available for this client: {', '.join(missing)} missing", 402)
    if not world.accounts.may_render(account):
        raise ApiError(402, "Export is not included in your current plan", 402)
    body = await json_of(request)
    render_id, draft = body.get("id"), body.get("draft")
    if not isinstance(render_id, str) or not render_id or not isinstance(draft, dict):
        raise ApiError(400, "id and draft are required", 400)
    known = world.renders.by_id.get(render_id)
    if known is not None:
        if known.user_id != account.user_id:
            raise ApiError(409, "This render id is taken", 409)
        known.posts += 1
        return _render_answer(world, known, link=False)
    session = session_of(request, account, body.get("sessionId"))
    output = body.get("output")
    render = Render(
        render_id, account.user_id, session.id, draft, output if isinstance(output, dict) else {}, world.now()
    )
    world.renders.start(render, base_url(request))
    world.signal.notify()
    return _render_answer(world, render, link=False)


async def render_status(request: Request) -> Response:
    """``GET /api/render/proxy/lambda/{id}``."""
    render = _render_of(request)
    render.polls += 1
    return _render_answer(world_of(request), render, link=True)


async def cancel_render(request: Request) -> Response:
    """``POST /api/render/proxy/lambda/{id}/cancel``."""
    render = _render_of(request)
    world_of(request).renders.cancel(render)
    return _render_answer(world_of(request), render, link=False)


def _render_of(request: Request) -> Render:
    account = account_of(request)
    render = world_of(request).renders.by_id.get(request.path_params["render_id"])
    if render is None or render.user_id != account.user_id:
        raise ApiError(404, "Render not found", 404)
    return render


def finished_render(request: Request) -> Render:
    """Return the finished render of a download.

    Raises:
        ApiError: There is no such render, or it isn't finished (404).
    """
    render = _render_of(request)
    if render.path is None:
        raise ApiError(404, "The render is not finished", 404)
    return render


def _render_answer(world: World, render: Render, *, link: bool) -> JSONResponse:
    data: dict[str, Any] = {"id": render.id, "status": render.status, "progress": render.progress}
    if link and render.status == "completed":
        url = render.url
        if world.settings.media_origin:
            url = f"{world.settings.media_origin}{urlsplit(url).path}"
        output = {"url": url, "duration": render.duration_s, "size": render.size_bytes}
        if world.settings.render_link == "outputUrl":
            data["outputUrl"] = output.pop("url")
        elif world.settings.render_link == "none":
            del output["url"]
        data["output"] = output
    if render.error:
        data["error"] = render.error
    match world.settings.render_envelope:
        case "top":
            return JSONResponse(data)
        case "data":
            return answer(data)
        case _:
            return JSONResponse({"success": True, "data": data})
