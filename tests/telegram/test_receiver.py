import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from redis.exceptions import ConnectionError as StoreAway
from telegram import Message, Update
from telegram.error import InvalidToken
from telegram.ext import TypeHandler

from bot.jobs.messages import LocalizedMessage
from bot.telegram.receiving.application import AnyApplication, Context, new_application
from bot.telegram.receiving.receiver import POLL_S, UpdateReceiver
from tests.clocks import HandClock, eventually
from tests.telegram.conftest import Start, Telegram

ANN = {"id": 5, "is_bot": False, "first_name": "Ann"}
CHAT = {"id": -100, "type": "supergroup", "title": "Editors"}


class FakeHandler:
    """Takes updates, and does with some of them what the test says."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.fails: dict[str, list[Exception]] = {}
        self.waits: dict[str, asyncio.Event] = {}

    async def handle(self, update: Update, context: Context) -> None:
        text = (update.message and update.message.text) or ""
        if self.fails.get(text):
            raise self.fails[text].pop()
        if text in self.waits:
            await self.waits[text].wait()
        self.texts.append(text)


@pytest.fixture
def handler() -> FakeHandler:
    return FakeHandler()


async def new_receiver(telegram: Telegram, handler: FakeHandler) -> UpdateReceiver:
    application: AnyApplication = new_application(telegram.bot, telegram.telegram_ids)
    application.add_handler(TypeHandler(Update, handler.handle))
    await application.initialize()
    return UpdateReceiver(application, telegram.clock, AsyncMock(), AsyncMock())


@contextlib.asynccontextmanager
async def receiving(
    telegram: Telegram, handler: FakeHandler, receiver: UpdateReceiver | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    receiver = receiver or await new_receiver(telegram, handler)
    task = asyncio.create_task(receiver.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def time_passes(clock: HandClock, until: asyncio.Task[bool]) -> bool:
    while not until.done():
        await clock.advance(1)
        await asyncio.wait({until}, timeout=0.01)
    return until.result()


async def test_updates_are_confirmed_when_they_were_handled(telegram: Telegram, handler: FakeHandler) -> None:
    ada = await telegram.people.person()
    handler.waits["two"] = asyncio.Event()
    async with receiving(telegram, handler):
        await ada.say("one")
        await ada.say("two")
        await eventually(lambda: "one" in handler.texts)
        assert not await telegram.people.confirmed(timeout_s=0.05)
        handler.waits["two"].set()
        assert await telegram.people.confirmed()
    assert handler.texts == ["one", "two"]


async def test_nothing_is_confirmed_while_the_store_is_away(telegram: Telegram, handler: FakeHandler) -> None:
    ada = await telegram.people.person()
    handler.fails["one"] = [StoreAway(), StoreAway(), StoreAway()]
    async with receiving(telegram, handler):
        await ada.say("one")
        await telegram.clock.asleep()
        assert not await telegram.people.confirmed(timeout_s=0)
        assert await time_passes(telegram.clock, asyncio.create_task(telegram.people.confirmed()))
    assert handler.texts == ["one"]
    assert handler.fails["one"] == []


async def test_a_handler_that_breaks_holds_up_nothing_and_gets_who_sent_it(
    telegram: Telegram, handler: FakeHandler
) -> None:
    ada = await telegram.people.person()
    handler.fails["one"] = [ZeroDivisionError(), ZeroDivisionError()]
    await ada.say("one")
    await ada.say("two")
    async with receiving(telegram, handler):
        assert await telegram.people.confirmed()
    assert handler.texts == ["", "two"]
    assert len(handler.fails["one"]) == 1


async def test_order_within_a_chat_and_chats_side_by_side(telegram: Telegram, handler: FakeHandler) -> None:
    ada, bob = await telegram.people.person("Ada"), await telegram.people.person("Bob")
    handler.waits["ada 1"] = asyncio.Event()
    for number in (1, 2):
        await ada.say(f"ada {number}")
        await bob.say(f"bob {number}")
    async with receiving(telegram, handler):
        await eventually(lambda: handler.texts == ["bob 1", "bob 2"])
        handler.waits["ada 1"].set()
        assert await telegram.people.confirmed()
    assert handler.texts[2:] == ["ada 1", "ada 2"]


async def test_nobody_waits_for_what_another_chat_has_sent(telegram: Telegram, handler: FakeHandler) -> None:
    ada, bob = await telegram.people.person("Ada"), await telegram.people.person("Bob")
    asked = [f"ada {number}" for number in range(30)]
    handler.waits[asked[1]] = asyncio.Event()
    for text in asked:
        await ada.say(text)
    async with receiving(telegram, handler):
        await eventually(lambda: asked[0] in handler.texts)
        # While one of Ada's is handled, and after it has been for longer.
        await bob.say("bob 1")
        await eventually(lambda: "bob 1" in handler.texts)
        await bob.say("bob 2")
        await eventually(lambda: "bob 2" in handler.texts)
        assert not await telegram.people.confirmed(timeout_s=0)
        await ada.say("ada at last")
        handler.waits[asked[1]].set()
        assert await telegram.people.confirmed()
    assert [text for text in handler.texts if text.startswith("ada")] == [*asked, "ada at last"]
    assert [text for text in handler.texts if text.startswith("bob")] == ["bob 1", "bob 2"]


async def test_what_was_not_stored_when_polling_ended_comes_again(
    telegram: Telegram, handler: FakeHandler
) -> None:
    ada, bob = await telegram.people.person("Ada"), await telegram.people.person("Bob")
    handler.waits["ada"] = asyncio.Event()
    await ada.say("ada")
    async with receiving(telegram, handler):
        await bob.say("bob 1")
        await eventually(lambda: "bob 1" in handler.texts)
    handler.waits["ada"].set()
    await bob.say("bob 2")
    async with receiving(telegram, handler):
        assert await telegram.people.confirmed()
    # The store drops the repeated one.
    assert sorted(handler.texts) == ["ada", "bob 1", "bob 1", "bob 2"]


async def test_a_process_that_polls_again_goes_on_with_a_chat_that_it_left_halfway(
    telegram: Telegram, handler: FakeHandler
) -> None:
    ada = await telegram.people.person()
    handler.waits["one"] = asyncio.Event()
    receiver = await new_receiver(telegram, handler)
    await ada.say("zero")
    await ada.say("one")
    async with receiving(telegram, handler, receiver):
        await eventually(lambda: handler.texts == ["zero"])
    handler.waits["one"].set()
    async with receiving(telegram, handler, receiver):
        assert await telegram.people.confirmed(timeout_s=5)
    assert handler.texts[-1] == "one"


async def test_nobody_waits_for_what_another_person_types_inline(
    telegram: Telegram, handler: FakeHandler
) -> None:
    begun: list[int] = []

    async def handle(update: Update, context: Context) -> None:
        assert update.inline_query is not None
        begun.append(update.inline_query.from_user.id)
        await asyncio.Event().wait()

    batch = [
        {
            "update_id": person,
            "inline_query": {"id": str(person), "query": "", "offset": "", "from": {**ANN, "id": person}},
        }
        for person in (5, 6)
    ]
    application = new_application(telegram.bot, telegram.telegram_ids)
    application.add_handler(TypeHandler(Update, handle))
    await application.initialize()
    receiver = UpdateReceiver(application, telegram.clock, AsyncMock(), AsyncMock())
    application.bot = Mock(wraps=telegram.bot, do_api_request=AsyncMock(side_effect=[batch, *[[]] * 9]))
    async with receiving(telegram, handler, receiver):
        await eventually(lambda: begun == [5, 6])


CONTACT = {"phone_number": "1", "first_name": "breaks"}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (
            "message",
            {"message_id": 1, "date": 1, "chat": CHAT, "sender_chat": CHAT, "contact": CONTACT},
        ),
        ("callback_query", {"id": "9", "from": ANN, "chat_instance": "2", "data": "breaks"}),
    ],
)
async def test_an_update_whose_handler_breaks_is_answered_where_it_came_from(
    telegram: Telegram, kind: str, content: dict[str, Any]
) -> None:
    got: list[dict[str, Any]] = []

    async def handle(update: Update, context: Context) -> None:
        got.append(update.to_dict())
        if "breaks" in str(got[-1]):
            raise ZeroDivisionError

    application = new_application(telegram.bot, telegram.telegram_ids)
    application.add_handler(TypeHandler(Update, handle))
    await application.initialize()
    receiver = UpdateReceiver(application, telegram.clock, AsyncMock(), AsyncMock())
    await receiver.receive_one({"update_id": 1, kind: content})
    whole, bare = got
    content_names = {"contact", "data"}
    assert bare[kind] == {name: value for name, value in whole[kind].items() if name not in content_names}


async def test_an_update_that_can_not_be_read_is_skipped(telegram: Telegram, handler: FakeHandler) -> None:
    application = new_application(telegram.bot, telegram.telegram_ids)
    application.add_handler(TypeHandler(Update, handler.handle))
    await application.initialize()
    good = {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}, "text": "good"}
    receiver = UpdateReceiver(application, telegram.clock, AsyncMock(), AsyncMock())
    await receiver.receive_one({"update_id": 1, "message": {"chat": "nonsense"}})
    await receiver.receive_one({"update_id": 2, "message": good})
    assert handler.texts == ["good"]


@pytest.mark.parametrize(
    "odd",
    [
        {"text": "hi", "entities": [{"type": "bold"}]},
        {"video": {"file_id": "x"}, "caption": "trim it"},
        # As a Bot API server before 9.6 tells of it.
        {"poll": {"id": "1", "question": "?", "options": [], "total_voter_count": 0, "is_closed": False}},
    ],
    ids=["entity", "file", "poll"],
)
async def test_a_message_with_content_of_a_newer_kind_is_handled_without_it(
    telegram: Telegram, odd: dict[str, Any]
) -> None:
    got: list[Message | None] = []

    async def handle(update: Update, context: Context) -> None:
        got.append(update.message)

    application = new_application(telegram.bot, telegram.telegram_ids)
    application.add_handler(TypeHandler(Update, handle))
    await application.initialize()
    topic = {"message_thread_id": 7, "is_topic_message": True}
    sender = {"id": 5, "is_bot": False, "first_name": "Ann"}
    message = {
        "message_id": 1,
        "date": 1,
        "chat": {"id": 5, "type": "private"},
        "from": sender,
        **topic,
        **odd,
    }
    receiver = UpdateReceiver(application, telegram.clock, AsyncMock(), AsyncMock())
    await receiver.receive_one({"update_id": 1, "message": message})
    (read,) = got
    assert read is not None
    assert (read.chat.id, read.message_thread_id, read.from_user and read.from_user.id) == (5, 7, 5)
    # What is left of a request would be another one.
    assert (read.text, read.caption) == (None, None)


@pytest.mark.parametrize(
    ("code", "description"),
    [(409, "Conflict: terminated by other getUpdates request"), (502, "Bad Gateway"), (500, "Internal")],
)
async def test_it_pauses_and_goes_on(
    telegram: Telegram, handler: FakeHandler, code: int, description: str
) -> None:
    ada = await telegram.people.person()
    await telegram.people.faults.error("getUpdates", code=code, description=description, times=3)
    async with receiving(telegram, handler):
        await ada.say("one")
        assert await time_passes(telegram.clock, asyncio.create_task(telegram.people.confirmed()))
    assert handler.texts == ["one"]
    assert telegram.clock.slept[:3] == [0.5, 1.0, 2.0]
    assert await telegram.people.calls("deleteWebhook") == []


async def test_pauses_are_short_again_once_telegram_has_answered(
    telegram: Telegram, handler: FakeHandler
) -> None:
    ada = await telegram.people.person()

    async def fail_twice(text: str) -> None:
        await telegram.people.faults.error("getUpdates", code=502, description="Bad Gateway", times=2)
        await ada.say(text)
        assert await time_passes(telegram.clock, asyncio.create_task(telegram.people.confirmed()))

    async with receiving(telegram, handler):
        await fail_twice("one")
        await fail_twice("two")
    assert handler.texts == ["one", "two"]
    assert telegram.clock.slept == [0.5, 1.0, 0.5, 1.0]


async def test_it_waits_as_long_as_it_is_told(telegram: Telegram, handler: FakeHandler) -> None:
    await telegram.people.faults.error(
        "getUpdates", code=429, description="Too Many Requests: retry after 9", retry_after=9
    )
    async with receiving(telegram, handler):
        await telegram.clock.asleep(at_least_s=9)


async def test_a_webhook_left_from_before_is_taken_away(telegram: Telegram, handler: FakeHandler) -> None:
    ada = await telegram.people.person()
    await telegram.bot.set_webhook("https://127.0.0.1:8443/hook")
    await telegram.people.faults.error("deleteWebhook", code=502, description="Bad Gateway")
    await ada.say("one")
    async with receiving(telegram, handler):
        assert await time_passes(telegram.clock, asyncio.create_task(telegram.people.confirmed()))
    assert handler.texts == ["one"]


async def test_a_token_that_is_refused_ends_it(start: Start, handler: FakeHandler) -> None:
    telegram = await start()
    await telegram.people.faults.error("getUpdates", code=401, description="Unauthorized")
    async with receiving(telegram, handler) as task:
        with pytest.raises(InvalidToken):
            await task


async def test_admins_are_told_of_another_program_that_polls(
    telegram: Telegram, handler: FakeHandler
) -> None:
    told: list[str] = []

    async def send_alert(name: str, message: LocalizedMessage) -> None:
        told.append(message.key)
        raise StoreAway

    async def clear_alert(name: str) -> None:
        told.append(f"no more {name}")
        raise StoreAway

    await telegram.people.faults.error(
        "getUpdates", code=409, description="Conflict: terminated by other getUpdates request"
    )
    application = new_application(telegram.bot, telegram.telegram_ids)
    await application.initialize()
    receiver = UpdateReceiver(application, telegram.clock, send_alert, clear_alert)
    task = asyncio.create_task(receiver.run())
    try:
        await eventually(lambda: told)
        assert told == ["alert.another_poller"]
        assert not receiver.is_answered
        await (await telegram.people.person()).say(
            "one"
        )  # The next poll is long, and would wait for something.
        await telegram.clock.advance(60)
        await eventually(lambda: "no more another_poller" in told)
        await eventually(lambda: receiver.is_answered)
        # A short poll would not meet those of the other program.
        assert [int(call["params"]["timeout"]) for call in await telegram.people.calls("getUpdates")][:2] == [
            0,
            POLL_S,
        ]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
