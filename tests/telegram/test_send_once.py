import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis
from telegram import Animation, Chat, Document, Message, PhotoSize, Video
from telegram.error import BadRequest

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import MessageSend, SentMessage
from bot.sandbox.botapi.client import ChatHandle
from bot.telegram.sending.api_calls import OutcomeUnknown
from bot.telegram.sending.message_fields import MessageFields
from bot.telegram.sending.rate_limiter import SendPermit, SendPriority
from bot.telegram.sending.send_once import NEWEST_S, JobSender, sent_message
from bot.telegram.sending.sent_messages import PROBE_LIMIT, SentMessageLog, number_sequence
from tests.clocks import PATIENCE_S, passing, settle
from tests.jobs.conftest import CHAT, new_job
from tests.telegram.conftest import Died, Notebook, Start, Telegram


async def once(
    telegram: Telegram,
    chat_id: int,
    checkpoints: Notebook,
    text: str = "hello",
    key: str = "said",
    permit: SendPermit | None = None,
    message_id: int | None = None,
) -> SentMessage:
    job = new_job(chat=ChatKey(chat_id), message_id=message_id)
    sender = JobSender(job, checkpoints, telegram.telegram_calls, telegram.sent)
    bot = telegram.bot
    sending = sender.send(key, MessageFields(text), bot.send_message, bot.edit_message_text, permit=permit)
    return await passing(telegram.clock, sending)


async def said(chat: ChatHandle) -> list[str]:
    return [seen.text for seen in await chat.messages() if seen.json["from"]["is_bot"]]


def dies_with_the_answer(name: str, value: Any) -> bool:
    return value["sent"] is not None


async def test_a_message_is_sent_once(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.start()
    checkpoints = Notebook()
    done = await once(telegram, ada.chat.id, checkpoints)
    assert await once(telegram, ada.chat.id, checkpoints) == done
    assert await said(ada.chat) == ["hello"]


async def test_a_place_that_was_waited_for_is_not_waited_for_again(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await telegram.people.person()
    await ada.start()
    permit = await telegram.telegram_calls.acquire(ada.chat.id, SendPriority.ANSWER)
    monkeypatch.setattr(telegram.telegram_calls.rate_limiter, "acquire", None)  # cannot be called
    await once(telegram, ada.chat.id, Notebook(), permit=permit)
    assert await said(ada.chat) == ["hello"]


async def test_a_lost_message_is_found_and_not_doubled(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    begun = await ada.start()
    await telegram.sent.record(ada.chat.id, begun.id, ChatKey(ada.chat.id))
    checkpoints = Notebook(dies_at=dies_with_the_answer)
    with pytest.raises(Died):
        await once(telegram, ada.chat.id, checkpoints)
    checkpoints.dies_at = None
    found = await once(telegram, ada.chat.id, checkpoints)
    (message,) = [seen for seen in await ada.chat.messages() if seen.json["from"]["is_bot"]]
    assert found.message_id == message.id
    assert len(message.versions) == 1


async def test_a_lost_message_is_found_by_the_next_attempt_when_its_finder_ends_too(
    telegram: Telegram,
) -> None:
    ada = await telegram.people.person()
    begun = await ada.start()
    await telegram.sent.record(ada.chat.id, begun.id, ChatKey(ada.chat.id))
    checkpoints = Notebook(dies_at=dies_with_the_answer)
    for _ in range(2):
        with pytest.raises(Died):
            await once(telegram, ada.chat.id, checkpoints)
    checkpoints.dies_at = None
    await once(telegram, ada.chat.id, checkpoints)
    assert await said(ada.chat) == ["hello"]


async def test_a_message_that_was_not_sent_is_sent_again(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.start()
    checkpoints = Notebook({"message:said": {"newest_before": 0}})
    await once(telegram, ada.chat.id, checkpoints)
    assert await said(ada.chat) == ["hello"]


@pytest.mark.parametrize(("when", "sends"), [("after", 1), ("before", 2)])
async def test_a_lost_answer_is_looked_for_at_once(telegram: Telegram, when: Any, sends: int) -> None:
    ada = await telegram.people.person()
    await ada.start()
    await telegram.people.faults.drop("sendMessage", when=when)
    await once(telegram, ada.chat.id, Notebook())
    assert await said(ada.chat) == ["hello"]
    assert len(await telegram.people.calls("sendMessage")) == sends


async def test_an_outcome_that_stays_unknown_is_tried_three_times(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await telegram.people.person()
    await ada.start()
    await telegram.people.faults.drop("sendMessage", times=None)
    acquire = AsyncMock(wraps=telegram.telegram_calls.acquire)
    permit = await acquire(ada.chat.id, SendPriority.ANSWER)
    monkeypatch.setattr(telegram.telegram_calls, "acquire", acquire)
    with pytest.raises(OutcomeUnknown):
        await once(telegram, ada.chat.id, Notebook(), permit=permit)
    assert len(await telegram.people.calls("sendMessage")) == acquire.await_count == 3


def a_sender(telegram: Telegram, checkpoints: Notebook) -> JobSender:
    return JobSender(new_job(message_id=None), checkpoints, telegram.telegram_calls, telegram.sent)


def a_message(number: int) -> Message:
    return Message(number, datetime.now(UTC), Chat(CHAT.chat_id, "private"))


async def test_a_message_that_arrives_after_the_first_look_is_found_by_the_second(telegram: Telegram) -> None:
    looks = []

    async def edit(*, message_id: int, **_: object) -> None:
        looks.append(message_id)
        arrived = looks.count(message_id) == 2
        raise BadRequest("Message is not modified" if arrived else "message to edit not found")

    sender = a_sender(telegram, Notebook({"message:said": {"newest_before": 5}}))
    send = AsyncMock(side_effect=AssertionError("it is there"))
    found = await passing(telegram.clock, sender.send("said", MessageFields("hello"), send, edit))
    assert found.message_id == 6


async def test_an_answer_soon_after_an_interruption_is_kept(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.sending.send_once.ANSWER_GRACE_S", PATIENCE_S)
    called, answer = asyncio.Event(), asyncio.Event()

    async def send(*_: object, **__: object) -> Message:
        called.set()
        await answer.wait()
        return a_message(7)

    checkpoints = Notebook()
    sending = asyncio.create_task(
        a_sender(telegram, checkpoints).send("said", MessageFields("hello"), send, send)
    )
    await called.wait()
    sending.cancel()
    await settle()
    answer.set()
    await asyncio.gather(sending, return_exceptions=True)
    assert sending.cancelled()
    saved = checkpoints.load(MessageSend, "said")
    assert saved is not None
    assert saved.sent == SentMessage(message_id=7, telegram_chat_id=CHAT.chat_id)


async def test_what_came_while_a_send_waited_for_its_turn_is_not_looked_through_later(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def acquire(*_: object) -> SendPriority:
        await telegram.clock.advance(2 * NEWEST_S)
        return SendPriority.FREE

    checkpoints = Notebook()
    monkeypatch.setattr(telegram.telegram_calls, "acquire", acquire)
    monkeypatch.setattr(telegram.sent, "newest", AsyncMock(side_effect=[5, 50]))
    send = AsyncMock(return_value=a_message(51))
    await a_sender(telegram, checkpoints).send("said", MessageFields("hello"), send, send)
    saved = checkpoints.load(MessageSend, "said")
    assert saved is not None
    assert saved.newest_before == 50


async def test_a_send_that_telegram_postpones_twice_waits_each_time_as_long_as_told(start: Start) -> None:
    telegram = await start(shares_clock=True)
    ada = await telegram.people.person()
    await ada.start()
    await telegram.people.faults.error(
        "sendMessage", code=429, description="Too Many Requests: retry after 7", retry_after=7, times=2
    )
    await once(telegram, ada.chat.id, Notebook())
    calls = await telegram.people.calls("sendMessage")
    first, second, third = (datetime.fromisoformat(call["started"]) for call in calls)
    assert second - first >= timedelta(seconds=7)
    assert third - second >= timedelta(seconds=7)
    assert await said(ada.chat) == ["hello"]


async def test_messages_of_others_and_known_ones_are_not_touched(telegram: Telegram) -> None:
    ada, bob = await telegram.people.person("Ada"), await telegram.people.person("Bob")
    start = await ada.start()
    await telegram.sent.record(ada.chat.id, start.id, ChatKey(ada.chat.id))
    checkpoints = Notebook(dies_at=dies_with_the_answer)
    with pytest.raises(Died):
        await once(telegram, ada.chat.id, checkpoints)
    checkpoints.dies_at = None
    # Meanwhile: people write, and the bot says other things, here and in chats of the same sequence.
    louder = await ada.say("and louder")
    await telegram.sent.record(ada.chat.id, louder.id, ChatKey(ada.chat.id))
    await bob.start()
    await once(telegram, bob.chat.id, Notebook(), "for Bob")
    await once(telegram, ada.chat.id, Notebook(), "another job's", key="other")
    await once(telegram, ada.chat.id, checkpoints)
    assert await said(ada.chat) == ["hello", "another job's"]
    assert await said(bob.chat) == ["for Bob"]
    for chat in (ada.chat, bob.chat):
        assert all(len(seen.versions) == 1 for seen in await chat.messages())


async def test_a_message_that_was_saved_but_not_noted_is_not_taken_for_a_lost_one(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    start = await ada.start()
    await telegram.sent.record(ada.chat.id, start.id, ChatKey(ada.chat.id))
    earlier = await telegram.bot.send_message(ada.chat.id, "live")
    # It died right after this checkpoint, and had begun to say something.
    checkpoints = Notebook(
        {
            "message:live": {"sent": {"message_id": earlier.message_id, "telegram_chat_id": ada.chat.id}},
            "message:said": {"newest_before": start.id},
        }
    )
    await once(telegram, ada.chat.id, checkpoints, "live", key="live")
    await once(telegram, ada.chat.id, checkpoints)
    assert await said(ada.chat) == ["live", "hello"]


async def test_supergroups_count_for_themselves(telegram: Telegram, redis: Redis) -> None:
    ada = await telegram.people.person()
    group = await telegram.people.new_chat("supergroup", "Group", ada)
    for _ in range(3):
        await ada.say("something", group)
    checkpoints = Notebook(dies_at=dies_with_the_answer)
    with pytest.raises(Died):
        await once(telegram, group.id, checkpoints)
    checkpoints.dies_at = None
    await once(telegram, group.id, checkpoints)
    assert await said(group) == ["hello"]


async def test_a_refusal_is_no_reason_to_look_for_the_message(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.start()
    checkpoints = Notebook()
    with pytest.raises(BadRequest):
        await once(telegram, ada.chat.id, checkpoints, "  ")
    await once(telegram, ada.chat.id, checkpoints)
    assert await telegram.people.calls("editMessageText") == []
    assert await said(ada.chat) == ["hello"]


async def test_a_supergroups_number_is_noted_where_it_counts(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    group = await telegram.people.new_chat("group", "Group", ada)
    asked = await ada.say("something", group)
    supergroup = await group.migrate(ada)
    done = await once(telegram, group.id, Notebook(), message_id=asked.id)
    calls = await telegram.people.calls("sendMessage")
    assert ["reply_parameters" in call["params"] for call in calls] == [
        True,
        False,
    ]  # There the number is another message's.
    assert await telegram.sent.newest(supergroup.id) == done.message_id
    # Also where the move is known before the send.
    await once(telegram, group.id, Notebook(), "again", message_id=asked.id)
    *_, later = await telegram.people.calls("sendMessage")
    assert "reply_parameters" not in later["params"]


async def test_a_process_that_ends_before_it_looked_for_a_lost_message_leaves_that_to_the_next(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await telegram.people.person()
    begun = await ada.start()
    await telegram.sent.record(ada.chat.id, begun.id, ChatKey(ada.chat.id))
    await telegram.people.faults.drop("sendMessage", when="after")
    checkpoints, unknown = Notebook(), telegram.sent.unknown
    monkeypatch.setattr(telegram.sent, "unknown", AsyncMock(side_effect=Died))
    with pytest.raises(Died):
        await once(telegram, ada.chat.id, checkpoints)
    monkeypatch.setattr(telegram.sent, "unknown", unknown)
    await once(telegram, ada.chat.id, checkpoints)
    assert await said(ada.chat) == ["hello"]


def test_of_a_silent_video_the_animation_is_kept_and_not_what_also_stands_for_it() -> None:
    size = PhotoSize("small", "s", 90, 160)
    animation = Animation("moving", "m", 160, 90, 2, thumbnail=size)
    message = Message(
        7,
        datetime.now(UTC),
        Chat(CHAT.chat_id, "private"),
        animation=animation,
        document=Document("file", "f", thumbnail=size),
    )
    sent = sent_message(message)
    assert (sent.kind, sent.file_id, sent.picture_id) == ("animation", "moving", "small")


def test_of_a_video_the_largest_picture_is_kept() -> None:
    small, covers = PhotoSize("small", "s", 90, 160), [PhotoSize(name, name, 1, 1) for name in ("m", "l")]
    video = Video("clip", "c", 160, 90, 2, thumbnail=small, cover=covers)
    sent = sent_message(Message(7, datetime.now(UTC), Chat(CHAT.chat_id, "private"), video=video))
    assert (sent.kind, sent.file_id, sent.picture_id) == ("video", "clip", "l")


class TestSent:
    async def test_numbers_of_one_sequence(self, redis: Redis) -> None:
        sent = SentMessageLog(redis)
        assert await sent.newest(5) == 0
        await asyncio.gather(*(sent.record(5, number, ChatKey(5)) for number in (3, 9, 4)))
        await sent.record(-77, 12, ChatKey(-77))
        await sent.record(-1001234567890, 99, ChatKey(-1001234567890))
        assert await sent.newest(5) == 12
        assert await sent.newest(-1001234567890) == 99
        assert await sent.unknown(5, 8) == [10, 11, 13, 14, 15, 16, 17]
        assert await sent.unknown(5, 12) == [
            13,
            14,
            15,
            16,
            17,
        ]  # The newest known one is that before the lost one.

    async def test_only_so_many_are_tried(self, redis: Redis) -> None:
        sent = SentMessageLog(redis)
        await sent.record(5, 1, ChatKey(5))
        await sent.record(5, 1000, ChatKey(5))
        tried = await sent.unknown(5, 1)
        assert len(tried) == PROBE_LIMIT
        assert tried[0] == 2

    @pytest.mark.parametrize(
        ("chat_id", "name"),
        [(5, "own"), (-77, "own"), (-999_999_999_999, "own"), (-1001234567890, "-1001234567890")],
    )
    def test_sequences(self, chat_id: int, name: str) -> None:
        assert number_sequence(chat_id) == name
