import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from telegram import Bot, Message
from telegram.error import BadRequest, NetworkError

from bot.jobs.ports import ChatGone, TopicGone
from bot.sandbox.botapi import FloodLimits
from bot.telegram.sending.api_calls import PATIENCE_S, OutcomeUnknown
from tests.clocks import passing
from tests.telegram.conftest import Start, Telegram


async def send(telegram: Telegram, chat_id: int, text: str = "hello", *, repeatable: bool = False) -> Message:
    return await telegram.telegram_calls.call(
        chat_id,
        lambda chat: telegram.bot.send_message(chat, text),
        repeatable=repeatable,
    )


async def all_of(*tasks: asyncio.Task[Message]) -> None:
    await asyncio.gather(*tasks)


@contextlib.asynccontextmanager
async def under_way(telegram: Telegram, chat_id: int) -> AsyncIterator[asyncio.Task[Message]]:
    task = asyncio.create_task(send(telegram, chat_id))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_flood_limit_pauses_its_own_chat_for_as_long_as_told(telegram: Telegram) -> None:
    ada, bob = await telegram.people.person("Ada"), await telegram.people.person("Bob")
    await ada.open()
    await bob.open()
    await telegram.people.faults.error(
        "sendMessage",
        code=429,
        description="Too Many Requests: retry after 7",
        retry_after=7,
        chat_id=ada.chat.id,
    )
    async with under_way(telegram, ada.chat.id) as first:
        await telegram.clock.asleep(at_least_s=7)
        await send(telegram, bob.chat.id)
        assert [one["state"] for one in await telegram.people.calls("sendMessage", chat=bob.chat.id)] == [
            "ok"
        ]
        second, third = (asyncio.create_task(send(telegram, ada.chat.id)) for _ in range(2))
        await telegram.clock.asleep(at_least_s=6, count=3)
        await telegram.clock.advance(6.9)
        assert len(await telegram.people.calls("sendMessage", chat=ada.chat.id)) == 1
        await passing(telegram.clock, all_of(first, second, third), step_s=0.1)
    assert len(await ada.chat.messages(from_bots=True)) == 3


async def test_the_stand_ins_own_limits_are_obeyed(start: Start) -> None:
    telegram = await start(flood_limits=FloodLimits(chat_burst=2))
    ada = await telegram.people.person()
    await ada.open()
    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(send(telegram, ada.chat.id, f"{number}"))
        while len(await ada.chat.messages(from_bots=True)) < 4:
            await telegram.clock.advance(1)
            await asyncio.sleep(0.02)
    assert len(await ada.chat.messages(from_bots=True)) == 4


async def test_what_surely_was_not_sent_is_sent_again(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.open()
    times = 0

    async def make(chat_id: int) -> Message:
        nonlocal times
        times += 1
        if times < 3:
            async with Bot("1:a", base_url="http://127.0.0.1:9/bot") as nowhere:
                return await nowhere.send_message(chat_id, "x")
        return await telegram.bot.send_message(chat_id, "hello")

    task = asyncio.create_task(telegram.telegram_calls.call(ada.chat.id, make, repeatable=False))
    while not task.done():
        await telegram.clock.advance(1)
        await asyncio.sleep(0.002)
    assert (await task).text == "hello"
    assert times == 3


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_send_whose_answer_was_lost_is_not_repeated(telegram: Telegram, when: str) -> None:
    ada = await telegram.people.person()
    await ada.open()
    await telegram.people.faults.drop("sendMessage", when=when)  # type: ignore[arg-type]  # of the two
    with pytest.raises(OutcomeUnknown):
        await send(telegram, ada.chat.id)
    assert len(await telegram.people.calls("sendMessage")) == 1


@pytest.mark.parametrize("code", [500, 502])
async def test_a_failing_telegram_leaves_a_sends_outcome_unknown(telegram: Telegram, code: int) -> None:
    ada = await telegram.people.person()
    await ada.open()
    await telegram.people.faults.error("sendMessage", code=code, description="Bad Gateway")
    with pytest.raises(OutcomeUnknown):
        await send(telegram, ada.chat.id)


async def test_what_may_be_repeated_is_until_patience_ends(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.open()
    await telegram.people.faults.drop("sendMessage", times=3)
    task = asyncio.create_task(send(telegram, ada.chat.id, repeatable=True))
    while not task.done():
        await telegram.clock.advance(1)
        await asyncio.sleep(0.002)
    assert (await task).text == "hello"

    await telegram.people.faults.drop("sendMessage", times=None)
    began_s = telegram.clock.monotonic_s()
    task = asyncio.create_task(send(telegram, ada.chat.id, repeatable=True))
    while not task.done():
        await telegram.clock.advance(15)
        await asyncio.sleep(0.002)
    with pytest.raises(NetworkError):
        await task
    assert PATIENCE_S <= telegram.clock.monotonic_s() - began_s < PATIENCE_S + 60


async def test_an_impatient_call_is_tried_once(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.open()
    await telegram.people.faults.drop("sendMessage")
    with pytest.raises(NetworkError):
        await telegram.telegram_calls.call(
            ada.chat.id, lambda chat: telegram.bot.send_message(chat, "x"), repeatable=True, patient=False
        )


async def test_a_blocked_bot_has_nobody_there(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.start()
    await ada.block()
    with pytest.raises(ChatGone):
        await send(telegram, ada.chat.id)


async def test_so_has_a_bot_that_was_removed_or_never_known(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    group = await telegram.people.new_chat("supergroup", "Group", ada)
    await group.set_member(telegram.people.bot, "kicked", by=ada)
    for chat_id in (group.id, 987654321):
        with pytest.raises(ChatGone):
            await send(telegram, chat_id)


@pytest.mark.parametrize(
    "description",
    [
        "Bad Request: CHAT_WRITE_FORBIDDEN",
        "Bad Request: not enough rights to send text messages to the chat",
        "Bad Request: group chat was deactivated",
    ],
)
async def test_refusals_that_mean_that_nothing_can_be_said(telegram: Telegram, description: str) -> None:
    ada = await telegram.people.person()
    await ada.open()
    await telegram.people.faults.error("sendMessage", code=400, description=description)
    with pytest.raises(ChatGone):
        await send(telegram, ada.chat.id)


async def test_a_topic_that_is_gone(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.open()
    for description in ("Bad Request: TOPIC_CLOSED", "Bad Request: message thread not found"):
        await telegram.people.faults.error("sendMessage", code=400, description=description)
        with pytest.raises(TopicGone):
            await send(telegram, ada.chat.id)


async def test_other_refusals_go_up_as_they_are(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.open()
    with pytest.raises(BadRequest, match="empty"):
        await send(telegram, ada.chat.id, " ")


async def test_a_group_that_became_a_supergroup_is_followed(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    group = await telegram.people.new_chat("group", "Group", ada)
    supergroup = await group.migrate(ada)
    message = await send(telegram, group.id)
    assert message.chat.id == supergroup.id
    assert [seen.text for seen in await supergroup.messages(matching="hello")] == ["hello"]


async def test_a_kind_of_message_that_is_forbidden_is_no_chat_that_is_gone(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.open()
    for description, error in (
        ("Forbidden: not enough rights to send videos to the chat", BadRequest),
        ("Forbidden: bot was blocked by the user", ChatGone),
    ):
        await telegram.people.faults.error("sendMessage", code=403, description=description)
        with pytest.raises(error):
            await send(telegram, ada.chat.id)


async def test_a_group_that_has_moved_is_called_at_its_new_place_from_then_on(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    group = await telegram.people.new_chat("group", "Group", ada)
    supergroup = await group.migrate(ada)
    for _ in range(2):
        assert (await send(telegram, group.id)).chat.id == supergroup.id
    assert len(await telegram.people.calls("sendMessage")) == 3
