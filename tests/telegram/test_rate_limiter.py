"""Who may send when: against the real store, with time that the test moves; and against Telegram's own limits."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from telegram import Message

from bot.sandbox.botapi import FloodLimits
from bot.telegram.sending.api_calls import EditPostponed, TelegramCalls
from bot.telegram.sending.rate_limiter import (
    EDITS_PER_S,
    STORE_AGAIN_S,
    Permit,
    RateLimiter,
    RateLimits,
    SendPriority,
)
from bot.telegram.sending.send_once import send_once
from tests.clocks import HandClock, passing, settle
from tests.telegram.conftest import Notebook, Start, Telegram, flood_of

GROUP = -100_5
PER_GROUP, PER_BOT = 20, 30
BURST = 6
"""Messages that a chat gets at once."""

MOST_STEPS = 100
"""Of half a second each: five times what a hundred first signs need on average."""


async def booked(rate_limiter: RateLimiter, chats: Sequence[int]) -> list[float]:
    """When each of several answers may go, in seconds from now."""
    return [(await rate_limiter.ask(chat, SendPriority.ANSWER)).wait_s for chat in chats]


def most_within(moments: Sequence[float], window_s: float) -> int:
    return max(sum(1 for one in moments if begin <= one < begin + window_s) for begin in moments)


@pytest.fixture
def rate_limiter(redis: Redis, clock: HandClock) -> RateLimiter:
    return flood_of(redis, clock, RateLimits())


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
    one, other = flood_of(redis, clock, RateLimits()), flood_of(redis, clock, RateLimits())
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
    async def granted(urgency: SendPriority, first: int) -> int:
        count = 0
        while (await rate_limiter.ask(first + count, urgency)).granted and count < 50:
            count += 1
        return count

    bot = RateLimits().bot
    assert await granted(SendPriority.EDIT, 1000) == bot.burst - bot.edit
    assert await granted(SendPriority.LIVE, 2000) == bot.edit - bot.progress_message
    assert await booked(rate_limiter, range(1, bot.progress_message + 1)) == [0] * bot.progress_message
    assert (await booked(rate_limiter, [99]))[0] > 0
    await clock.advance(10)
    assert await granted(SendPriority.EDIT, 1000) == bot.burst - bot.edit


async def test_an_edit_leaves_its_own_chat_room_for_answers(rate_limiter: RateLimiter) -> None:
    chat = RateLimits().chat
    for _ in range(chat.burst - chat.edit):
        assert (await rate_limiter.ask(1, SendPriority.EDIT)).granted
    denied = await rate_limiter.ask(1, SendPriority.EDIT)
    assert denied == Permit(granted=False, wait_s=1.0, is_chats=True)
    assert await booked(rate_limiter, [1] * chat.edit) == [0] * chat.edit


async def test_a_chat_that_telegram_wants_left_alone_is_by_all_workers(
    redis: Redis, clock: HandClock
) -> None:
    one, other = flood_of(redis, clock, RateLimits()), flood_of(redis, clock, RateLimits())
    await one.pause(1, 30)
    assert await booked(other, [2, 3]) == [0, 0]
    assert not (await other.ask(1, SendPriority.EDIT)).granted
    assert await booked(other, [1, 1, 1]) == [30, 31, 32], "after it one by one, not all at once"
    assert await booked(one, [1]) == [33]


async def test_who_had_a_turn_before_the_pause_waits_it_out(redis: Redis, clock: HandClock) -> None:
    one, other = flood_of(redis, clock, RateLimits()), flood_of(redis, clock, RateLimits())
    await booked(one, [1] * BURST)
    late = asyncio.create_task(one.turn(1, SendPriority.ANSWER))
    await clock.asleep(at_least_s=1)
    await other.pause(1, 20)
    await clock.advance(1.5)
    await clock.asleep(at_least_s=18)
    assert not late.done()
    await passing(clock, wait_for(late))
    assert clock.monotonic_s() - 1000 >= 20


async def wait_for(task: asyncio.Task[None]) -> None:
    await task


async def test_ten_thousand_first_signs_that_wait_hold_up_no_answer(redis: Redis, clock: HandClock) -> None:
    rate_limiter = flood_of(redis, clock, RateLimits())
    asked = 0
    ask = rate_limiter.ask

    async def counted(chat_id: int, urgency: SendPriority) -> Permit:
        nonlocal asked
        asked += 1
        return await ask(chat_id, urgency)

    rate_limiter.ask = counted  # type: ignore[method-assign]
    order: list[int] = []

    async def first_sign(chat_id: int) -> None:
        await rate_limiter.turn(chat_id, SendPriority.LIVE)
        order.append(chat_id)

    waiting = [asyncio.create_task(first_sign(1000 + number)) for number in range(10_000)]
    try:
        await clock.asleep()
        # How many go in one step depends on chance and on how soon the store answers; that they do go does not.
        for step in range(MOST_STEPS):
            assert (await booked(rate_limiter, [1 + step])) == [0]
            await clock.advance(0.5)
            await clock.asleep()
            if len(order) > 100:
                break
        assert len(order) > 100
        assert order == sorted(order), "first come, first served"
        assert asked < 3 * len(order) + 100, "who waits does not keep asking"
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_chat_that_has_to_wait_holds_up_no_other_in_the_line(redis: Redis, clock: HandClock) -> None:
    rate_limiter = flood_of(redis, clock, RateLimits())
    await rate_limiter.pause(1, 30)
    paused = asyncio.create_task(rate_limiter.turn(1, SendPriority.LIVE))
    try:
        await clock.asleep(at_least_s=30)
        async with asyncio.timeout(5):
            await rate_limiter.turn(2, SendPriority.LIVE)
        assert not paused.done()
    finally:
        paused.cancel()
        await asyncio.gather(paused, return_exceptions=True)


async def test_live_messages_are_edited_less_often_the_more_there_are(rate_limiter: RateLimiter) -> None:
    assert rate_limiter.edit_pause_s == 0
    rate_limiter.live_messages = 10_000
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
        rate_limiter = flood_of(away, clock, RateLimits())
        assert await booked(rate_limiter, [1] * 8) == [0] * BURST + [1, 2]
        await rate_limiter.pause(1, 30)
        assert (await booked(rate_limiter, [1])) == [30]
        assert await booked(rate_limiter, [2]) == [0]
        rate_limiter._redis = redis
        rate_limiter._take = redis.register_script(rate_limiter._take.script)
        assert await redis.keys("*flood*") == []
        await clock.advance(STORE_AGAIN_S + 1)
        await booked(rate_limiter, [3])
        assert len(await redis.keys("*flood*")) > 0, "it is asked again when it may be back"


@pytest.mark.parametrize("seed", range(5))
async def test_ones_own_count_is_the_stores(redis: Redis, clock: HandClock, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    shared = flood_of(redis, clock, RateLimits())
    async with nowhere() as away:
        own = flood_of(away, clock, RateLimits())
        for step in range(150):
            chat, urgency = chance.choice([1, 2, GROUP, GROUP - 1]), chance.choice(list(SendPriority)[1:])
            theirs, ours = await shared.ask(chat, urgency), await own.ask(chat, urgency)
            assert (ours.granted, ours.is_chats) == (theirs.granted, theirs.is_chats), step
            assert ours.wait_s == pytest.approx(theirs.wait_s, abs=0.01), step
            if chance.random() < 0.05:
                await shared.pause(chat, 7)
                await own.pause(chat, 7)
            await clock.advance(chance.random() / 2)


async def test_deletions_and_answers_to_presses_do_not_count(rate_limiter: RateLimiter) -> None:
    for _ in range(100):
        await rate_limiter.turn(1, SendPriority.FREE)
    assert await booked(rate_limiter, [1]) == [0]


async def test_an_edit_that_has_to_stand_back_is_not_made(start: Start) -> None:
    telegram = await start(pace=RateLimits())
    await telegram.telegram_calls.rate_limiter.pause(5, 9)

    async def edit(chat_id: int) -> None:
        raise AssertionError("not before its time")

    with pytest.raises(EditPostponed) as caught:
        await telegram.telegram_calls.call(5, edit, repeatable=True, urgency=SendPriority.EDIT)
    assert caught.value.wait_s >= 9


async def test_two_workers_in_many_chats_are_never_told_to_wait(start: Start, redis: Redis) -> None:
    telegram = await start(flood_limits=FloodLimits(), shares_clock=True, pace=RateLimits())
    people = [await telegram.people.person(f"P{number}") for number in range(5)]
    for person in people:
        await person.open()
    groups = [await telegram.people.new_chat("supergroup", f"G{number}", people[0]) for number in range(2)]
    chats = [*(person.chat for person in people), *groups]
    workers = [
        telegram.telegram_calls,
        TelegramCalls(telegram.clock, telegram.telegram_ids, flood_of(redis, telegram.clock, RateLimits())),
    ]

    async def talk(worker: TelegramCalls, chat_id: int) -> None:
        """As jobs do: a first sign, edits while it lasts, then the answer."""
        for job in range(3):
            first = await say(telegram, worker, chat_id, f"live {job}", SendPriority.LIVE)
            for number in range(10):
                with contextlib.suppress(EditPostponed):
                    await edit(worker, chat_id, first, f"{job}.{number}")
                await telegram.clock.sleep(0.5)
            await say(telegram, worker, chat_id, f"answer {job}", SendPriority.ANSWER)

    async def edit(worker: TelegramCalls, chat_id: int, message_id: int, text: str) -> None:
        await worker.call(
            chat_id,
            lambda chat: telegram.bot.edit_message_text(text, chat_id=chat, message_id=message_id),
            repeatable=True,
            urgency=SendPriority.EDIT,
        )

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as tasks:
            for number, chat in enumerate(chats):
                tasks.create_task(talk(workers[number % 2], chat.id))

    async with asyncio.timeout(60):
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


async def say(
    telegram: Telegram, worker: TelegramCalls, chat_id: int, text: str, urgency: SendPriority
) -> int:
    async def send(chat: int) -> Message:
        return await telegram.bot.send_message(chat, text)

    async def edit(chat: int, message_id: int) -> Message | bool:
        return await telegram.bot.edit_message_text(text, chat_id=chat, message_id=message_id)

    done = await send_once(Notebook(), text, chat_id, worker, telegram.sent, send, edit, urgency)
    return int(done["message_id"])
