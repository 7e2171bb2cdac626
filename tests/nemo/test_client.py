"""The calls, against servers that answer in every documented way and in some others."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.nemo import errors
from bot.nemo.client import MediaSource, NemoClient
from bot.nemo.render_answers import Render, RenderStatus
from bot.nemo.wire import Attribution, Credentials, Retries, Timeouts
from bot.web.serve import serve
from tests.nemo.servers import free_port, raw_server, read_request

TOKEN = "nmv_usr_secret"
CARD = Attribution("my-skill", "1.2.3", "clawhub")
WHO = Credentials(TOKEN, CARD)
NO_WAIT = Retries(attempts=3, first_wait_s=0, longest_wait_s=0)


@dataclass
class Service:
    """A server that keeps what it was asked and gives the answers it was told, the last one for ever."""

    answers: list[Response] = field(default_factory=lambda: [JSONResponse({"code": 0, "data": {}})])
    requests: list[Request] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    url: str = ""

    async def __call__(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append(request)
        self.bodies.append(json.loads(body) if body else None)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def will_answer(self, *answers: Response | dict[str, Any]) -> None:
        self.answers = [a if isinstance(a, Response) else JSONResponse(a) for a in answers]


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = Starlette(routes=[Route("/{path:path}", service.__call__, methods=["GET", "POST"])])
    async with serve(app) as url:
        service.url = url
        yield service


@pytest.fixture
def nemo(http: httpx.AsyncClient, service: Service) -> NemoClient:
    return NemoClient(http, service.url + "/", retries=NO_WAIT)


async def test_every_call_as_documented(nemo: NemoClient, service: Service) -> None:
    service.will_answer({"code": 0, "data": {
        "token": "nmv_usr_new", "session_id": "s", "task_id": "t", "claim_token": "clm_1", "available": 90,
        "frozen": 10, "total": 100, "state": {"draft": {"t": [{"tt": 0, "sg": [{}]}]}}, "files": [{"filename": "a"}],
        "id": "render_1", "status": "pending", "progress": 0,
    }})  # fmt: skip
    assert (await nemo.create_anonymous_token("uuid", CARD)).token == "nmv_usr_new"
    assert (await nemo.create_session(WHO, "zh-CN")).session_id == "s"
    assert (await nemo.create_claim_token(WHO, "t", "s")).token == "clm_1"
    assert len(await nemo.upload_urls(WHO, "s", ["https://m/a.mp4"])) == 1
    assert (await nemo.get_credits(WHO)).available == 90
    draft = (await nemo.get_state(WHO, "s")).draft
    assert draft is not None
    assert (await nemo.start_render(WHO, "render_1", "s", draft.raw)).status is RenderStatus.PENDING
    assert (await nemo.get_render(WHO, "render_1")).progress == 0
    await nemo.cancel_render(WHO, "render_1")
    events = [event async for event in nemo.send_message(WHO, "s", "你好")]
    assert events

    asked = [(r.method, r.url.path, body) for r, body in zip(service.requests, service.bodies, strict=True)]
    assert asked == [
        ("POST", "/api/auth/anonymous-token", None),
        ("POST", "/api/tasks/me/with-session/nemo_agent", {"task_name": "project", "language": "zh-CN"}),
        ("POST", "/api/auth/claim-token", {"task_id": "t", "session_id": "s"}),
        ("POST", "/api/upload-video/nemo_agent/me/s", {"urls": ["https://m/a.mp4"], "source_type": "url"}),
        ("GET", "/api/credits/balance/simple", None),
        ("GET", "/api/state/nemo_agent/me/s/latest", None),
        (
            "POST",
            "/api/render/proxy/lambda",
            {
                "id": "render_1",
                "sessionId": "s",
                "draft": {"t": [{"tt": 0, "sg": [{}]}]},
                "output": {"format": "mp4", "quality": "high"},
            },
        ),
        ("GET", "/api/render/proxy/lambda/render_1", None),
        ("POST", "/api/render/proxy/lambda/render_1/cancel", None),
        (
            "POST",
            "/run_sse",
            {
                "app_name": "nemo_agent",
                "user_id": "me",
                "session_id": "s",
                "new_message": {"parts": [{"text": "你好"}]},
            },
        ),
    ]
    for request in service.requests:
        assert request.headers["x-skill-source"] == "my-skill"
        assert request.headers["x-skill-version"] == "1.2.3"
        assert request.headers["x-skill-platform"] == "clawhub"
        assert TOKEN not in str(request.url)
    assert service.requests[0].headers["x-client-id"] == "uuid"
    assert "authorization" not in service.requests[0].headers
    assert {r.headers["authorization"] for r in service.requests[1:]} == {f"Bearer {TOKEN}"}
    assert service.requests[-1].headers["accept"] == "text/event-stream"


ERRORS = [
    (401, {"code": 1001, "message": "x"}, errors.AuthError),
    (200, {"code": 1001, "message": "x"}, errors.AuthError),
    (200, {"code": 1010}, errors.AuthError),
    (200, {"code": "1011"}, errors.AuthError),
    (401, "Unauthorized", errors.AuthError),
    (200, {"code": 1002, "message": "x"}, errors.SessionGone),
    (404, {"detail": "Session not found: nope"}, errors.SessionGone),
    (404, {"detail": "Not Found"}, errors.ServiceError),
    (200, {"code": 2001}, errors.NoCredits),
    (200, {"code": 4001}, errors.FileTypeRefused),
    (415, "no", errors.FileTypeRefused),
    (200, {"code": 4002}, errors.FileSizeRefused),
    (413, "<html>Request Entity Too Large</html>", errors.FileSizeRefused),
    (402, "Payment Required", errors.PaymentRequired),
    (200, {"code": 402, "message": "x"}, errors.PaymentRequired),
    (200, {"success": False, "error": "x", "code": 402}, errors.PaymentRequired),
    (429, "slow down", errors.RateLimited),
    (200, {"code": 429}, errors.RateLimited),
    (400, {"message": "missing X-Client-Id"}, errors.ClientIdMissing),
    (400, {"message": "bad draft"}, errors.ServiceError),
    (500, "Internal Server Error", errors.ServiceError),
    (500, {"code": 1001}, errors.AuthError),
    (503, b"\xff\xfe", errors.ServiceError),
    (200, {"code": 987654}, errors.ServiceError),
    (200, {"success": False, "error": "x"}, errors.ServiceError),
    (200, {"error": "x"}, errors.ServiceError),
    (200, {"status": "error", "message": "x"}, errors.ServiceError),
    (504, {"code": 504, "message": "upstream timed out"}, errors.ServiceError),
    (302, "", errors.ServiceError),
    (200, "not JSON", errors.UnexpectedAnswer),
    (200, "", errors.UnexpectedAnswer),
    (200, b"[1]", errors.UnexpectedAnswer),
    (200, {"code": 0, "data": {}}, errors.UnexpectedAnswer),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "error"), ERRORS)
async def test_answers_that_are_errors(
    nemo: NemoClient, service: Service, status: int, body: Any, error: type[errors.NemoError]
) -> None:
    service.will_answer(
        JSONResponse(body, status) if isinstance(body, dict) else PlainTextResponse(body, status)
    )
    with pytest.raises(errors.NemoError) as caught:
        await nemo.create_session(WHO, "en")
    assert type(caught.value) is error
    assert caught.value.call == errors.Call("POST", "/api/tasks/me/with-session/nemo_agent")
    assert caught.value.status == status
    assert len(service.requests) == 1


@pytest.mark.parametrize(("status", "body", "error"), [row for row in ERRORS if row[0] != 200])
async def test_a_refused_message(
    nemo: NemoClient, service: Service, status: int, body: Any, error: type[errors.NemoError]
) -> None:
    service.will_answer(
        JSONResponse(body, status) if isinstance(body, dict) else PlainTextResponse(body, status)
    )
    with pytest.raises(errors.NemoError) as caught:
        await anext(nemo.send_message(WHO, "s", "hi"))
    assert type(caught.value) is error
    assert caught.value.outcome_unknown == (status >= 500 and error is errors.ServiceError)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"status": "failed", "error": "Out of memory"}, "Out of memory"),
        ({"data": {"status": "render_failed", "error": {"message": "no font"}}}, "no font"),
        ({"status": "error", "message": "database is away"}, None),
        ({"success": False, "error": "boom"}, None),
    ],
)
async def test_why_a_render_failed_is_read_from_a_500_too(
    nemo: NemoClient, service: Service, body: dict[str, Any], error: str | None
) -> None:
    service.will_answer(*(JSONResponse(body, 500) for _ in range(3)))
    if error is None:
        with pytest.raises(errors.ServiceError):
            await nemo.get_render(WHO, "r")
    else:
        render = await nemo.get_render(WHO, "r")
        assert (render.status, render.error) == (RenderStatus.FAILED, error)


async def test_an_anonymous_token_refused_for_its_client_id(nemo: NemoClient, service: Service) -> None:
    service.will_answer(PlainTextResponse("Bad Request", 400))
    with pytest.raises(errors.ClientIdMissing):
        await nemo.create_anonymous_token("", CARD)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ({}, {"Retry-After": "7"}, 7.0),
        ({"code": 429, "retry_after": 3}, {}, 3.0),
        ({"code": 429, "data": {"retryAfter": 3}}, {}, 3.0),
        ({}, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({}, {}, None),
    ],
)
async def test_how_long_to_wait(
    nemo: NemoClient, service: Service, body: Any, headers: dict[str, str], expected: float | None
) -> None:
    service.will_answer(JSONResponse(body, 429, headers))
    with pytest.raises(errors.RateLimited) as caught:
        await nemo.get_credits(WHO)
    assert caught.value.retry_after_s == expected
    assert len(service.requests) == 1


async def test_errors_do_not_tell_the_token(nemo: NemoClient, service: Service) -> None:
    odd = Credentials("an-operators-own-token", CARD)
    service.will_answer({"code": 1001, "message": f"bad token {odd.token} or {TOKEN}"})
    with pytest.raises(errors.AuthError) as caught:
        await nemo.get_credits(odd)
    shown = repr(caught.value) + str(caught.value) + repr(odd) + repr(WHO)
    assert odd.token not in shown
    assert TOKEN not in shown


async def test_reading_calls_are_repeated(nemo: NemoClient, service: Service) -> None:
    service.will_answer(PlainTextResponse("", 502), PlainTextResponse("", 503), {"data": {"available": 1}})
    assert (await nemo.get_credits(WHO)).available == 1
    assert len(service.requests) == 3
    service.will_answer(PlainTextResponse("", 500))
    with pytest.raises(errors.ServiceError):
        await nemo.get_state(WHO, "s")
    assert len(service.requests) == 6
    service.will_answer({"code": 0, "data": [1]})
    with pytest.raises(errors.UnexpectedAnswer):
        await nemo.get_state(WHO, "s")
    assert len(service.requests) == 9


async def test_an_answer_that_names_an_error_beside_its_data_is_an_answer(
    nemo: NemoClient, service: Service
) -> None:
    service.will_answer({"data": {"available": 1}, "error": "the cache is cold"})
    assert (await nemo.get_credits(WHO)).available == 1


async def test_a_documented_error_is_not_asked_for_again(nemo: NemoClient, service: Service) -> None:
    service.will_answer(JSONResponse({"code": 1002, "message": "gone"}, 500))
    with pytest.raises(errors.SessionGone):
        await nemo.get_state(WHO, "s")
    assert len(service.requests) == 1


async def test_calls_that_do_something_are_not_repeated(nemo: NemoClient, service: Service) -> None:
    service.will_answer(PlainTextResponse("", 503))
    with pytest.raises(errors.ServiceError) as caught:
        await nemo.start_render(WHO, "r", "s", {})
    assert caught.value.outcome_unknown
    assert len(service.requests) == 1


class Unreachable(httpx.AsyncBaseTransport):
    """Gets no connection for some requests, and then does."""

    def __init__(self, inner: httpx.AsyncBaseTransport, times: int) -> None:
        self._inner = inner
        self.left = times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.left:
            self.left -= 1
            raise httpx.ConnectError("refused")
        return await self._inner.handle_async_request(request)


async def test_what_surely_did_not_arrive_is_sent_again(service: Service) -> None:
    inner = httpx.AsyncHTTPTransport()
    away = Unreachable(inner, 0)
    async with inner, httpx.AsyncClient(transport=away) as http:
        nemo = NemoClient(http, service.url, retries=NO_WAIT)
        service.will_answer({"code": 0, "data": {"session_id": "s", "task_id": "t"}})
        away.left = 2
        assert (await nemo.create_session(WHO, "en")).session_id == "s"
        service.will_answer(Response("data: {}\n\n", media_type="text/event-stream"))
        away.left = 2
        async for _ in nemo.send_message(WHO, "s", "hi"):
            pass
        assert [request.url.path for request in service.requests][1:] == ["/run_sse"]
        away.left = 3
        with pytest.raises(errors.TransportError) as caught:
            await nemo.start_render(WHO, "r", "s", {})
        assert not caught.value.sent
        assert len(service.requests) == 2


async def test_no_connection_means_not_sent(http: httpx.AsyncClient) -> None:
    nemo = NemoClient(http, f"http://127.0.0.1:{free_port()}", retries=NO_WAIT)
    for call in (
        nemo.create_session(WHO, "en"),
        nemo.get_credits(WHO),
        anext(nemo.send_message(WHO, "s", "hi")),
    ):
        with pytest.raises(errors.TransportError) as caught:
            await call
        assert not caught.value.sent
        assert not caught.value.outcome_unknown


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"])
async def test_a_lost_connection_means_perhaps_sent(http: httpx.AsyncClient, begun: bytes) -> None:
    asked = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await read_request(reader)
        writer.write(begun)
        asked += 1

    async with raw_server(talk) as url:
        nemo = NemoClient(http, url, retries=NO_WAIT)
        for call in (nemo.create_session(WHO, "en"), anext(nemo.send_message(WHO, "s", "hi"))):
            with pytest.raises(errors.TransportError) as caught:
                await call
            assert caught.value.sent
        assert asked == 2


async def test_an_answer_that_does_not_come(http: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with raw_server(talk) as url:
        nemo = NemoClient(http, url, timeouts=Timeouts(answer_s=0.05), retries=NO_WAIT)
        with pytest.raises(errors.TransportError) as caught:
            await nemo.create_session(WHO, "en")
    assert caught.value.sent


async def test_a_draft_goes_back_as_it_came(nemo: NemoClient, service: Service) -> None:
    odd = '{"t":[],"x":NaN,"half":"\\ud83c","n":12345678901234567890,"f":0.1,"中":null}'
    service.will_answer(Response(f'{{"data":{{"state":{{"draft":{odd}}}}}}}', media_type="application/json"))
    draft = (await nemo.get_state(WHO, "s")).draft
    assert draft is not None
    await nemo.start_render(WHO, "r", "s", draft.raw)
    assert json.dumps(service.bodies[-1]["draft"]) == json.dumps(json.loads(odd))


async def test_ids_and_names_from_anywhere_stay_in_their_place(
    http: httpx.AsyncClient, nemo: NemoClient, service: Service
) -> None:
    who = Credentials(TOKEN, Attribution("名前\r\nX-Evil: 1", "1"))
    service.will_answer({"code": 0, "data": {"state": {}}}, {"status": "pending"})
    await nemo.get_state(who, "../../etc?x#y")
    await nemo.get_render(who, "..")
    first, second = service.requests
    assert first.scope["raw_path"] == b"/api/state/nemo_agent/me/..%2F..%2Fetc%3Fx%23y/latest"
    assert second.scope["raw_path"] == b"/api/render/proxy/lambda/-"
    assert "x-evil" not in first.headers
    assert first.headers["x-skill-source"] == "%E5%90%8D%E5%89%8D%0D%0AX-Evil: 1"


async def test_a_failed_render_is_an_answer(nemo: NemoClient, service: Service) -> None:
    service.will_answer({"success": False, "data": {"status": "failed"}, "error": "boom"})
    assert await nemo.get_render(WHO, "r") == Render("r", RenderStatus.FAILED, error="boom")


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "failed", "error": {"code": 500, "message": "boom"}},
        {"code": 5001, "message": "boom", "data": {"status": "failed"}},
    ],
)
async def test_a_failed_render_may_have_a_code(
    nemo: NemoClient, service: Service, answer: dict[str, Any]
) -> None:
    service.will_answer(answer)
    assert (await nemo.get_render(WHO, "r")).status is RenderStatus.FAILED


async def test_a_documented_code_counts_more_than_the_state_of_a_render(
    nemo: NemoClient, service: Service
) -> None:
    service.will_answer({"code": 1001, "message": "expired", "data": {"status": "failed"}})
    with pytest.raises(errors.AuthError):
        await nemo.get_render(WHO, "r")


async def test_a_call_that_succeeded_is_no_finished_render(nemo: NemoClient, service: Service) -> None:
    service.will_answer({"status": "success", "id": "r"})
    assert await nemo.start_render(WHO, "r", "s", {}) == Render("r", RenderStatus.PENDING)


@pytest.mark.parametrize("answer", [{"code": 0, "data": None}, {"data": {"id": "r", "status": None}}, {}])
async def test_an_answer_without_a_status_is_no_render(
    nemo: NemoClient, service: Service, answer: dict[str, Any]
) -> None:
    service.will_answer(*[JSONResponse(answer)] * 3)
    with pytest.raises(errors.UnexpectedAnswer):
        await nemo.get_render(WHO, "r")


@pytest.mark.parametrize("answer", [Response(status_code=204), PlainTextResponse("OK"), Response()])
async def test_cancelling_needs_no_words(nemo: NemoClient, service: Service, answer: Response) -> None:
    service.will_answer(answer)
    await nemo.cancel_render(WHO, "r")


# Downloads

VIDEO = bytes(range(256)) * 1000
MP4 = "video/mp4"


async def fetch(nemo: NemoClient, url: str | None) -> tuple[bytes, int | None]:
    async with nemo.download(WHO, Render("r", RenderStatus.COMPLETED, url=url)) as found:
        return b"".join([chunk async for chunk in found.chunks]), found.size_bytes


@pytest.fixture
async def media() -> AsyncIterator[Service]:
    """Another host, where results lie."""
    service = Service()
    async with serve(Starlette(routes=[Route("/{path:path}", service.__call__)])) as url:
        service.url = url
        yield service


@pytest.fixture
def nemo_and_media(http: httpx.AsyncClient, service: Service) -> NemoClient:
    everywhere = MediaSource(http, lambda *_: True)
    return NemoClient(http, service.url, retries=NO_WAIT, media=everywhere)


async def test_a_result_by_its_link(nemo_and_media: NemoClient, service: Service, media: Service) -> None:
    media.will_answer(Response(VIDEO, media_type=MP4))
    assert await fetch(nemo_and_media, f"{media.url}/a.mp4?sig=1%2B2") == (VIDEO, len(VIDEO))
    assert media.requests[0].url.query == "sig=1%2B2"
    assert "authorization" not in media.requests[0].headers
    assert not service.requests


async def test_a_link_that_leads_on(nemo_and_media: NemoClient, service: Service, media: Service) -> None:
    service.will_answer(Response(status_code=302, headers={"Location": f"{media.url}/a.mp4"}))
    media.will_answer(Response(VIDEO, media_type=MP4))
    assert await fetch(nemo_and_media, "/files/a.mp4") == (VIDEO, len(VIDEO))
    assert service.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "authorization" not in media.requests[0].headers


@pytest.mark.parametrize(
    "answer",
    [{"code": 0, "data": {"url": "{}"}}, {"download_url": "{}"}, {"data": {"output": {"url": "{}"}}}],
)
async def test_a_download_call_that_answers_with_the_link(
    nemo_and_media: NemoClient, service: Service, media: Service, answer: dict[str, Any]
) -> None:
    service.will_answer(
        Response(json.dumps(answer).replace("{}", f"{media.url}/a.mp4"), media_type="application/json")
    )
    media.will_answer(Response(VIDEO, media_type=MP4))
    assert await fetch(nemo_and_media, None) == (VIDEO, len(VIDEO))
    assert "authorization" not in media.requests[0].headers


@pytest.mark.parametrize("status", [202, 204])
async def test_an_upload_that_is_accepted_without_a_word(
    nemo: NemoClient, service: Service, status: int
) -> None:
    service.will_answer(Response(status_code=status))
    assert await nemo.upload_urls(WHO, "s", ["https://x/a.mp4"]) == ()


@pytest.mark.parametrize(
    "answer",
    [
        Response("gone", 403),
        JSONResponse({"code": 1}),
        Response("<html>", media_type="text/html"),
        Response("", media_type=MP4),
    ],
)
async def test_a_bad_link_falls_back(
    nemo_and_media: NemoClient, service: Service, media: Service, answer: Response
) -> None:
    media.will_answer(answer)
    service.will_answer(Response(VIDEO, media_type=MP4))
    assert await fetch(nemo_and_media, f"{media.url}/a.mp4") == (VIDEO, len(VIDEO))
    (request,) = service.requests
    assert request.url.path == "/api/render/proxy/r/download"
    assert request.headers["x-skill-source"]
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "url", [None, "", "ftp://x/a.mp4", "file:///etc/passwd", "http://[", "http://127.0.0.1:9"]
)
async def test_no_usable_link_falls_back(nemo: NemoClient, service: Service, url: str | None) -> None:
    service.will_answer(Response(VIDEO, media_type="application/octet-stream"))
    assert await fetch(nemo, url) == (VIDEO, len(VIDEO))


async def test_neither_way_leads_to_a_file(nemo: NemoClient, service: Service) -> None:
    service.will_answer(JSONResponse({"code": 402, "message": "not in your plan"}, 200))
    with pytest.raises(errors.ExportNotInPlan):
        await fetch(nemo, None)


async def test_a_result_that_breaks_off(http: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async with raw_server(talk) as url:
        with pytest.raises(errors.TransportError):
            await fetch(NemoClient(http, url, retries=NO_WAIT), f"{url}/a.mp4")


async def test_a_result_of_unknown_length(http: httpx.AsyncClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nvideo")
        await writer.drain()

    async with raw_server(talk) as url:
        assert await fetch(NemoClient(http, url), f"{url}/a.mp4") == (b"video", None)
