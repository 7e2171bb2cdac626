"""The control API: switches the stand-in's behavior and shows what it was asked. `client` uses it.

GET, PATCH   settings         the switches of `settings.Settings`; PATCH with any of them
POST         clock            {ahead_s}: moves the service's date ahead, for tokens to expire
GET, POST    accounts         all accounts; a new registered one {credits, plan, token, may_render}
PATCH        accounts/ID      changes its {credits, may_render, expired}
GET          sessions         all sessions with their drafts
PATCH        sessions/ID      replaces its {draft}
DELETE       sessions/ID      calls get 1002 from now on
GET          messages, charges, uploads, renders, requests
                              the logs, oldest first
POST, DELETE scripts          what happens with the next messages: {steps} (see `scripts`), or a
                              {script, args} of `scripts.NAMED`; {times, session_id}
GET, POST, DELETE faults      faults of the next requests, see `faults.Fault`
GET, POST    holds            where requests are held, see `faults.Hold`
POST         holds/release    {id}, or all
POST         wait             {what, count, timeout_s, match}: answers when enough entries match
POST         reset            removes faults, holds and scripts, restores the first settings
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, fields, replace
from datetime import timedelta
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.sandbox.nemovideo import scripts
from bot.sandbox.nemovideo.accounts import Account
from bot.sandbox.nemovideo.api import json_of, world_of
from bot.sandbox.nemovideo.faults import Fault, Hold
from bot.sandbox.nemovideo.requests import ENDPOINTS
from bot.sandbox.nemovideo.settings import Pace, Settings
from bot.sandbox.nemovideo.world import Queued, World

_ANY: TypeAdapter[Any] = TypeAdapter(Any)
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}
R = TypeVar("R")
T = TypeVar("T", Settings, Pace, Fault, Hold)

Handler = Callable[[Request], Awaitable[Response]]


def routes() -> list[Route]:
    """Return the control API's routes."""
    table: list[tuple[str, str, Handler]] = [
        ("settings", "GET", _get_settings),
        ("settings", "PATCH", _patch_settings),
        ("clock", "POST", _move_clock),
        ("accounts", "POST", _add_account),
        ("accounts/{user_id}", "PATCH", _change_account),
        ("sessions/{session_id}", "PATCH", _change_session),
        ("sessions/{session_id}", "DELETE", _drop_session),
        ("scripts", "POST", _add_script),
        ("scripts", "DELETE", _clear_scripts),
        ("faults", "POST", _add_fault),
        ("faults", "DELETE", _clear_faults),
        ("holds", "POST", _add_hold),
        ("holds/release", "POST", _release),
        ("wait", "POST", _wait),
        ("reset", "POST", _reset),
    ]
    listed = [Route(f"/control/{name}", _list_of(name)) for name in _LISTS]
    return [
        Route("/control/", _explain),
        *listed,
        *(Route(f"/control/{path}", _checked(handler), methods=[method]) for path, method, handler in table),
    ]


_LISTS: dict[str, Callable[[World], Iterable[object]]] = {
    "accounts": lambda world: world.accounts.by_user.values(),
    "sessions": lambda world: world.sessions.values(),
    "messages": lambda world: world.messages,
    "charges": lambda world: world.accounts.charges,
    "uploads": lambda world: [upload for session in world.sessions.values() for upload in session.uploads],
    "renders": lambda world: world.renders.by_id.values(),
    "requests": lambda world: world.log.entries,
    "faults": lambda world: world.faults.rules,
    "holds": lambda world: world.faults.holds,
}


def read(kind: type[R], value: object) -> R:
    """Build one of the stand-in's dataclasses from JSON.

    Args:
        kind: The dataclass.
        value: The parsed JSON.

    Raises:
        ValueError: The JSON doesn't fit.
    """
    adapter = _ADAPTERS.get(kind)
    if adapter is None:
        adapter = _ADAPTERS[kind] = TypeAdapter(kind)  # building one takes longer than a request
    return cast(R, adapter.validate_python(value))


def _dump(value: object) -> Any:
    return _ANY.dump_python(value, mode="json")


def _strict(kind: type[T], value: dict[str, Any]) -> T:
    """Build a dataclass from JSON and refuse unknown names."""
    unknown = value.keys() - {item.name for item in fields(kind)}
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return read(kind, value)


def _list_of(name: str) -> Handler:
    async def listed(request: Request) -> Response:
        return JSONResponse([_dump(item) for item in _LISTS[name](world_of(request))])

    return listed


def _checked(handler: Handler) -> Handler:
    async def checked(request: Request) -> Response:
        try:
            return await handler(request)
        except (ValidationError, ValueError, KeyError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return checked


async def _get_settings(request: Request) -> Response:
    return JSONResponse(asdict(world_of(request).settings))


async def _patch_settings(request: Request) -> Response:
    changes = await json_of(request)
    world = world_of(request)
    now = asdict(world.settings)
    pace = _strict(Pace, {**now["pace"], **changes.get("pace", {})})
    _take_over(world.settings, _strict(Settings, {**now, **changes, "pace": pace}))
    return await _get_settings(request)


def _take_over(settings: Settings, new: Settings) -> None:
    """Change an object in place, because others refer to it."""
    for item in fields(Settings):
        setattr(settings, item.name, getattr(new, item.name))


async def _move_clock(request: Request) -> Response:
    world = world_of(request)
    world.ahead = timedelta(seconds=float((await json_of(request))["ahead_s"]))
    return JSONResponse({"now": world.now().isoformat()})


async def _add_account(request: Request) -> Response:
    body = await json_of(request)
    account = world_of(request).accounts.register(
        credits_=int(body.get("credits", 1000)),
        plan=body.get("plan", "pro"),
        token=body.get("token"),
        may_render=bool(body.get("may_render", True)),
    )
    return JSONResponse(_dump(account), 201)


async def _change_account(request: Request) -> Response:
    body = await json_of(request)
    world = world_of(request)
    account: Account = world.accounts.by_user[request.path_params["user_id"]]
    account.available = int(body.get("credits", account.available))
    account.may_render = bool(body.get("may_render", account.may_render))
    if body.get("expired"):
        account.expires_at = world.now() - timedelta(seconds=1)
    return JSONResponse(_dump(account))


async def _change_session(request: Request) -> Response:
    world = world_of(request)
    session = world.sessions[request.path_params["session_id"]]
    session.draft = (await json_of(request))["draft"]
    world.signal.notify()
    return JSONResponse(_dump(session))


async def _drop_session(request: Request) -> Response:
    del world_of(request).sessions[request.path_params["session_id"]]
    return JSONResponse({})


async def _add_script(request: Request) -> Response:
    body = await json_of(request)
    named = body.get("script")
    steps = scripts.NAMED[named](**body.get("args", {})) if named else list(body["steps"])
    scripts.check(steps)
    queued = Queued(steps, body.get("session_id"), int(body.get("times", 1)))
    world_of(request).scripts.append(queued)
    return JSONResponse(_dump(queued), 201)


async def _clear_scripts(request: Request) -> Response:
    world_of(request).scripts.clear()
    return JSONResponse({})


async def _add_fault(request: Request) -> Response:
    fault = _strict(Fault, await json_of(request))
    _check_endpoint(fault.endpoint)
    world_of(request).faults.rules.append(fault)
    return JSONResponse(_dump(fault), 201)


async def _clear_faults(request: Request) -> Response:
    world_of(request).faults.rules.clear()
    return JSONResponse({})


async def _add_hold(request: Request) -> Response:
    hold = _strict(Hold, await json_of(request))
    if hold.point != "work":
        _check_endpoint(hold.endpoint)
    world_of(request).faults.holds.append(hold)
    return JSONResponse(_dump(hold), 201)


def _check_endpoint(name: str) -> None:
    if name not in ENDPOINTS:
        raise ValueError(f"no endpoint {name!r}, there are {', '.join(ENDPOINTS)}")


async def _explain(_: Request) -> Response:
    return PlainTextResponse(__doc__)


async def _release(request: Request) -> Response:
    world_of(request).faults.release((await json_of(request)).get("id"))
    return JSONResponse({})


async def _wait(request: Request) -> Response:
    body = await json_of(request)
    world = world_of(request)
    what, count, match = body["what"], int(body.get("count", 1)), dict(body.get("match", {}))
    items = _LISTS[what]

    def there() -> int:
        return sum(1 for item in items(world) if _matches(item, match))

    held = await world.signal.until(lambda: there() >= count, float(body.get("timeout_s", 10)))
    return JSONResponse({"held": held, "count": there()})


def _matches(item: object, match: dict[str, Any]) -> bool:
    """Return whether attributes match; a list means any of its values, ``"*"`` anything but nothing."""
    for name, wanted in match.items():
        value = getattr(item, name)
        if wanted == "*":
            if value in (None, "", 0):
                return False
        elif value not in (wanted if isinstance(wanted, list) else [wanted]):
            return False
    return True


async def _reset(request: Request) -> Response:
    world = world_of(request)
    world.faults.clear()
    world.scripts.clear()
    _take_over(world.settings, Settings(pace=replace(world.first_pace)))
    return JSONResponse({})
