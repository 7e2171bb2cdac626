"""Deliveries as Telegram, and as strangers, send them; and what the other paths of the app say."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from bot.web.app import create_app
from bot.web.health import Health
from bot.web.webhook import MAX_AT_ONCE, MAX_BODY_BYTES, MAX_DEPTH, Webhook

SECRET = "s3cret-of-nobody-at-all"
UPDATE = {"update_id": 7, "message": {"text": "hello"}}


class Keeper:
    """Stores updates, or fails to."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.waits: asyncio.Event | None = None

    async def receive(self, update: dict[str, Any]) -> None:
        if self.waits is not None:
            await self.waits.wait()
        if self.error is not None:
            raise self.error
        self.kept.append(update)


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def webhook(keeper: Keeper) -> Webhook:
    webhook = Webhook(SECRET)
    webhook.open(keeper.receive)
    return webhook


@pytest.fixture
async def http(webhook: Webhook) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(Health(), webhook, "/hook"))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
        yield client


async def deliver(
    http: httpx.AsyncClient, body: Any = None, secret: str | None = SECRET, **headers: str
) -> int:
    if secret is not None:
        headers["x-telegram-bot-api-secret-token"] = secret
    content = json.dumps(UPDATE if body is None else body) if not isinstance(body, (bytes, str)) else body
    return (await http.post("/hook", content=content, headers=headers)).status_code


async def test_200_is_said_when_it_is_stored(http: httpx.AsyncClient, keeper: Keeper) -> None:
    assert await deliver(http) == 200
    assert keeper.kept == [UPDATE]


async def test_it_has_to_come_again_when_it_is_not_stored(http: httpx.AsyncClient, keeper: Keeper) -> None:
    keeper.error = ConnectionError("the store is away")
    assert await deliver(http) == 503
    keeper.error = None
    assert await deliver(http) == 200
    assert keeper.kept == [UPDATE]


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET + "x", SECRET.upper(), "ü" * 23])
async def test_nothing_of_a_strangers_is_read(webhook: Webhook, keeper: Keeper, secret: str | None) -> None:
    app, was_read = create_app(Health(), webhook, "/hook"), False

    async def receive() -> dict[str, Any]:
        nonlocal was_read
        was_read = True
        return {"type": "http.request", "body": b"", "more_body": False}

    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    headers = (
        [] if secret is None else [(b"x-telegram-bot-api-secret-token", secret.encode("latin-1", "replace"))]
    )
    scope = {"type": "http", "method": "POST", "path": "/hook", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    assert sent[0]["status"] == 401
    assert not was_read
    assert keeper.kept == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"7",
        b'{"message":{}}',
        b'{"update_id":"7"}',
        b'{"update_id":true}',
        b"[" * 500_000,
        b'{"update_id":7,"a":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
        b'{"a":' * 900 + b"1" + b"}" * 900,
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
async def test_what_is_no_update_is_refused(http: httpx.AsyncClient, keeper: Keeper, body: bytes) -> None:
    assert await deliver(http, body) == 400
    assert keeper.kept == []


async def test_as_deep_as_updates_go_is_read(http: httpx.AsyncClient, keeper: Keeper) -> None:
    body = b'{"update_id":7,"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert await deliver(http, body) == 200


async def test_a_body_is_read_up_to_its_limit(http: httpx.AsyncClient, keeper: Keeper) -> None:
    frame = len(b'{"update_id":7,"a":""}')
    largest = b'{"update_id":7,"a":"' + b"x" * (MAX_BODY_BYTES - frame) + b'"}'
    assert await deliver(http, largest) == 200
    assert await deliver(http, largest + b" ") == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 10_000

    headers = {"x-telegram-bot-api-secret-token": SECRET}
    assert (await http.post("/hook", content=endless(), headers=headers)).status_code == 413


async def test_no_more_at_once_than_fit(http: httpx.AsyncClient, keeper: Keeper) -> None:
    keeper.waits = asyncio.Event()
    deliveries = {asyncio.create_task(deliver(http)) for _ in range(MAX_AT_ONCE + 1)}
    try:
        async with asyncio.timeout(10):
            done, waiting = await asyncio.wait(deliveries, return_when=asyncio.FIRST_COMPLETED)
    finally:
        keeper.waits.set()
    assert [one.result() for one in done] == [503]
    assert await asyncio.gather(*waiting) == [200] * MAX_AT_ONCE
    assert await deliver(http) == 200


async def test_before_it_opens_and_after_it_closes_telegram_has_to_come_again(
    http: httpx.AsyncClient, webhook: Webhook, keeper: Keeper
) -> None:
    webhook.close()
    assert await deliver(http) == 503
    webhook.open(keeper.receive)
    assert await deliver(http) == 200


async def test_only_deliveries_come_in_there(http: httpx.AsyncClient) -> None:
    assert (await http.get("/hook")).status_code == 405
    assert (await http.post("/")).status_code == 404


@contextlib.contextmanager
def checks(**found: bool | Exception) -> Iterator[Health]:
    def check(value: bool | Exception) -> Any:
        async def run() -> bool:
            if isinstance(value, Exception):
                raise value
            return value

        return run

    yield Health({name: check(value) for name, value in found.items()})


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ({"store": True, "telegram": True}, 200),
        ({"store": True, "telegram": False}, 503),
        ({"store": ConnectionError("away"), "telegram": True}, 503),
    ],
)
async def test_ready_is_who_has_all_that_it_needs(found: dict[str, bool | Exception], status: int) -> None:
    with checks(**found) as health:
        transport = httpx.ASGITransport(create_app(health))
        async with httpx.AsyncClient(transport=transport, base_url="http://bot") as http:
            ready = await http.get("/readyz")
            assert ready.status_code == status
            assert ready.json() == {name: value is True for name, value in found.items()}
            assert (await http.get("/healthz")).status_code == 200


async def test_figures_are_given_though_the_store_is_away() -> None:
    async def away() -> None:
        raise ConnectionError("away")

    transport = httpx.ASGITransport(create_app(Health(before_metrics=away)))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert "nemovideo_event_loop_lag_seconds_bucket" in answer.text
