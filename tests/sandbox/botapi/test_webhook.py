"""Delivery to a webhook."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.web.serve import serve
from tests.clocks import PATIENCE_S

from .conftest import HandClock, Sandbox, Start


class Receiver:
    """The bot's side: keeps what comes, and answers as told."""

    def __init__(self) -> None:
        self.url = ""
        self.got: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.answers: list[Response] = []

    async def take(self, request: Request) -> Response:
        update = await request.json()
        secret = request.headers.get("x-telegram-bot-api-secret-token", "")
        self.got.put_nowait((update["message"]["text"], secret))
        return self.answers.pop(0) if self.answers else Response()

    async def next(self) -> tuple[str, str]:
        async with asyncio.timeout(PATIENCE_S):
            return await self.got.get()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with serve(Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])) as url:
        receiver.url = f"{url}/hook"
        yield receiver


async def test_updates_come_in_order_with_the_secret(sandbox: Sandbox, receiver: Receiver) -> None:
    ada = await sandbox.people.person()
    await ada.say("old")
    await sandbox.bot.set_webhook(receiver.url, secret_token="s3cret", drop_pending_updates=True)
    for number in range(5):
        await ada.say(str(number))
    assert [await receiver.next() for _ in range(5)] == [(str(number), "s3cret") for number in range(5)]
    assert await sandbox.people.confirmed()
    words = await sandbox.refusal("getUpdates")
    assert words == (
        "Conflict: can't use getUpdates method while webhook is active; "
        "use deleteWebhook to delete the webhook first"
    )
    info = await sandbox.bot.get_webhook_info()
    assert (info.url, info.pending_update_count, info.max_connections) == (receiver.url, 0, 40)
    await sandbox.bot.delete_webhook()
    await ada.say("polled")
    assert len(await sandbox.bot.get_updates()) == 1
    assert receiver.got.empty()


async def test_it_tries_again_until_it_is_taken(start: Start, receiver: Receiver) -> None:
    clock = HandClock()
    sandbox = await start(clock=clock)
    ada = await sandbox.people.person()
    receiver.answers = [Response(status_code=500)]
    await sandbox.bot.set_webhook(receiver.url)
    await ada.say("one")
    assert (await receiver.next())[0] == "one"
    await ada.say("two")
    info = await sandbox.bot.get_webhook_info()
    while not info.last_error_message:
        info = await sandbox.bot.get_webhook_info()
    assert info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"
    assert info.pending_update_count == 2
    clock.pass_time(2)
    assert [(await receiver.next())[0] for _ in range(2)] == ["one", "two"]


async def test_an_answer_may_be_a_method(sandbox: Sandbox, receiver: Receiver) -> None:
    ada = await sandbox.people.person()
    receiver.answers = [JSONResponse({"method": "sendMessage", "chat_id": ada.id, "text": "by the way"})]
    await sandbox.bot.set_webhook(receiver.url)
    await ada.say("hi")
    assert (await ada.chat.wait()).text == "by the way"


async def test_addresses_and_secrets_that_are_refused(sandbox: Sandbox) -> None:
    words = await sandbox.refusal("setWebhook", url="http://example.org/")
    assert words == "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"
    words = await sandbox.refusal("setWebhook", url="https://example.org/", secret_token="a b")
    assert words == "Bad Request: secret token contains unallowed characters"
