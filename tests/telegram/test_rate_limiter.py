"""Who may send when: against the real store, with time that the test moves; and against Telegram's own limits."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from telegram.error import RetryAfter

from bot.chats.key import ChatKey
from bot.runtime.http import Transport
from bot.sandbox.botapi import DEFAULT_TOKEN, FloodLimits
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.bot import new_bot
from bot.telegram.sending.message_fields import MessageFields
from bot.telegram.sending.rate_limiter import (
    EDITS_PER_S,
    STORE_RETRY_S,
    Bucket,
    EditPostponed,
    RateLimiter,
    RateLimits,
    Reservation,
    SendPriority,
)
from bot.telegram.sending.send_once import JobSender
from tests.clocks import PATIENCE_S, HandClock, passing, settle
from tests.jobs.conftest import new_job
from tests.telegram.conftest import Notebook, Start, Telegram, new_rate_limiter

GROUP = -100_5
PER_GROUP, PER_BOT = 20, 30
BURST = 6
"""Messages that a chat gets at once."""


async def booked(rate_limiter: RateLimiter, chats: Sequence[int]) -> list[float]:
    """When each of several answers may go, in seconds from now."""
    return [(await rate_limiter.reserve(chat, SendPriority.ANSWER)).wait_s for chat in chats]


def most_within(moments: Sequence[float], window_s: float) -> int:
    return max(sum(1 for one in moments if begin <= one < begin + window_s) for begin in moments)


@pytest.fixture
def rate_limiter(redis: Redis, clock: HandClock) -> RateLimiter:
    return new_rate_limiter(redis, clock)


async def test_a_chat_gets_a_few_at_once_and_then_one_a_second(
    rate_limiter: RateLimiter, clock: HandClock
) -> None:
    assert await booked(rate_limiter, [1] * 9) == [0] * BURST + [1, 2, 3]
    await clock.advance(100)
    assert await booked(rate_limiter, [1] * 7) == [0] * BURST + [1]


async def test_in_no_minute_does_a_group_get_more_than_its_twenty(rate_limiter: RateLimiter) -> None:
    moments = await booked(rate_limiter, [GROUP] * 90)
    assert most_within(moments, 60) <= PER_GROUP
    assert moments[-1] < 90 * 60 / PER_GROUP * 1.4


async def test_over_all_chats_it_keeps_to_the_bots_own(rate_limiter: RateLimiter) -> None:
    moments = await booked(rate_limiter, range(1, 301))
    assert most_within(moments, 1) <= PER_BOT + RateLimits().bot.burst
    assert moments[-1] == pytest.approx(300 / PER_BOT, rel=0.1)


async def test_all_workers_share_one_count(redis: Redis, clock: HandClock) -> None:
    one, other = new_rate_limiter(redis, clock), new_rate_limiter(redis, clock)
    assert [*await booked(one, [1] * 4), *await booked(other, [1] * 4)] == [0] * BURST + [1, 2]


async def test_the_stores_own_time_is_used_when_none_is_given(redis: Redis, clock: HandClock) -> None:
    rate_limiter = RateLimiter(redis, clock)
    waits = await booked(rate_limiter, [1] * 8)
    assert waits[:BURST] == [0] * BURST
    assert 0.5 < waits[BURST] <= 1
    assert 1.5 < waits[BURST + 1] <= 2


async def test_what_is_urgent_goes_first_and_the_rest_stands_back(
    rate_limiter: RateLimiter, clock: HandClock
) -> None:
    async def granted(priority: SendPriority, first: int) -> int:
        count = 0
        while (await rate_limiter.reserve(first + count, priority)).granted and count < 50:
            count += 1
        return count

    bot = RateLimits().bot
    assert await granted(SendPriority.EDIT, 1000) == bot.burst - bot.kept_from_edits
    assert await granted(SendPriority.PROGRESS, 2000) == bot.kept_from_edits - bot.kept_from_progress
    assert await booked(rate_limiter, range(1, bot.kept_from_progress + 1)) == [0] * bot.kept_from_progress
    assert (await booked(rate_limiter, [99]))[0] > 0
    await clock.advance(10)
    assert await granted(SendPriority.EDIT, 1000) == bot.burst - bot.kept_from_edits


async def test_an_edit_leaves_its_own_chat_room_for_answers(rate_limiter: RateLimiter) -> None:
    chat = RateLimits().chat
    for _ in range(chat.burst - chat.kept_from_edits):
        assert (await rate_limiter.reserve(1, SendPriority.EDIT)).granted
    denied = await rate_limiter.reserve(1, SendPriority.EDIT)
    assert denied == Reservation(granted=False, wait_s=1.0, is_chat_limit=True)
    assert await booked(rate_limiter, [1] * chat.kept_from_edits) == [0] * chat.kept_from_edits


async def test_a_chat_that_telegram_wants_left_alone_is_by_all_workers(
    redis: Redis, clock: HandClock
) -> None:
    one, other = new_rate_limiter(redis, clock), new_rate_limiter(redis, clock)
    await one.pause(1, 30)
    assert await booked(other, [2, 3]) == [0, 0]
    assert not (await other.reserve(1, SendPriority.EDIT)).granted
    assert await booked(other, [1, 1, 1]) == [30, 31, 32], "after it one by one, not all at once"
    assert await booked(one, [1]) == [33]


async def test_a_turn_counts_for_one_call_alone_where_telegram_asks_to_wait(
    rate_limiter: RateLimiter, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    permit, answers = await rate_limiter.acquire(1, SendPriority.ANSWER), [RetryAfter(5)]

    async def send() -> float:
        if answers:
            raise answers.pop()
        return clock.monotonic_s()

    async def call() -> float:
        sent_s = await rate_limiter.process_request(send, (), {}, "sendMessage", {"chat_id": 1}, permit)
        assert isinstance(sent_s, float)
        return sent_s

    began_s = clock.monotonic_s()
    with pytest.raises(RetryAfter):
        await call()
    assert await passing(clock, call()) >= began_s + 5


async def test_who_had_a_turn_before_the_pause_waits_it_out(redis: Redis, clock: HandClock) -> None:
    one, other = new_rate_limiter(redis, clock), new_rate_limiter(redis, clock)
    await booked(one, [1] * BURST)
    late = asyncio.create_task(one.acquire(1, SendPriority.ANSWER))
    await clock.asleep(at_least_s=1)
    await other.pause(1, 20)
    await clock.advance(1.5)
    await clock.asleep(at_least_s=18)
    assert not late.done()
    await passing(clock, wait_for(late))
    assert clock.monotonic_s() - 1000 >= 20


async def wait_for(task: asyncio.Task[Any]) -> None:
    await task


async def test_ten_thousand_waiting_progress_messages_delay_no_answer(
    redis: Redis, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _, longest: longest)  # at its slowest
    rate_limiter = new_rate_limiter(redis, clock)
    reserve = rate_limiter.reserve
    asked = 0

    async def counted(chat_id: int, priority: SendPriority) -> Reservation:
        nonlocal asked
        asked += 1
        return await reserve(chat_id, priority)

    monkeypatch.setattr(rate_limiter, "reserve", counted)
    order: list[int] = []

    async def progress_message(chat_id: int) -> None:
        await rate_limiter.acquire(chat_id, SendPriority.PROGRESS)
        order.append(chat_id)

    waiting = [asyncio.create_task(progress_message(1000 + number)) for number in range(10_000)]
    try:
        await clock.asleep()
        for number in range(10):
            assert await booked(rate_limiter, [1 + number]) == [0]
            for _ in range(10):
                await clock.advance(0.1)
                await clock.asleep()
        assert len(order) > 10 * PER_BOT / 2, "they are sent all the same, within 10 s"
        assert order == sorted(order), "first come, first served"
        assert asked < 3 * len(order), "who waits does not keep asking"
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_chat_that_has_to_wait_holds_up_no_other_in_the_line(redis: Redis, clock: HandClock) -> None:
    rate_limiter = new_rate_limiter(redis, clock)
    await rate_limiter.pause(1, 30)
    paused = asyncio.create_task(rate_limiter.acquire(1, SendPriority.PROGRESS))
    try:
        await clock.asleep(at_least_s=30)
        async with asyncio.timeout(PATIENCE_S):
            await rate_limiter.acquire(2, SendPriority.PROGRESS)
        assert not paused.done()
    finally:
        paused.cancel()
        await asyncio.gather(paused, return_exceptions=True)


async def test_progress_messages_are_edited_less_often_the_more_there_are(rate_limiter: RateLimiter) -> None:
    assert rate_limiter.edit_pause_s == 0
    rate_limiter.progress_messages = 10_000
    assert rate_limiter.edit_pause_s == 10_000 / EDITS_PER_S


@contextlib.asynccontextmanager
async def nowhere() -> AsyncIterator[Redis]:
    redis = Redis(port=9, socket_connect_timeout=0.1, retry=Retry(NoBackoff(), 0))
    try:
        yield redis
    finally:
        await redis.aclose()


async def test_without_the_store_each_worker_counts_for_itself(redis: Redis, clock: HandClock) -> None:
    async with nowhere() as away:
        rate_limiter = new_rate_limiter(away, clock)
        assert await booked(rate_limiter, [1] * 8) == [0] * BURST + [1, 2]
        await rate_limiter.pause(1, 30)
        assert (await booked(rate_limiter, [1])) == [30]
        assert await booked(rate_limiter, [2]) == [0]
        rate_limiter._redis = redis
        rate_limiter._reserve_script = new_rate_limiter(redis, clock)._reserve_script
        assert await redis.keys("*rate_limit*") == []
        await clock.advance(STORE_RETRY_S + 1)
        await booked(rate_limiter, [3])
        assert len(await redis.keys("*rate_limit*")) > 0, "it is asked again when it may be back"


async def test_a_chat_that_waits_as_long_as_the_bot_waits_for_its_own_limit(
    redis: Redis, clock: HandClock
) -> None:
    same = Bucket(30, 1)
    async with nowhere() as away:
        for store in (redis, away):
            rate_limiter = new_rate_limiter(store, clock)
            rate_limiter._limits = replace(rate_limiter._limits, bot=same, chat=same)
            assert (await rate_limiter.reserve(1, SendPriority.PROGRESS)).granted
            denied = await rate_limiter.reserve(1, SendPriority.PROGRESS)
            assert (denied.granted, denied.is_chat_limit) == (False, True)


@pytest.mark.parametrize("seed", range(5))
async def test_ones_own_count_is_the_stores(redis: Redis, clock: HandClock, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    shared = new_rate_limiter(redis, clock)
    async with nowhere() as away:
        own = new_rate_limiter(away, clock)
        for step in range(150):
            chat, priority = chance.choice([1, 2, GROUP, GROUP - 1]), chance.choice(list(SendPriority)[1:])
            theirs, ours = await shared.reserve(chat, priority), await own.reserve(chat, priority)
            assert (ours.granted, ours.is_chat_limit) == (theirs.granted, theirs.is_chat_limit), step
            assert ours.wait_s == pytest.approx(theirs.wait_s, abs=0.01), step
            if chance.random() < 0.05:
                await shared.pause(chat, 7)
                await own.pause(chat, 7)
            await clock.advance(chance.random() / 2)


async def test_deletions_and_answers_to_presses_do_not_count(rate_limiter: RateLimiter) -> None:
    for _ in range(100):
        await rate_limiter.acquire(1, SendPriority.FREE)
    assert await booked(rate_limiter, [1]) == [0]


async def test_an_edit_that_has_to_stand_back_is_not_made(start: Start) -> None:
    telegram = await start(limits=RateLimits())
    await telegram.telegram_calls.rate_limiter.pause(5, 9)

    with pytest.raises(EditPostponed) as caught:
        await telegram.telegram_calls.call(
            5,
            lambda chat: telegram.bot.edit_message_text("x", chat, 1, rate_limit_args=SendPriority.EDIT),
            repeatable=True,
        )
    assert caught.value.wait_s >= 9
    assert await telegram.people.calls("editMessageText") == []


async def test_a_call_past_telegram_calls_keeps_to_the_limits(start: Start) -> None:
    telegram = await start(limits=RateLimits())
    ada = await telegram.people.person()
    await ada.open()
    for _ in range(BURST):
        await telegram.bot.send_message(ada.chat.id, "hello")
    one_more = asyncio.create_task(telegram.bot.send_message(ada.chat.id, "hello"))
    await telegram.clock.asleep(at_least_s=1)
    assert len(await telegram.people.calls("sendMessage")) == BURST
    await passing(telegram.clock, wait_for(one_more))


@pytest.mark.parametrize(("method", "is_paused"), [("deleteMessage", True), ("getChatAdministrators", False)])
async def test_only_what_changes_a_chat_may_pause_it(start: Start, method: str, is_paused: bool) -> None:
    telegram = await start(limits=RateLimits())
    ada = await telegram.people.person()
    group = await telegram.people.new_chat("supergroup", "Group", ada)
    await telegram.people.faults.error(
        method, code=429, description="Too Many Requests: retry after 7", retry_after=7
    )
    with pytest.raises(RetryAfter):
        await (
            telegram.bot.delete_message(group.id, 1)
            if method == "deleteMessage"
            else telegram.bot.get_chat_administrators(group.id)
        )
    reservation = await telegram.telegram_calls.rate_limiter.reserve(group.id, SendPriority.PROGRESS)
    assert reservation.granted is not is_paused


async def test_two_workers_in_many_chats_are_never_told_to_wait(
    start: Start, redis: Redis, tls: ssl.SSLContext
) -> None:
    telegram = await start(flood_limits=FloodLimits(), shares_clock=True, limits=RateLimits())
    people = [await telegram.people.person(f"P{number}") for number in range(5)]
    for person in people:
        await person.open()
    groups = [await telegram.people.new_chat("supergroup", f"G{number}", people[0]) for number in range(2)]
    chats = [*(person.chat for person in people), *groups]
    rate_limiter = new_rate_limiter(redis, telegram.clock)
    bot = new_bot(DEFAULT_TOKEN, telegram.url, lambda: Transport(tls), rate_limiter, local=False)
    calls = TelegramCalls(bot, telegram.clock, telegram.telegram_ids, rate_limiter)
    workers = [telegram, replace(telegram, bot=bot, telegram_calls=calls)]

    async def talk(worker: Telegram, chat_id: int) -> None:
        """Do as jobs do: send a progress message, edit it while the job lasts, then send the answer."""
        for job in range(3):
            first = await say(worker, chat_id, f"progress {job}", SendPriority.PROGRESS)
            for number in range(10):
                with contextlib.suppress(EditPostponed):
                    await edit(worker, chat_id, first, f"{job}.{number}")
                await telegram.clock.sleep(0.5)
            await say(worker, chat_id, f"answer {job}", SendPriority.ANSWER)

    async def edit(worker: Telegram, chat_id: int, message_id: int, text: str) -> None:
        await worker.telegram_calls.call(
            chat_id,
            lambda chat: worker.bot.edit_message_text(
                text, chat, message_id, rate_limit_args=SendPriority.EDIT
            ),
            repeatable=True,
        )

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as tasks:
            for number, chat in enumerate(chats):
                tasks.create_task(talk(workers[number % 2], chat.id))

    async with bot, asyncio.timeout(60):
        talking = asyncio.create_task(all_of_them())
        while not talking.done():
            await asyncio.wait({talking}, timeout=0.005)
            await telegram.clock.advance(0.1)
        await talking

    refused = await telegram.people.calls("sendMessage", "editMessageText", state="error")
    assert refused == []
    for chat in chats:
        answers = [seen.text for seen in await chat.messages(from_bots=True) if "answer" in seen.text]
        assert answers == ["answer 0", "answer 1", "answer 2"]
        edits = await telegram.people.calls("editMessageText", chat=chat.id)
        assert edits, "they thin out, and do not stop"
    await settle()


async def say(worker: Telegram, chat_id: int, text: str, priority: SendPriority) -> int:
    job = new_job(chat=ChatKey(chat_id), message_id=None)
    done = await JobSender(job, Notebook(), worker.telegram_calls, worker.sent).send(
        text, MessageFields(text), worker.bot.send_message, worker.bot.edit_message_text, priority=priority
    )
    return done.message_id
