"""Calls without files take a way of their own: nothing that can befall them may look otherwise than on the long way."""

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from telegram import Bot, InputFile
from telegram.error import BadRequest, NetworkError, RetryAfter, TimedOut

from bot.runtime.http import Transport, surely_not_sent
from bot.telegram.sending.bot import RETRY_AFTER_S, BotRequest
from bot.telegram.sending.rate_limiter import wait_s
from tests.nemo.servers import free_port, raw_server, read_request, reset

TLS = ssl.create_default_context()
SECRET = "123:secret"

WAYS = {
    "short": {"chat_id": 7, "text": "a & b = 你好"},
    "long": {"chat_id": 7, "photo": InputFile(b"picture", "a.png")},
}

Call = Callable[..., Awaitable[Any]]


@pytest.fixture(params=WAYS)
def call(request: pytest.FixtureRequest) -> Call:
    return partial(make, WAYS[request.param])


async def make(arguments: dict[str, Any], url: str, **kwargs: Any) -> Any:
    requests = BotRequest(Transport(TLS))
    async with requests:
        bot = Bot(SECRET, base_url=f"{url}/bot", request=requests)
        return await bot.do_api_request("sendSomething", api_kwargs=arguments, **kwargs)


Writer = asyncio.StreamWriter
Reader = asyncio.StreamReader
Talk = Callable[[Reader, Writer], Coroutine[Any, Any, None]]


async def answers(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    body = gzip.compress(b'{"ok": true, "result": "caf\xc3\xa9"}')
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    await writer.drain()


async def refuses(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    body = b'{"ok": false, "error_code": 400, "description": "Bad Request: chat not found"}'
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def closes(reader: Reader, writer: Writer) -> None:
    await read_request(reader)


async def resets(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    reset(writer)


async def babbles(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"nonsense\r\n\r\n")
    await writer.drain()


async def breaks_off(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


async def is_silent(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    await asyncio.Event().wait()


async def test_an_answer_is_read_whole_and_decoded(call: Call) -> None:
    async with raw_server(answers) as url:
        assert await call(url) == "café"


async def test_a_refusal_is_told_in_telegrams_words(call: Call) -> None:
    async with raw_server(refuses) as url:
        with pytest.raises(BadRequest, match="Chat not found"):
            await call(url)


def says(status: bytes, body: bytes) -> Talk:
    async def talk(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
        await writer.drain()

    return talk


async def test_a_refusal_under_http_200_is_one(call: Call) -> None:
    body = b'{"ok": false, "error_code": 400, "description": "Bad Request: chat not found"}'
    async with raw_server(says(b"200 OK", body)) as url:
        with pytest.raises(BadRequest, match="Chat not found"):
            await call(url)


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"", b"[]", b'{"ok": true}', b"null"])
async def test_what_is_no_answer_of_the_bot_api_may_have_arrived(call: Call, body: bytes) -> None:
    async with raw_server(says(b"200 OK", body)) as url:
        with pytest.raises(NetworkError) as caught:
            await call(url)
    assert not isinstance(caught.value, BadRequest)
    assert not surely_not_sent(caught.value)


@pytest.mark.parametrize(
    ("body", "pause_s"),
    [
        (b'{"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 7"}', 7),
        (b'{"ok": false, "error_code": 429, "description": "Too Many Requests"}', RETRY_AFTER_S),
        (b"<html>Too many requests</html>", RETRY_AFTER_S),
        (b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 9}}', 9),
    ],
)
async def test_a_flood_limit_without_its_length_is_one(
    call: Call, body: bytes, pause_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    async with raw_server(says(b"429 Too Many Requests", body)) as url:
        with pytest.raises(RetryAfter) as caught:
            await call(url)
    assert wait_s(caught.value) >= pause_s


async def test_a_refused_connection_is_surely_not_sent(call: Call) -> None:
    with pytest.raises(NetworkError) as caught:
        await call(f"http://127.0.0.1:{free_port()}")
    assert surely_not_sent(caught.value)


@pytest.mark.parametrize("talk", [closes, resets, babbles, breaks_off], ids=lambda talk: talk.__name__)
async def test_what_is_lost_after_it_was_read_may_have_arrived(call: Call, talk: Talk) -> None:
    async with raw_server(talk) as url:
        with pytest.raises(NetworkError) as caught:
            await call(url)
    assert not surely_not_sent(caught.value)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert SECRET not in str(seen)
        seen = seen.__cause__


async def test_an_answer_that_does_not_come_in_time_may_have_been_read(call: Call) -> None:
    async with raw_server(is_silent) as url:
        with pytest.raises(TimedOut) as caught:
            await call(url, read_timeout=0.05)
    assert not surely_not_sent(caught.value)


async def test_words_arrive_as_they_were_written() -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk(reader: Reader, writer: Writer) -> None:
        heard.set_result(await read_request(reader))
        await writer.drain()

    async with raw_server(talk) as url:
        with pytest.raises(NetworkError):
            await make(WAYS["short"], url)
    head, _, body = heard.result().partition(b"\r\n\r\n")
    assert head.startswith(f"POST /bot{SECRET}/sendSomething HTTP/1.1".encode())
    assert b"content-type: application/x-www-form-urlencoded" in head.lower()
    assert body == b"chat_id=7&text=a+%26+b+%3D+%E4%BD%A0%E5%A5%BD"


async def test_a_wrong_address_is_not_told_with_the_token_in_it(call: Call) -> None:
    with pytest.raises(NetworkError) as caught:
        await call("http://")
    assert SECRET not in str(caught.value)
