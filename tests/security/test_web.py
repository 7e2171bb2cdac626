"""Half-open connections and wrong secrets neither close the web app, nor fill the log."""

import asyncio
import contextlib
import time

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from bot.web import serve as serving
from bot.web import webhook as webhooks
from bot.web.app import HEALTH_PATH, create_app
from bot.web.health import Health
from bot.web.serve import serve
from bot.web.webhook import Webhook
from tests.clocks import PATIENCE_S, HandClock

HALF_A_HEAD = b"POST /hook HTTP/1.1\r\nHost: bot\r\nX-Slow: "
READY = Health(lambda: True, lambda: True, lambda: True)
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(stack: contextlib.AsyncExitStack, url: str, sent: bytes) -> Connection:
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    stack.callback(writer.close)
    writer.write(sent)
    await writer.drain()
    return reader, writer


@pytest.fixture
def quick_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_TIMEOUT_S", 0.2)


@pytest.mark.usefixtures("quick_timeout")
@pytest.mark.parametrize("sent", [b"", HALF_A_HEAD, b"GET /healthz HTTP/1.1\r\nHost: bot\r\n\r\nGET /hea"])
async def test_a_connection_without_a_whole_head_is_closed(sent: bytes) -> None:
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(create_app(Health())))
        reader, writer = await connect(stack, url, sent)
        if sent.endswith(b"GET /hea"):
            await reader.readuntil(b"ok\n")
            writer.write(b"lthz")  # One byte now and then does not begin the time anew.
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""


@pytest.mark.usefixtures("quick_timeout")
async def test_a_connection_that_is_kept_and_a_slow_answer_are_not_closed() -> None:
    async def slow(scope: object, receive: object, send: object) -> None:
        await asyncio.sleep(2 * serving.HEAD_TIMEOUT_S)
        await create_app(Health())(scope, receive, send)  # type: ignore[arg-type]

    request = b"GET /healthz HTTP/1.1\r\nHost: bot\r\n\r\n"
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(slow))
        reader, writer = await connect(stack, url, request)
        for _ in range(2):
            async with asyncio.timeout(PATIENCE_S):
                assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(2 * serving.HEAD_TIMEOUT_S)
            writer.write(request)


async def test_no_connection_that_asks_nothing_shuts_others_out() -> None:
    async with contextlib.AsyncExitStack() as stack:
        app = create_app(READY, Webhook("secret", HandClock()), "/hook")
        url = await stack.enter_async_context(serve(app, max_requests=5))
        for sent in [HALF_A_HEAD, b"GET /healthz HTTP/1.1\r\nHost: bot\r\n\r\n"] * 8:
            reader, _ = await connect(stack, url, sent)
            if sent != HALF_A_HEAD:
                await reader.readuntil(b"ok\n")
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, base_url=url))
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")


async def test_health_is_told_beside_any_number_of_requests() -> None:
    app, waiting = create_app(READY), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/slow":
            await waiting.wait()
        await app(scope, receive, send)

    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(slow, max_requests=5, unbounded_paths=(HEALTH_PATH,)))
        stack.callback(waiting.set)
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, base_url=url))
        assert (await http.get("/readyz")).status_code == 200
        for _ in range(5):
            await connect(stack, url, b"GET /slow HTTP/1.1\r\nHost: bot\r\n\r\n")
        began_s = time.monotonic()
        while (await http.get("/readyz")).status_code != 503:
            assert time.monotonic() - began_s < PATIENCE_S
        assert (await http.get(HEALTH_PATH)).status_code == 200


async def test_wrong_secrets_are_logged_once_a_minute() -> None:
    clock = HandClock()
    webhook = Webhook("secret", clock)
    transport = httpx.ASGITransport(create_app(Health(), webhook, "/hook"))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as http:
        with capture_logs() as logs:
            for _ in range(50):
                assert (await http.post("/hook")).status_code == 401
            await clock.advance(61)
            await http.post("/hook")
    assert [line["requests"] for line in logs if line["event"] == "webhook.wrong_secret"] == [1, 50]


UPDATE = b'{"update_id":7}'
SECRET_LINE = b"X-Telegram-Bot-Api-Secret-Token: secret\r\n"
SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n"


async def _answers(stack: contextlib.AsyncExitStack, sent: bytes) -> tuple[bytes, list[dict[str, object]]]:
    """Send bytes to the webhook; return all that came back until the connection closed, and what was stored."""
    stored: list[dict[str, object]] = []

    async def store(update: dict[str, object]) -> None:
        stored.append(update)

    webhook = Webhook("secret", HandClock())
    webhook.open(store)
    url = await stack.enter_async_context(serve(create_app(Health(), webhook, "/hook")))
    reader, _ = await connect(stack, url, sent)
    async with asyncio.timeout(PATIENCE_S):
        return await reader.read(), stored


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 15\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 15\r\n",
        b"Content-Length: 15\r\nContent-Length: 60\r\n",
        b"Content-Length: 15, 60\r\n",
        b"Content-Length: +15\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length : 15\r\n",
        b"Transfer-Encoding: identity, chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"X: y\r\n folded\r\nTransfer-Encoding: chunked, identity\r\n",
    ],
    ids=lambda lines: lines.decode().replace("\r\n", " "),
)
async def test_no_request_is_smuggled_behind_another(lines: bytes) -> None:
    body = b"0\r\n\r\n" if b"chunked" in lines else UPDATE
    async with contextlib.AsyncExitStack() as stack:
        sent = b"POST /hook HTTP/1.1\r\nHost: bot\r\n" + SECRET_LINE + lines + b"\r\n" + body + SMUGGLED
        answer, stored = await _answers(stack, sent)
    assert b"\r\n\r\nok" not in answer
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert stored == []


async def test_requests_that_follow_each_other_are_each_answered() -> None:
    head = b"POST /hook HTTP/1.1\r\nHost: bot\r\n" + SECRET_LINE + b"Content-Length: 15\r\n\r\n"
    async with contextlib.AsyncExitStack() as stack:
        answer, stored = await _answers(stack, head + UPDATE + SMUGGLED)
    assert (answer.count(b"HTTP/1.1 200"), stored) == (2, [{"update_id": 7}])


async def test_a_body_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BODY_TIMEOUT_S", 0.05)
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(
            serve(create_app(Health(), opened := Webhook("secret", HandClock()), "/hook"))
        )
        opened.open(_never)
        head = b"POST /hook HTTP/1.1\r\nHost: bot\r\n" + SECRET_LINE + b"Content-Length: 15\r\n\r\n{"
        reader, _ = await connect(stack, url, head)
        async with asyncio.timeout(PATIENCE_S):
            assert (await reader.read()).startswith(b"HTTP/1.1 408")


async def _never(update: dict[str, object]) -> None:
    raise AssertionError(update)
