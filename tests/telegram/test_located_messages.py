"""Editing the messages of pressed buttons, and deleting messages, with the stand-in of Telegram."""

import asyncio

import pytest

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import MessageLocation
from bot.sandbox.botapi.client import Person
from bot.telegram.sending.located_messages import LocatedMessages, View
from bot.telegram.sending.rate_limiter import SendPriority
from bot.words import Words
from tests.telegram.conftest import Telegram

WORDS = Words("en")


@pytest.fixture
def messages(telegram: Telegram) -> LocatedMessages:
    return LocatedMessages(telegram.telegram_calls)


@pytest.fixture
async def ada(telegram: Telegram) -> Person:
    person = await telegram.people.person("Ada")
    await person.start()
    return person


async def sent(telegram: Telegram, chat_id: int) -> MessageLocation:
    message = await telegram.bot.send_message(chat_id, "before")
    return MessageLocation(chat_id, chat_id, message.message_id)


async def cancelled() -> tuple[View, Words]:
    return LocalizedMessage("progress.cancelled"), WORDS


async def settings() -> tuple[View, Words]:
    return LocalizedMessage("settings.heading"), WORDS


async def test_of_two_edits_the_later_one_stays(
    telegram: Telegram, messages: LocatedMessages, ada: Person
) -> None:
    where = await sent(telegram, ada.id)
    held = await telegram.people.faults.hold("editMessageText")
    first = asyncio.create_task(messages.show(where, settings))
    await held.reached()
    second = asyncio.create_task(messages.show(where, cancelled))
    done, _ = await asyncio.wait({second}, timeout=0.2)
    await held.release()
    await asyncio.gather(first, second)
    assert not done
    assert (await ada.chat.messages())[-1].text == WORDS.plain("progress.cancelled")


async def test_what_is_shown_is_made_when_the_chat_may_be_edited(
    telegram: Telegram, messages: LocatedMessages, ada: Person
) -> None:
    where = await sent(telegram, ada.id)
    await telegram.people.faults.error("editMessageText", code=429, description="later", retry_after=30)
    made: list[float] = []

    async def view() -> tuple[View, Words]:
        made.append(telegram.clock.monotonic_s())
        return await cancelled()

    task = asyncio.create_task(messages.show(where, view))
    await telegram.clock.asleep(at_least_s=30)
    await telegram.clock.advance(31)
    await task
    assert made[-1] - made[0] >= 30


async def test_an_edit_that_can_wait_stands_back_and_may_be_needless_by_then(
    telegram: Telegram, messages: LocatedMessages, ada: Person
) -> None:
    where = await sent(telegram, ada.id)
    await telegram.telegram_calls.rate_limiter.pause(ada.id, 30)
    is_needed = True

    async def view() -> tuple[View, Words] | None:
        return await cancelled() if is_needed else None

    task = asyncio.create_task(messages.show(where, view, SendPriority.EDIT))
    await telegram.clock.asleep(at_least_s=29)
    assert not await telegram.people.calls("editMessageText")
    await telegram.clock.advance(31)
    await task
    assert len(await telegram.people.calls("editMessageText")) == 1
    is_needed = False
    await messages.show(where, view, SendPriority.EDIT)
    assert len(await telegram.people.calls("editMessageText")) == 1


async def test_a_message_of_before_the_group_moved_is_left_alone(
    telegram: Telegram, messages: LocatedMessages
) -> None:
    old, new = -1000, -1001000001000
    await telegram.telegram_ids.record_migration(old, new)
    where = MessageLocation(old, old, 7)
    await messages.show(where, cancelled)
    assert not await messages.delete(where)
    assert not await telegram.people.calls("editMessageText", "deleteMessage")


@pytest.mark.parametrize(
    ("code", "description"),
    [(400, "Bad Request: message to edit not found"), (403, "Forbidden: bot was blocked by the user")],
)
async def test_a_message_that_can_not_be_edited_is_left_alone(
    telegram: Telegram, messages: LocatedMessages, ada: Person, code: int, description: str
) -> None:
    where = await sent(telegram, ada.id)
    await telegram.people.faults.error("editMessageText", code=code, description=description, times=1)
    await messages.show(where, cancelled)
    assert len(await telegram.people.calls("editMessageText")) == 1


async def test_a_message_that_is_gone_already_counts_as_deleted(
    telegram: Telegram, messages: LocatedMessages, ada: Person
) -> None:
    where = await sent(telegram, ada.id)
    assert await messages.delete(where)
    assert await messages.delete(where)
    await telegram.people.faults.error(
        "deleteMessage", code=400, description="Bad Request: message can't be deleted"
    )
    assert not await messages.delete(await sent(telegram, ada.id))
