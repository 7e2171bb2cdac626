"""Positions of waiting jobs, moved on when a job begins. That they are sent at all: ``test_runner.py``."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.chats.chats import ChatFields, Chats
from bot.chats.key import ChatKey
from bot.jobs.buttons import Cancel, RenderLastOnly
from bot.jobs.checkpoints import PROGRESS_MESSAGE, MessageSend, SentMessage
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Job, JobKind, JobState, MessageLocation, QueueName
from bot.jobs.queue.claimed_job import ClaimedJob
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.tickets import queue_id
from bot.jobs.queue.usual_times import UsualTimes
from bot.jobs.queue.waiting_checkpoints import WaitingCheckpoints
from bot.jobs.worker.attempt import Attempt
from bot.jobs.worker.position_messages import PositionMessages
from tests.clocks import PATIENCE_S, HandClock, eventually
from tests.jobs.conftest import CHAT, FunctionStep, Responders, new_job, new_runner

EDIT = queue_id(CHAT, QueueName.MAIN)


@pytest.fixture
def positions(
    job_queue: JobQueue, redis: Redis, responders: Responders, chats: Chats, clock: HandClock
) -> PositionMessages:
    return PositionMessages(job_queue, UsualTimes(redis), responders, chats, clock, responders.edit)


async def wait_in_line(job_queue: JobQueue, *jobs: Job) -> ClaimedJob:
    """Let the first of some jobs begin; each behind it has a message with its position, numbered from 1."""
    await job_queue.enqueue(jobs, 1)
    for number, job in enumerate(jobs[1:], 1):
        send = MessageSend(sent=SentMessage(message_id=number, telegram_chat_id=CHAT.chat_id))
        await WaitingCheckpoints(job_queue, job).save(send, PROGRESS_MESSAGE)
    return await begin(job_queue)


async def begin(job_queue: JobQueue, ticket: str = "a") -> ClaimedJob:
    claimed = await job_queue.claim(EDIT, ticket)
    assert claimed is not None
    return claimed


def shown(responders: Responders) -> list[tuple[int, str, Any]]:
    return [(number, view.key, view.params.get("position")) for number, view in responders.edited]


async def test_positions_move_when_a_job_begins_and_also_when_it_begins_again_after_a_kill(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    async def waits(attempt: Attempt) -> None:
        await asyncio.Event().wait()

    jobs = [new_job(number) for number in range(4)]
    await job_queue.finish(await wait_in_line(job_queue, *jobs), JobState.DONE)
    runner = new_runner(job_queue, redis, responders, clock, {JobKind.EDIT: [FunctionStep(waits)]})
    for _ in range(2):  # The ticket of a process that was killed is delivered again.
        responders.edited.clear()
        running = asyncio.create_task(runner.work(EDIT, "", "b"))
        await eventually(lambda: len(responders.edited) == 2)
        assert shown(responders) == [(2, "progress.queued_for", 1), (3, "progress.queued_for", 2)]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_job_behind_which_nothing_waits_reads_nothing(
    job_queue: JobQueue, positions: PositionMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = await wait_in_line(job_queue, new_job())
    before = asyncio.all_tasks()
    positions.update_behind(alone)
    assert asyncio.all_tasks() == before


async def test_of_two_rounds_of_edits_the_later_one_is_made(
    job_queue: JobQueue, positions: PositionMessages, responders: Responders
) -> None:
    claimed = await wait_in_line(job_queue, new_job(0), new_job(1))
    before = asyncio.all_tasks()
    positions.update_behind(claimed)
    positions.update_behind(claimed)
    await eventually(lambda: asyncio.all_tasks() == before)
    assert shown(responders) == [(1, "progress.queued_for", 1)]


async def test_a_message_that_a_reaction_took_the_place_of_is_not_edited(
    job_queue: JobQueue, positions: PositionMessages, responders: Responders
) -> None:
    first, second, third = new_job(0), new_job(1), new_job(2)
    claimed = await wait_in_line(job_queue, first, second)
    await job_queue.enqueue([third], 2)
    await job_queue.park(claimed, "a")
    positions.update_behind(await begin(job_queue))
    await eventually(lambda: responders.edited)
    assert shown(responders) == [(1, "progress.queued_for", 1)]


async def test_the_button_for_the_last_render_does_not_come_back_once_pressed(
    job_queue: JobQueue, positions: PositionMessages, chats: Chats, responders: Responders
) -> None:
    jobs = [new_job(number) for number in range(3)]
    claimed = await wait_in_line(job_queue, *jobs)
    await chats.update(CHAT, ChatFields(last_only_job_id=jobs[1].id))
    positions.update_behind(claimed)
    await eventually(lambda: len(responders.edited) == 2)
    actions = [[type(button.action) for button in view.buttons] for _, view in responders.edited]
    assert actions == [[Cancel], [Cancel, RenderLastOnly]]


async def test_a_request_that_is_stopped_during_an_edit_says_so(
    job_queue: JobQueue, positions: PositionMessages, responders: Responders, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [new_job(number) for number in range(2)]
    claimed = await wait_in_line(job_queue, *jobs)
    edit = responders.edit

    async def stopped_before_it_shows(message: MessageLocation, make_view: Any) -> None:
        await edit(message, make_view)
        await job_queue.cancel(CHAT, QueueName.MAIN, jobs[1].id)

    monkeypatch.setattr(positions, "_edit", stopped_before_it_shows)
    positions.update_behind(claimed)
    await eventually(lambda: len(responders.edited) == 2)
    assert shown(responders)[-1] == (1, "progress.cancelled", None)


async def test_a_job_that_has_begun_is_left_alone(
    job_queue: JobQueue, positions: PositionMessages, responders: Responders, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed = await wait_in_line(job_queue, new_job(0), new_job(1))
    edited = asyncio.Event()
    edit = responders.edit

    async def begins_while_it_waits_for_the_limits(message: MessageLocation, make_view: Any) -> None:
        await job_queue.finish(claimed, JobState.DONE)
        await begin(job_queue, "b")
        await edit(message, make_view)
        edited.set()

    monkeypatch.setattr(positions, "_edit", begins_while_it_waits_for_the_limits)
    positions.update_behind(claimed)
    await asyncio.wait_for(edited.wait(), PATIENCE_S)
    assert responders.edited == []


async def test_a_request_that_is_stopped_while_its_position_is_sent_says_so(
    job_queue: JobQueue, positions: PositionMessages, responders: Responders
) -> None:
    jobs = [new_job(number) for number in range(2)]
    await job_queue.enqueue(jobs, 1)
    await begin(job_queue)

    async def stop() -> None:
        await job_queue.cancel(CHAT, QueueName.MAIN, jobs[1].id)

    responders.announcing = stop
    await positions.send(EDIT, jobs[1].id)
    await eventually(lambda: responders.closed == [jobs[1].id])
    assert responders.finished == [(jobs[1].id, LocalizedMessage("progress.cancelled"))]


async def test_a_request_that_moves_while_its_position_is_sent_shows_the_new_one(
    job_queue: JobQueue, positions: PositionMessages, responders: Responders
) -> None:
    jobs = [new_job(number) for number in range(3)]
    await job_queue.enqueue(jobs, 1)
    claimed = await begin(job_queue)

    async def move() -> None:
        await job_queue.finish(claimed, JobState.DONE)
        await begin(job_queue, "b")

    responders.announcing = move
    await positions.send(EDIT, jobs[2].id)
    await eventually(lambda: responders.closed == [jobs[2].id])
    assert responders.shown == [(jobs[2].id, 2)]
    assert shown(responders) == [(1, "progress.queued_for", 1)]


async def test_in_a_busy_group_a_pressed_button_is_answered_with_a_message_and_no_reaction(
    job_queue: JobQueue, positions: PositionMessages, responders: Responders
) -> None:
    club = ChatKey(-100500)
    jobs = [new_job(number, chat=club, is_press=True) for number in range(3)]
    await job_queue.enqueue(jobs, 1)
    assert await job_queue.claim(queue_id(club, QueueName.MAIN), "a") is not None
    await positions.send(queue_id(club, QueueName.MAIN), jobs[2].id)
    await eventually(lambda: responders.shown == [(jobs[2].id, 2)])


async def test_one_that_waits_for_its_chats_limits_holds_no_place_of_the_worker(
    job_queue: JobQueue, positions: PositionMessages, responders: Responders
) -> None:
    may_send = asyncio.Event()

    async def limits() -> None:
        await may_send.wait()

    responders.announcing = limits
    jobs = [new_job(number) for number in range(2)]
    await job_queue.enqueue(jobs, 1)
    await begin(job_queue)
    async with asyncio.timeout(PATIENCE_S):
        await positions.send(EDIT, jobs[1].id)
    assert responders.shown == []
    may_send.set()
    await eventually(lambda: responders.shown == [(jobs[1].id, 1)])
