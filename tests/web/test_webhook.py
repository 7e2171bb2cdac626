"""Requests to the webhook, as Telegram and as strangers send them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bot.runtime import metrics
from bot.web import webhook as webhooks
from bot.web.app import create_app
from bot.web.health import Health
from bot.web.webhook import MAX_BODY_BYTES, MAX_CONCURRENT, MAX_DEPTH, OPEN_TIMEOUT_S, Webhook
from tests.clocks import PATIENCE_S, HandClock

SECRET = "s3cret-of-nobody-at-all"
UPDATE = {"update_id": 7, "message": {"text": "hello"}}


class UpdateStore:
    """Stores updates, or fails to."""

    def __init__(self) -> None:
        self.stored: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.unblocked: asyncio.Event | None = None
        self.asked = asyncio.Event()

    async def store(self, update: dict[str, Any]) -> None:
        self.asked.set()
        if self.unblocked is not None:
            await self.unblocked.wait()
        if self.error is not None:
            raise self.error
        self.stored.append(update)


@pytest.fixture
def update_store() -> UpdateStore:
    return UpdateStore()


@pytest.fixture
def webhook(update_store: UpdateStore) -> Webhook:
    webhook = Webhook(SECRET, HandClock())
    webhook.open(update_store.store)
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


async def test_a_stored_update_gets_200(http: httpx.AsyncClient, update_store: UpdateStore) -> None:
    assert await deliver(http) == 200
    assert update_store.stored == [UPDATE]


async def test_an_update_that_is_not_stored_gets_503_and_is_retried(
    http: httpx.AsyncClient, update_store: UpdateStore
) -> None:
    update_store.error = ConnectionError("the store is away")
    not_stored = metrics.UPDATES.labels("not_stored")._value.get()
    assert await deliver(http) == 503
    assert metrics.UPDATES.labels("not_stored")._value.get() == not_stored + 1
    update_store.error = None
    assert await deliver(http) == 200
    assert update_store.stored == [UPDATE]


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET + "x", SECRET.upper(), "ü" * 23])
async def test_a_request_without_the_secret_gets_401_unread(
    webhook: Webhook, update_store: UpdateStore, secret: str | None
) -> None:
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
    assert update_store.stored == []


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
async def test_a_body_that_is_no_update_gets_400(
    http: httpx.AsyncClient, update_store: UpdateStore, body: bytes
) -> None:
    assert await deliver(http, body) == 400
    assert update_store.stored == []


async def test_the_deepest_allowed_update_is_read(http: httpx.AsyncClient, update_store: UpdateStore) -> None:
    body = b'{"update_id":7,"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert await deliver(http, body) == 200


async def test_a_body_is_read_up_to_its_limit(http: httpx.AsyncClient, update_store: UpdateStore) -> None:
    frame = len(b'{"update_id":7,"a":""}')
    largest = b'{"update_id":7,"a":"' + b"x" * (MAX_BODY_BYTES - frame) + b'"}'
    assert await deliver(http, largest) == 200
    assert await deliver(http, largest + b" ") == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 10_000

    headers = {"x-telegram-bot-api-secret-token": SECRET}
    assert (await http.post("/hook", content=endless(), headers=headers)).status_code == 413


async def test_requests_beyond_the_concurrency_limit_get_503(
    http: httpx.AsyncClient, update_store: UpdateStore
) -> None:
    update_store.unblocked = asyncio.Event()
    deliveries = {asyncio.create_task(deliver(http)) for _ in range(MAX_CONCURRENT + 1)}
    try:
        async with asyncio.timeout(PATIENCE_S):
            done, waiting = await asyncio.wait(deliveries, return_when=asyncio.FIRST_COMPLETED)
    finally:
        update_store.unblocked.set()
    assert [one.result() for one in done] == [503]
    assert await asyncio.gather(*waiting) == [200] * MAX_CONCURRENT
    assert await deliver(http) == 200


async def test_a_closed_webhook_answers_503(
    http: httpx.AsyncClient, webhook: Webhook, update_store: UpdateStore
) -> None:
    await webhook.close()
    assert await deliver(http) == 503
    webhook.open(update_store.store)
    assert await deliver(http) == 200


async def test_what_comes_while_the_process_starts_waits_until_it_accepts_updates(
    update_store: UpdateStore,
) -> None:
    starting = Webhook(SECRET, HandClock())
    transport = httpx.ASGITransport(create_app(Health(), starting, "/hook"))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as http:
        deliveries = {asyncio.create_task(deliver(http)) for _ in range(MAX_CONCURRENT + 1)}
        refused, waiting = await asyncio.wait(deliveries, return_when=asyncio.FIRST_COMPLETED)
        starting.open(update_store.store)
        assert [delivery.result() for delivery in refused] == [503]
        assert await asyncio.gather(*waiting) == [200] * MAX_CONCURRENT
    assert update_store.stored == [UPDATE] * MAX_CONCURRENT


async def test_what_waits_for_a_process_that_ends_before_it_has_started_gets_503_at_once(
    update_store: UpdateStore,
) -> None:
    starting = Webhook(SECRET, HandClock())
    transport = httpx.ASGITransport(create_app(Health(), starting, "/hook"))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as http:
        deliveries = {asyncio.create_task(deliver(http)) for _ in range(MAX_CONCURRENT + 1)}
        await asyncio.wait(deliveries, return_when=asyncio.FIRST_COMPLETED)
        async with asyncio.timeout(OPEN_TIMEOUT_S / 2):
            await starting.close()
            assert set(await asyncio.gather(*deliveries)) == {503}
    assert update_store.stored == []


async def test_what_comes_while_the_process_does_not_start_gets_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "OPEN_TIMEOUT_S", 0.01)
    transport = httpx.ASGITransport(create_app(Health(), Webhook(SECRET, HandClock()), "/hook"))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as http:
        assert await deliver(http) == 503


async def test_a_body_that_does_not_arrive_gets_408(
    http: httpx.AsyncClient, update_store: UpdateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "BODY_TIMEOUT_S", 0.01)

    async def begin() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    headers = {"x-telegram-bot-api-secret-token": SECRET}
    async with asyncio.timeout(PATIENCE_S):
        assert (await http.post("/hook", content=begin(), headers=headers)).status_code == 408
    assert update_store.stored == []


async def test_an_update_that_is_not_stored_in_time_gets_503_and_holds_up_no_end(
    http: httpx.AsyncClient, webhook: Webhook, update_store: UpdateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_store.unblocked = asyncio.Event()
    monkeypatch.setattr(webhooks, "CLOSE_TIMEOUT_S", 0.01)
    delivery = asyncio.create_task(deliver(http))
    await update_store.asked.wait()
    async with asyncio.timeout(PATIENCE_S):
        await webhook.close()
    assert not delivery.done()
    webhook.open(update_store.store)
    monkeypatch.setattr(webhooks, "STORE_TIMEOUT_S", 0.01)
    async with asyncio.timeout(PATIENCE_S):
        assert await deliver(http) == 503
    update_store.unblocked.set()
    assert await delivery == 200


async def test_what_has_come_is_stored_before_a_webhook_is_closed(
    http: httpx.AsyncClient, webhook: Webhook, update_store: UpdateStore
) -> None:
    update_store.unblocked = asyncio.Event()
    delivery = asyncio.create_task(deliver(http))
    await update_store.asked.wait()
    closing = asyncio.create_task(webhook.close())
    await asyncio.sleep(0)

    assert await deliver(http) == 503
    assert not closing.done()
    update_store.unblocked.set()
    await closing

    assert update_store.stored == [UPDATE]
    assert await delivery == 200


async def test_only_post_requests_reach_the_webhook(http: httpx.AsyncClient) -> None:
    assert (await http.get("/hook")).status_code == 405
    assert (await http.post("/")).status_code == 404
