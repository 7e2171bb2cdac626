"""Pages in the place of NemoVideo's web site: the project, registration, and billing."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bot.sandbox.nemovideo.accounts import Account
from bot.sandbox.nemovideo.api import world_of
from bot.sandbox.nemovideo.sessions import Session
from bot.sandbox.nemovideo.world import World

GIVEN_CREDITS = 1000
"""What registration and each press of the billing page give."""

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; form-action 'self'"
    ),
    "referrer-policy": "same-origin",  # without any, a form's request has no origin that the guard would take
    "cache-control": "no-store",
}
_STYLE = (
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
    "body{max-width:38rem;margin:2rem auto;padding:0 1rem}"
    "video{max-width:100%;max-height:50vh}button{font:inherit;padding:.5rem 1rem}code{overflow-wrap:anywhere}"
    ".note{opacity:.75;border-top:1px solid;margin-top:2rem;padding-top:.5rem}"
)

_WORDS = {
    "en": {
        "note": "This page belongs to the sandbox. It stands in for NemoVideo's web site, where the real link leads.",
        "project": "Your project",
        "unknown": "This link no longer leads to a project.",
        "made": "Created {at}, {tracks} tracks, {clips} clips.",
        "files": "Files: {names}",
        "no_files": "No files yet.",
        "register": "Register",
        "register_how": "Registration keeps the guest's projects and gives {credits} credits more.",
        "registered": "This account is registered.",
        "no_account": "There is no such account.",
        "account": "Account {id}: {credits} credits",
        "token": "Its API token, to try in the chat:",
        "billing": "Credits and plans",
        "give": "Add {credits} credits and a plan with export",
        "nobody": "Nobody is registered yet.",
    },
    "zh": {
        "note": "这是沙盒里的页面，代替真实链接所指向的 NemoVideo 网站。",
        "project": "你的项目",
        "unknown": "这个链接已不再对应任何项目。",
        "made": "创建于 {at}，{tracks} 条轨道，{clips} 个片段。",
        "files": "文件：{names}",
        "no_files": "还没有文件。",
        "register": "注册",
        "register_how": "注册后保留游客账号的项目，并再得 {credits} 积分。",
        "registered": "这个账号已注册。",
        "no_account": "没有这个账号。",
        "account": "账号 {id}：{credits} 积分",
        "token": "它的 API 令牌，可以在聊天里试用：",
        "billing": "积分与套餐",
        "give": "增加 {credits} 积分，并开通导出",
        "nobody": "还没有人注册。",
    },
}


def routes() -> list[Route]:
    """Return the pages' routes, at the addresses of the real ones."""
    return [
        Route("/workspace/claim", _project),
        Route("/register", _register, methods=["GET", "POST"]),
        Route("/dashboard/billing", _billing, methods=["GET", "POST"]),
        Route("/dashboard/api-tokens", _billing),
    ]


def _language(request: Request) -> str:
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


def _page(request: Request, title: str, *parts: str, status: int = 200) -> Response:
    """Answer with a page of HTML parts."""
    language = _language(request)
    words = _WORDS[language]
    return HTMLResponse(
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{words[title]} · NemoVideo sandbox</title><style>{_STYLE}</style>"
        f'<h1>{words[title]}</h1>{"".join(parts)}<p class="note">{words["note"]}</p></html>',
        status,
        _HEADERS,
    )


def _text(request: Request, key: str, **values: object) -> str:
    shown = {name: escape(str(value)) for name, value in values.items()}
    return f"<p>{_WORDS[_language(request)][key].format(**shown)}</p>"


async def _project(request: Request) -> Response:
    world, given = world_of(request), request.query_params
    token, session_id = given.get("ct"), given.get("session")
    session = next(
        (one for one in world.sessions.values() if token in one.claim_tokens or one.id == session_id), None
    )
    if session is None:
        return _page(request, "project", _text(request, "unknown"), status=404)
    account = world.accounts.by_user[session.user_id]
    return _page(request, "project", *_project_parts(request, world, session), _account(request, account))


def _project_parts(request: Request, world: World, session: Session) -> list[str]:
    tracks = session.draft.get("t", [])
    clips = sum(len(track.get("sg", [])) for track in tracks)
    names = ", ".join(upload.name for upload in session.uploads)
    at = f"{session.created_at:%Y-%m-%d %H:%M}"
    parts = [_text(request, "made", at=at, tracks=len(tracks), clips=clips)]
    parts.append(_text(request, "files", names=names) if names else _text(request, "no_files"))
    videos = [one.url for one in world.renders.by_id.values() if one.session_id == session.id and one.url]
    return [*parts, *(f'<video controls src="{escape(url)}"></video>' for url in videos[-1:])]


async def _register(request: Request) -> Response:
    account = world_of(request).accounts.by_user.get(request.query_params.get("bind", ""))
    if account is None:
        return _page(request, "register", _text(request, "no_account"), status=404)
    if account.plan == "anonymous":
        if request.method == "GET":
            how = _text(request, "register_how", credits=GIVEN_CREDITS)
            return _page(request, "register", _account(request, account), how, _button(request, "register"))
        _give(account)
    registered = _text(request, "registered")
    return _page(request, "register", registered, _account(request, account), _token(request, account))


async def _billing(request: Request) -> Response:
    accounts = [one for one in world_of(request).accounts.by_user.values() if one.plan != "anonymous"]
    if request.method == "POST":
        form = await request.form()
        for account in accounts:
            if account.user_id == form.get("account"):
                _give(account)
    parts = [
        _account(request, account) + _button(request, "give", account.user_id) + _token(request, account)
        for account in accounts
    ]
    return _page(request, "billing", *(parts or [_text(request, "nobody")]))


def _give(account: Account) -> None:
    account.available += GIVEN_CREDITS
    account.plan, account.may_render = "pro", True


def _account(request: Request, account: Account) -> str:
    return _text(request, "account", id=account.user_id, credits=account.available)


def _token(request: Request, account: Account) -> str:
    return f"{_text(request, 'token')}<p><code>/login {escape(account.token)}</code></p>"


def _button(request: Request, key: str, account_id: str = "") -> str:
    label = escape(_WORDS[_language(request)][key].format(credits=GIVEN_CREDITS))
    return (
        f'<form method="post"><input type="hidden" name="account" value="{escape(account_id)}">'
        f"<button>{label}</button></form>"
    )
