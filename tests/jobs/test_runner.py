import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import structlog
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreAway
from structlog.testing import capture_logs

from bot.chats.key import ChatKey
from bot.jobs.buttons import ButtonAction, Export, Retry
from bot.jobs.checkpoints import (
    AgentAnswered,
    Checkpoint,
    MessageSend,
    PendingAnswer,
    PromptSent,
    SentMessage,
    Turn,
)
from bot.jobs.messages import (
    AgentMessage,
    Button,
    ListMessage,
    LocalizedMessage,
    OutgoingMessage,
    PrivateMessage,
)
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.payloads import EditPayload, NewPayload
from bot.jobs.ports import ChatGone
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.tickets import queue_id
from bot.jobs.steps.gather import Gather
from bot.jobs.worker.attempt import Attempt, JobEnded, JobSuspended, Step
from bot.jobs.worker.runner import JobRunner
from bot.nemo.errors import Call, NemoError
from bot.nemo.questions import Question, QuestionSet
from bot.runtime.clock import SystemClock
from bot.runtime.tasks import in_background
from bot.store import keys
from bot.store.connect import Store, open_store
from tests.clocks import PATIENCE_S, HandClock, eventually, settle
from tests.jobs.conftest import (
    CHAT,
    FunctionStep,
    Noted,
    RecordingResponder,
    Responders,
    new_job,
    new_runner,
    tickets,
    working,
    workplace,
)
from tests.jobs.test_album import accept, arrival, jobs

EDIT = queue_id(CHAT, QueueName.MAIN)

HELD = AgentMessage("I cut it.")
EXPORT = Button("button.export", Export())


class Gate:
    """A step that waits to be let through, and counts who came."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.arrived = asyncio.Event()
        self.open = asyncio.Event()

    async def step(self, attempt: Attempt) -> None:
        self.reached.append(attempt.job.id)
        self.arrived.set()
        await self.open.wait()


@pytest.fixture
def gate() -> Gate:
    return Gate()


def a_runner(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: HandClock,
    *steps: Callable[[Attempt], Awaitable[None]],
    tries: int = 5,
) -> JobRunner:
    kinds = {kind: [FunctionStep(step) for step in steps] for kind in JobKind}
    return new_runner(job_queue, redis, responders, clock, kinds, tries)


async def state_of(job_queue: JobQueue, job: Job) -> JobState:
    status = await job_queue.find(job.chat, job.id)
    assert status is not None
    return status.state


async def nothing(attempt: Attempt) -> None:
    """Done at once."""


@contextlib.asynccontextmanager
async def running(
    runner: JobRunner, ticket: str = "a", job_id: str = ""
) -> AsyncIterator[asyncio.Task[None]]:
    """A ticket that is being run; it has ended when the block does."""
    task = asyncio.create_task(runner.work(EDIT, job_id, ticket))
    try:
        yield task
        async with asyncio.timeout(PATIENCE_S):
            await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_steps_are_walked_in_order_and_the_live_message_goes(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    walked: list[str] = []

    async def first(attempt: Attempt) -> None:
        walked.append("first")
        await attempt.save(Noted(value=1))
        assert attempt.load(Noted) == Noted(value=1)

    async def second(attempt: Attempt) -> None:
        walked.append("second")

    job = new_job()
    await job_queue.enqueue([job], 1)
    await a_runner(job_queue, redis, responders, clock, first, second).work(EDIT, job.id, "a")
    assert walked == ["first", "second"]
    assert await state_of(job_queue, job) is JobState.DONE
    assert responders.finished == [(job.id, None)]
    assert responders.sent == []
    assert job.id in responders.closed
    assert responders.released == responders.discarded == [job.id]


async def test_a_step_can_end_the_job_with_its_answer(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    async def ends(attempt: Attempt) -> None:
        raise JobEnded(LocalizedMessage("error.nemo_down"))

    async def unreached(attempt: Attempt) -> None:
        pytest.fail("the job was over")

    job = new_job()
    await job_queue.enqueue([job], 1)
    with structlog.testing.capture_logs() as logs:
        await a_runner(job_queue, redis, responders, clock, ends, unreached).work(EDIT, job.id, "a")
    assert responders.keys_of(job) == ["error.nemo_down"]
    assert await state_of(job_queue, job) is JobState.FAILED
    # The operator learns why, too.
    assert [entry["answer"] for entry in logs if entry["event"] == "job.answered"] == ["error.nemo_down"]


@pytest.mark.parametrize(
    ("ends", "ending"),
    [
        (JobEnded(None, JobState.DONE), HELD),
        (
            JobEnded(LocalizedMessage("export.failed_busy", buttons=(EXPORT,))),
            AgentMessage("I cut it.", (EXPORT,), (LocalizedMessage("export.failed_busy"),)),
        ),
        (
            JobEnded(
                PrivateMessage(LocalizedMessage("export.failed_busy"))
            ),  # In private it is like any other.
            AgentMessage("I cut it.", (), (LocalizedMessage("export.failed_busy"),)),
        ),
        (
            JobEnded(ListMessage(LocalizedMessage("export.failed_busy"), (LocalizedMessage("job.paused"),))),
            AgentMessage(
                "I cut it.", (), (LocalizedMessage("export.failed_busy"), LocalizedMessage("job.paused"))
            ),
        ),
    ],
)
async def test_an_answer_that_waited_for_the_video_goes_out_with_what_came_instead(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: HandClock,
    ends: JobEnded,
    ending: OutgoingMessage,
) -> None:
    async def holds(attempt: Attempt) -> None:
        await attempt.save(PendingAnswer(message=HELD))
        raise ends

    job = new_job()
    await job_queue.enqueue([job], 1)
    await a_runner(job_queue, redis, responders, clock, holds).work(EDIT, job.id, "a")
    assert [message for _, _, message in responders.sent] == [ending]


async def test_what_nobody_expected_is_told_once_and_the_next_job_starts(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    async def breaks(attempt: Attempt) -> None:
        raise ZeroDivisionError

    job, next_job = new_job(1), new_job(2)
    await job_queue.enqueue([job, next_job], 1)
    runner = a_runner(job_queue, redis, responders, clock, breaks)
    await runner.work(EDIT, job.id, "a")
    assert responders.keys_of(job) == ["error.unexpected_edit"]
    assert await state_of(job_queue, job) is JobState.FAILED
    await runner.work(EDIT, "", "b")
    assert await state_of(job_queue, next_job) is JobState.FAILED


async def test_what_nobody_expected_is_not_told_by_an_attempt_that_the_store_does_not_know(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    async def reads_of_another_primary(attempt: Attempt) -> None:
        await redis.delete(keys.job_key(str(CHAT), attempt.job.id))
        await attempt.gathered()

    job = new_job()
    await job_queue.enqueue([job], 1)
    await a_runner(job_queue, redis, responders, clock, reads_of_another_primary).work(EDIT, job.id, "a")
    assert responders.sent == []


UNCHANGED = AgentAnswered()
CHANGED = AgentAnswered(has_changed=True)
SECOND_TURN = (Turn(number=2), "")


@pytest.mark.parametrize(
    ("kind", "saved", "key", "button"),
    [
        (JobKind.EDIT, [], "error.unexpected_edit", Retry),
        (JobKind.EDIT, [(PromptSent(), "")], "error.unexpected_changed", Export),
        (JobKind.EDIT, [(PromptSent(), ""), (UNCHANGED, "")], "error.unexpected_edit", Retry),
        (JobKind.EDIT, [(PromptSent(), ""), (CHANGED, "")], "error.unexpected_changed", Export),
        (
            JobKind.EDIT,
            [(PromptSent(), ""), (AgentAnswered(still_generating=True), "")],
            "error.unexpected_changed",
            Export,
        ),
        (JobKind.EDIT, [(UNCHANGED, ""), SECOND_TURN], "error.unexpected_edit", Retry),
        (
            JobKind.EDIT,
            [(UNCHANGED, ""), SECOND_TURN, (PromptSent(), "2")],
            "error.unexpected_changed",
            Export,
        ),
        (JobKind.EXPORT, [], "error.unexpected_changed", Export),
        (JobKind.CREDITS, [], "error.unexpected", Retry),
    ],
)
async def test_after_what_nobody_expected_a_button_goes_on_and_charges_nothing_twice(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: HandClock,
    kind: JobKind,
    saved: list[tuple[Checkpoint, str]],
    key: str,
    button: type[ButtonAction],
) -> None:
    async def breaks(attempt: Attempt) -> None:
        for checkpoint, name in saved:
            await attempt.save(checkpoint, name)
        raise ZeroDivisionError

    job = new_job(kind=kind)
    await job_queue.enqueue([job], 1)
    steps = {kind: [FunctionStep(breaks)]}
    await new_runner(job_queue, redis, responders, clock, steps).work(EDIT, job.id, "a")
    ((_, _, message),) = responders.sent
    assert isinstance(message, LocalizedMessage)
    assert message.key == key
    assert [type(one.action) for one in message.buttons] == [button]


async def test_what_is_fetched_for_a_job_ends_with_it(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    fetching: list[asyncio.Task[int]] = []

    async def forever() -> int:
        await asyncio.Event().wait()
        return 0

    async def fetch(attempt: Attempt) -> None:
        attempt.fetching = asyncio.create_task(forever())
        fetching.append(attempt.fetching)

    await job_queue.enqueue([new_job()], 1)
    await a_runner(job_queue, redis, responders, clock, fetch).work(EDIT, "", "a")
    assert fetching[0].cancelled()


async def test_a_ticket_that_failed_can_be_delivered_again(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    await job_queue.enqueue([job := new_job()], 1)
    runner = a_runner(job_queue, redis, responders, clock, nothing)
    with monkeypatch.context() as broken:
        broken.setattr(job_queue, "claim", fail)
        with pytest.raises(ZeroDivisionError):
            await runner.work(EDIT, "", "a")
    async with asyncio.timeout(PATIENCE_S):
        await runner.work(EDIT, "", "a")
    assert await state_of(job_queue, job) is JobState.DONE


async def test_a_process_that_ends_does_not_wait_for_a_store_that_is_away(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise StoreAway

    monkeypatch.setattr(job_queue.tickets, "add", fail)
    runner = a_runner(job_queue, redis, responders, clock, nothing)
    runner.drain()
    async with asyncio.timeout(PATIENCE_S):
        await runner.work(EDIT, "", "a")
    assert clock.slept == []


@pytest.mark.parametrize("where", ["step", "say", "finish"])
async def test_a_job_of_a_chat_that_is_gone_ends_quietly(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, where: str
) -> None:
    async def step(attempt: Attempt) -> None:
        if where == "step":
            raise ChatGone
        raise JobEnded(LocalizedMessage("error.nemo_down"))

    if where != "step":
        responders.failing[where] = ChatGone()
    job = new_job()
    await job_queue.enqueue([job], 1)
    await a_runner(job_queue, redis, responders, clock, step).work(EDIT, job.id, "a")
    assert await state_of(job_queue, job) is JobState.CANCELLED
    assert await job_queue.current(CHAT, QueueName.MAIN) == []


async def test_an_error_of_nemovideo_that_a_step_leaves_is_explained_and_not_given_up_on(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    async def step(attempt: Attempt) -> None:
        raise NemoError(Call("GET", "/state"))

    job = new_job()
    await job_queue.enqueue([job], 1)
    await a_runner(job_queue, redis, responders, clock, step).work(EDIT, job.id, "a")
    assert responders.keys_of(job) == ["error.nemo_down"]
    assert await job_queue.given_up() == []


async def test_what_waits_in_a_chat_that_is_gone_is_dropped(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    async def step(attempt: Attempt) -> None:
        raise ChatGone

    jobs = [new_job(number) for number in range(3)]
    await job_queue.enqueue(jobs, 1)
    await a_runner(job_queue, redis, responders, clock, step).work(EDIT, jobs[0].id, "a")
    assert await job_queue.current(CHAT, QueueName.MAIN) == []
    assert [await state_of(job_queue, job) for job in jobs] == [JobState.CANCELLED] * 3
    assert responders.sent == []


@pytest.mark.parametrize("where", ["say", "finish"])
async def test_an_answer_that_can_not_be_given_does_not_hold_up_the_queue(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, where: str
) -> None:
    async def step(attempt: Attempt) -> None:
        raise JobEnded(LocalizedMessage("error.nemo_down"))

    responders.failing[where] = RuntimeError("Telegram refuses it for a reason that nobody knew of")
    job = new_job()
    await job_queue.enqueue([job], 1)
    await a_runner(job_queue, redis, responders, clock, step).work(EDIT, job.id, "a")
    assert await state_of(job_queue, job) is JobState.FAILED
    assert await job_queue.current(CHAT, QueueName.MAIN) == []


class TestCancel:
    async def test_a_running_job_stops_in_the_middle_of_a_step(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
    ) -> None:
        runner = a_runner(job_queue, redis, responders, clock, gate.step)
        job = new_job()
        await job_queue.enqueue([job], 1)
        async with in_background(runner.listen(), runner.sweep()):
            await eventually_subscribed(redis)
            async with running(runner):
                await gate.arrived.wait()
                await job_queue.cancel(CHAT, QueueName.MAIN, job.id)
        assert responders.finished == [(job.id, LocalizedMessage("progress.cancelled"))]
        assert responders.sent == []
        assert await state_of(job_queue, job) is JobState.CANCELLED

    async def test_missed_news_are_found_at_the_next_checkpoint(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
    ) -> None:
        went_on = False

        async def saves(attempt: Attempt) -> None:
            nonlocal went_on
            await attempt.save(Noted(value=1))
            went_on = True

        job = new_job()
        await job_queue.enqueue([job], 1)
        async with running(a_runner(job_queue, redis, responders, clock, gate.step, saves)):
            await gate.arrived.wait()
            await job_queue.cancel(CHAT, QueueName.MAIN, job.id)
            gate.open.set()
        assert not went_on
        assert responders.finished == [(job.id, LocalizedMessage("progress.cancelled"))]
        assert await state_of(job_queue, job) is JobState.CANCELLED

    @pytest.mark.parametrize(("kind", "buttons"), [(JobKind.EDIT, (EXPORT,)), (JobKind.VARIATIONS, ())])
    async def test_the_answer_of_a_job_that_is_stopped_before_its_video_is_sent_once(
        self,
        job_queue: JobQueue,
        redis: Redis,
        responders: Responders,
        clock: HandClock,
        kind: JobKind,
        buttons: tuple[Button, ...],
    ) -> None:
        async def holds(attempt: Attempt) -> None:
            await attempt.save(PendingAnswer(message=HELD))
            await job_queue.cancel(CHAT, QueueName.MAIN, attempt.job.id)
            await attempt.save(Noted(value=1))

        job = new_job(kind=kind)
        await job_queue.enqueue([job], 1)
        # What is saved while it says so, as by every send, stops it no more.
        responders.saves_on_send = True
        async with running(a_runner(job_queue, redis, responders, clock, holds)):
            pass
        assert [message for _, _, message in responders.sent] == [AgentMessage("I cut it.", buttons)]
        assert await state_of(job_queue, job) is JobState.CANCELLED

    @pytest.mark.parametrize(
        ("next_kind", "last_words"),
        [
            (JobKind.EDIT, LocalizedMessage("progress.cancelled_kept", buttons=(EXPORT,))),
            (JobKind.FORGET, LocalizedMessage("progress.cancelled")),
        ],
    )
    async def test_the_last_words_of_one_that_has_asked_the_agent_offer_what_it_may_have_made(
        self,
        job_queue: JobQueue,
        redis: Redis,
        responders: Responders,
        clock: HandClock,
        next_kind: JobKind,
        last_words: LocalizedMessage,
    ) -> None:
        async def asks(attempt: Attempt) -> None:
            await attempt.save(PromptSent())
            await job_queue.enqueue([new_job(kind=next_kind)], 2)
            await job_queue.cancel(CHAT, QueueName.MAIN, attempt.job.id)
            await attempt.save(Noted(value=1))

        job = new_job()
        await job_queue.enqueue([job], 1)
        async with running(a_runner(job_queue, redis, responders, clock, asks)):
            pass
        assert responders.finished == [(job.id, last_words)]

    async def test_a_question_that_was_just_sent_loses_its_buttons(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
    ) -> None:
        """Its job is cancelled before it is suspended, so that whoever cancels it finds a running one."""

        async def asks(attempt: Attempt) -> None:
            asked = AgentAnswered(question_set=QuestionSet((Question("Which look?", ("Cartoon",)),)))
            sent = MessageSend(sent=SentMessage(message_id=12, telegram_chat_id=4711))
            await attempt.save_all((asked, ""), (sent, "question.1.0.0"))
            await job_queue.questions.ask(attempt.job, attempt.claimed.attempt, "1.0")
            await job_queue.cancel(CHAT, QueueName.MAIN, attempt.job.id)
            raise JobSuspended

        job = new_job()
        await job_queue.enqueue([job], 1)
        await a_runner(job_queue, redis, responders, clock, asks).work(EDIT, job.id, "a")
        await a_runner(job_queue, redis, responders, clock, asks).work(EDIT, job.id, "a")
        assert await state_of(job_queue, job) is JobState.CANCELLED
        assert responders.buttonless == [(job.id, 12)]

    async def test_an_album_that_goes_to_a_new_project_leaves_no_word_of_a_cancelled_request(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
    ) -> None:
        async def saves(attempt: Attempt) -> None:
            await gate.step(attempt)
            await attempt.save(Noted())

        first = new_job(prompt="")
        await job_queue.enqueue([first], 1, arrival(1, album="a"))
        async with running(a_runner(job_queue, redis, responders, clock, saves)):
            await gate.arrived.wait()
            later = arrival(2, "a cat", album="a", kind="begins")
            await job_queue.enqueue([new_job(prompt="", kind=JobKind.NEW)], 2, later)
            gate.open.set()
        assert responders.finished == [(first.id, None)]
        assert await state_of(job_queue, first) is JobState.CANCELLED

    async def test_a_job_that_was_cancelled_while_nobody_had_it_does_nothing(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
    ) -> None:
        job = new_job()
        await job_queue.enqueue([job], 1)
        await job_queue.claim(EDIT, "a")
        await job_queue.cancel(CHAT, QueueName.MAIN, job.id)
        async with running(a_runner(job_queue, redis, responders, clock, gate.step)):
            pass
        assert gate.reached == []
        assert await state_of(job_queue, job) is JobState.CANCELLED

    async def test_other_jobs_go_on(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
    ) -> None:
        runner = a_runner(job_queue, redis, responders, clock, gate.step)
        job, other = new_job(1), new_job(2, queue=QueueName.QUICK, kind=JobKind.CREDITS)
        await job_queue.enqueue([job, other], 1)
        async with in_background(runner.listen(), runner.sweep()):
            await eventually_subscribed(redis)
            async with running(runner) as ticket:
                asked = asyncio.create_task(runner.work(queue_id(CHAT, QueueName.QUICK), "", "b"))
                await eventually(lambda: len(gate.reached) == 2)
                await job_queue.cancel(CHAT, QueueName.MAIN, job.id)
                await ticket
                assert not asked.done()
                gate.open.set()
                await asked
        assert await state_of(job_queue, other) is JobState.DONE


async def test_running_jobs_are_counted_by_queue(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
) -> None:
    def counted() -> list[float | None]:
        return [REGISTRY.get_sample_value("nemovideo_jobs_running", {"queue": name}) for name in QueueName]

    runner = a_runner(job_queue, redis, responders, clock, gate.step)
    await job_queue.enqueue([new_job(queue=QueueName.QUICK, kind=JobKind.CREDITS)], 1)
    async with in_background(runner.work(queue_id(CHAT, QueueName.QUICK), "", "b")):
        await gate.arrived.wait()
        assert counted() == [0, 1]
        await job_queue.enqueue([new_job(1)], 2)
        async with running(runner):
            await eventually(lambda: counted() == [1, 1])
            gate.open.set()
    await eventually(lambda: counted() == [0, 0])


async def eventually_subscribed(redis: Redis) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await redis.pubsub_numsub("nemo:cancel"))[0][1] == 0:  # noqa: ASYNC110 - another connection's deed
            await asyncio.sleep(0.005)


class TestDrain:
    async def test_jobs_are_given_back_and_taken_up_elsewhere_from_their_checkpoints(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
    ) -> None:
        async def saves(attempt: Attempt) -> None:
            if attempt.load(Noted) is None:
                await attempt.save(Noted(value=1))

        first = a_runner(job_queue, redis, responders, clock, saves, gate.step)
        job = new_job()
        await job_queue.enqueue([job], 1)
        async with running(first):
            await gate.arrived.wait()
            first.drain()
        assert responders.sent == []
        assert responders.finished == []
        assert job.id in responders.closed
        assert responders.released == responders.discarded == []
        assert await state_of(job_queue, job) is JobState.RUNNING

        found: list[tuple[int, object]] = []

        async def looks(attempt: Attempt) -> None:
            found.append((attempt.claimed.counted_attempts, attempt.load(Noted)))

        await a_runner(job_queue, redis, responders, clock, looks).work(EDIT, "", "b")
        assert found == [(1, Noted(value=1))]
        assert await state_of(job_queue, job) is JobState.DONE

    async def test_a_process_that_ends_takes_nothing_more(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
    ) -> None:
        runner = a_runner(job_queue, redis, responders, clock, gate.step)
        job = new_job()
        await job_queue.enqueue([job], 1)
        runner.drain()
        await runner.work(EDIT, job.id, "a")
        assert gate.reached == []
        assert await state_of(job_queue, job) is JobState.QUEUED

    async def test_also_a_job_that_is_only_just_starting(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
    ) -> None:
        # It waits for the announcement of its place, which some other process is about to send.
        runner = a_runner(job_queue, redis, responders, clock, gate.step)
        job = new_job()
        await job_queue.enqueue([job], 1)
        status = await job_queue.find(CHAT, job.id)
        assert status is not None
        await job_queue.claim_position_message(status)
        async with running(runner) as ticket:
            await clock.asleep()
            runner.drain()
            for _ in range(40):
                await clock.advance(0.1)
                if ticket.done():
                    break
        assert gate.reached == []
        assert await state_of(job_queue, job) is JobState.RUNNING


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "done"),
        (JobEnded(LocalizedMessage("error.nemo_down")), "failed"),
        (JobEnded(None, JobState.DONE), "done"),
        (ZeroDivisionError(), "failed"),
        (ChatGone(), "cancelled"),
    ],
    ids=repr,
)
async def test_each_step_is_a_line_in_the_log_and_a_figure(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: HandClock,
    error: Exception | None,
    outcome: str,
) -> None:
    async def measured(attempt: Attempt) -> None:
        await clock.advance(2)
        if error is not None:
            raise error

    def counted() -> float:
        labels = {"step": "made_up", "outcome": outcome}
        return REGISTRY.get_sample_value("nemovideo_step_seconds_sum", labels) or 0.0

    before = counted()
    job = new_job()
    await job_queue.enqueue([job], 1)
    with capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        async with running(a_runner(job_queue, redis, responders, clock, measured)):
            pass

    (line,) = [line for line in logs if line["event"] == "job.step"]
    assert line == {
        "event": "job.step",
        "log_level": "info",
        "job": job.id,
        "chat": str(CHAT),
        "kind": "edit",
        "step": "made_up",
        "outcome": outcome,
        "took_s": 2.0,
    }
    assert counted() == before + 2


async def test_a_step_that_is_interrupted_says_by_whom(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
) -> None:
    first, second = new_job(1), new_job(2)
    await job_queue.enqueue([first, second], 1)
    runner = a_runner(job_queue, redis, responders, clock, gate.step)
    with capture_logs() as logs:
        async with in_background(runner.listen(), runner.sweep()):
            await eventually_subscribed(redis)
            async with running(runner):
                await gate.arrived.wait()
                gate.arrived.clear()
                await job_queue.cancel(CHAT, QueueName.MAIN, first.id)
        async with running(runner, "b"):
            await gate.arrived.wait()
            runner.drain()
    outcomes = [line["outcome"] for line in logs if line["event"] == "job.step"]
    assert outcomes == ["cancelled", "interrupted"]


async def test_admins_are_told_of_a_job_that_was_given_up(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    told: list[str] = []

    async def breaks(attempt: Attempt) -> None:
        raise ZeroDivisionError

    async def send_alert(name: str, message: LocalizedMessage) -> None:
        told.append(message.key)
        raise StoreAway  # The job has ended all the same.

    steps = {JobKind.EDIT: [FunctionStep(breaks)]}
    await job_queue.enqueue([new_job()], 1)
    async with running(new_runner(job_queue, redis, responders, clock, steps, 5, send_alert)):
        pass
    assert told == ["alert.job_given_up"]
    assert clock.slept == []


async def test_starts_are_counted_and_given_up_loudly(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    for _ in range(3):  # each of these workers died with it
        await job_queue.claim(EDIT, "a")
    async with running(a_runner(job_queue, redis, responders, clock, gate.step, tries=3)):
        pass
    assert gate.reached == []
    assert responders.keys_of(job) == ["job.interrupted_edit"]
    assert await state_of(job_queue, job) is JobState.FAILED


@pytest.mark.parametrize("is_followed", [True, False])
async def test_of_a_new_with_a_request_that_failed_only_the_request_tells(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, is_followed: bool
) -> None:
    async def breaks(attempt: Attempt) -> None:
        raise ZeroDivisionError

    new = new_job(kind=JobKind.NEW, prompt="", payload=NewPayload(is_followed=is_followed))
    edit = new_job(payload=EditPayload(new_job_id=new.id))
    jobs_of_update = [new, edit] if is_followed else [new]
    await job_queue.enqueue(jobs_of_update, 1)
    steps: dict[JobKind, Sequence[Step]] = {JobKind.NEW: [FunctionStep(breaks)], JobKind.EDIT: [Gather()]}
    runner = new_runner(job_queue, redis, responders, clock, steps)
    for job in jobs_of_update:
        await runner.work(EDIT, job.id, job.id)
    # Its own button would begin an empty project, and the request's button another one.
    assert responders.keys_of(new) == ([] if is_followed else ["error.unexpected"])
    assert responders.keys_of(edit) == (["error.unexpected"] if is_followed else [])


async def test_a_worker_that_was_believed_dead_stops_without_a_trace(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
) -> None:
    async def saves(attempt: Attempt) -> None:
        await attempt.save(Noted(value=1))
        pytest.fail("another has the job")

    job = new_job()
    await job_queue.enqueue([job], 1)
    async with running(a_runner(job_queue, redis, responders, clock, gate.step, saves)):
        await gate.arrived.wait()
        claimed = await job_queue.claim(EDIT, "a")
        assert claimed is not None
        gate.open.set()
    assert responders.sent == []
    assert responders.finished == []
    assert await state_of(job_queue, job) is JobState.RUNNING
    await job_queue.finish(claimed, JobState.DONE)
    assert await state_of(job_queue, job) is JobState.DONE


async def test_a_job_that_the_store_failed_goes_on_from_its_checkpoints_and_is_excused(
    job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
) -> None:
    seen: list[tuple[int, object]] = []

    async def step(attempt: Attempt) -> None:
        seen.append((attempt.claimed.counted_attempts, attempt.load(Noted)))
        if len(seen) < 4:
            await attempt.save(Noted(value=len(seen)))
            raise StoreAway

    job = new_job()
    await job_queue.enqueue([job], 1)
    async with running(a_runner(job_queue, redis, responders, clock, step, tries=1)) as ticket:
        await clock.asleep()
        assert responders.closed == [job.id]  # Otherwise it would go on beside the next attempt's responder.
        while not ticket.done():
            await clock.advance(1)
            await asyncio.sleep(0.001)
    assert seen == [(1, None), *((1, Noted(value=value)) for value in (1, 2, 3))]
    assert responders.sent == []
    assert await state_of(job_queue, job) is JobState.DONE


async def test_a_store_that_crashes_in_the_middle_of_a_job(
    tmp_path: Path, responders: Responders, gate: Gate
) -> None:
    clock = HandClock()
    walked: list[object] = []

    async def asks(attempt: Attempt) -> None:
        if attempt.load(Noted) is None:
            walked.append("asked")
            await attempt.save(Noted(value=1))

    async def tells(attempt: Attempt) -> None:
        await attempt.save(Noted(value=2), "told")
        walked.append(attempt.load(Noted))

    async with open_store(None, tmp_path) as store:
        steps = [FunctionStep(asks), FunctionStep(gate.step), FunctionStep(tells)]
        async with workplace(store, clock, responders, steps) as place, working(place, "one"):
            job = new_job()
            await place.job_queue.enqueue([job], 1)
            await gate.arrived.wait()
            os.kill((await store.redis.info("server"))["process_id"], signal.SIGKILL)
            gate.open.set()
            async with asyncio.timeout(PATIENCE_S):
                while await place.job_queue.current(CHAT, QueueName.MAIN):
                    await clock.advance(1)
                    await asyncio.sleep(0.01)
            assert await state_of(place.job_queue, job) is JobState.DONE
    assert walked == ["asked", Noted(value=1)]
    assert responders.sent == []


class TestPositionMessages:
    async def test_a_job_that_has_to_wait_is_told_its_place_in_what_becomes_its_progress_message(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
    ) -> None:
        async def shows(attempt: Attempt) -> None:
            await attempt.responder.show_progress()

        runner = a_runner(job_queue, redis, responders, clock, shows, gate.step)
        first, second = new_job(1), new_job(2)
        await job_queue.enqueue([first, second], 1)
        async with running(runner):
            await gate.arrived.wait()
            await runner.work(EDIT, second.id, "b")
            await runner.work(EDIT, second.id, "c")
            assert responders.shown == [(first.id, None), (second.id, 1)]
            gate.open.set()
        await runner.work(EDIT, "", "d")
        assert await state_of(job_queue, second) is JobState.DONE
        assert [job_id for job_id, _ in responders.shown] == [first.id, second.id]

    async def test_a_job_that_starts_meanwhile_waits_for_its_announcement(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock, gate: Gate
    ) -> None:
        sending, sent = asyncio.Event(), asyncio.Event()

        async def slowly() -> None:
            sending.set()
            await sent.wait()

        async def shows(attempt: Attempt) -> None:
            await attempt.responder.show_progress()

        runner = a_runner(job_queue, redis, responders, clock, shows)
        first, second = new_job(1), new_job(2)
        await job_queue.enqueue([first, second], 1)
        claimed = await job_queue.claim(EDIT, "a")
        assert claimed is not None
        responders.announcing = slowly
        announcing = asyncio.create_task(runner.work(EDIT, second.id, "b"))
        await sending.wait()
        responders.announcing = None
        await job_queue.finish(claimed, JobState.DONE)
        async with running(runner, "c"):
            await clock.asleep()
            sent.set()
            await announcing
            await clock.advance(0.2)
            await eventually(lambda: responders.finished)
        assert responders.shown == [(second.id, 1)]

    @pytest.mark.parametrize(
        ("queue", "kind"), [(QueueName.QUICK, JobKind.CREDITS), (QueueName.MAIN, JobKind.FORGET)]
    )
    async def test_what_is_answered_soon_is_not_told_its_place(
        self,
        job_queue: JobQueue,
        redis: Redis,
        responders: Responders,
        clock: HandClock,
        queue: QueueName,
        kind: JobKind,
    ) -> None:
        jobs = [new_job(n, queue=queue, kind=kind) for n in range(2)]
        await job_queue.enqueue(jobs, 1)
        name = queue_id(CHAT, queue)
        await job_queue.claim(name, "a")
        await a_runner(job_queue, redis, responders, clock, nothing).work(name, jobs[1].id, "b")
        assert responders.shown == []

    async def test_a_chat_that_is_gone_is_no_reason_to_fail(
        self, job_queue: JobQueue, redis: Redis, responders: Responders, clock: HandClock
    ) -> None:
        jobs = [new_job(1), new_job(2)]
        await job_queue.enqueue(jobs, 1)
        await job_queue.claim(EDIT, "a")
        responders.failing["show"] = ChatGone()
        await a_runner(job_queue, redis, responders, clock, nothing).work(EDIT, jobs[1].id, "b")
        assert await state_of(job_queue, jobs[1]) is JobState.QUEUED


class TestWorkers:
    async def test_order_within_a_queue_and_queues_side_by_side_with_three_workers(
        self, store: Store, responders: Responders
    ) -> None:
        clock = SystemClock()  # a job may have to wait a moment for the one that tells its place in line
        ran: dict[int, list[str]] = {}
        now_running: dict[int, int] = {}
        side_by_side = asyncio.Event()

        async def step(attempt: Attempt) -> None:
            chat = attempt.job.chat.chat_id
            now_running[chat] = now_running.get(chat, 0) + 1
            assert now_running[chat] == 1
            if sum(now_running.values()) > 1:
                side_by_side.set()
            await side_by_side.wait()
            await asyncio.sleep(0.002)
            ran.setdefault(chat, []).append(attempt.job.id)
            now_running[chat] -= 1

        async with contextlib.AsyncExitStack() as stack:
            for number in range(3):
                place = await stack.enter_async_context(workplace(store, clock, responders, step))
                await stack.enter_async_context(working(place, f"worker {number}", concurrency=4))
            asked: dict[int, list[str]] = {}
            for number in range(8):
                for chat in (1, 2, 3, 4):
                    job = new_job(number, chat=ChatKey(chat, None))
                    asked.setdefault(chat, []).append(job.id)
                    await place.job_queue.enqueue([job], number)
            await eventually(lambda: sum(map(len, ran.values())) == 32)
        assert ran == asked
        assert responders.keys_of(new_job()) == []

    async def test_a_worker_that_ends_hands_its_job_to_another_at_once(
        self, store: Store, responders: Responders, gate: Gate
    ) -> None:
        clock = HandClock()
        async with (
            workplace(store, clock, responders, gate.step) as one,
            workplace(store, clock, responders, gate.step) as two,
        ):
            job = new_job()
            await one.job_queue.enqueue([job], 1)
            async with working(one, "one", redelivery_s=600):
                await gate.arrived.wait()
            async with working(two, "two", redelivery_s=600):
                await eventually(lambda: len(gate.reached) == 2)
                gate.open.set()
                await eventually(lambda: responders.finished == [(job.id, None)])
        assert await tickets_left(store, clock, responders) == []

    async def test_a_queue_without_a_ticket_is_found_by_the_sweep(
        self, store: Store, responders: Responders
    ) -> None:
        clock = HandClock()
        async with workplace(store, clock, responders, nothing) as place:
            job, other = new_job(), new_job(chat=ChatKey(77, None))
            await place.job_queue.enqueue([job], 1)
            await place.docket.clear()  # a crash came before the ticket was added
            async with in_background(place.runner.listen(), place.runner.sweep()), working(place, "one"):
                await eventually(lambda: len(responders.finished) == 1)
                # The sweep's ticket has done its work: the next one of its kind is not taken for a repetition.
                await place.job_queue.enqueue([other], 1)
                await eventually(lambda: len(responders.finished) == 2)
                await settle()

    async def test_after_a_failure_of_the_store_the_sweep_looks_at_all_queues(
        self, store: Store, responders: Responders, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bot.jobs.worker.runner.SWEEP_EVERY_S", 0.01)
        async with workplace(store, HandClock(), responders, nothing) as place:
            await place.job_queue.enqueue([new_job()], 1)
            await place.job_queue.sweep()  # looks at the queue, and not again for a minute
            await place.docket.clear()

            async def fail() -> int:
                raise StoreAway

            monkeypatch.setattr(place.job_queue, "sweep", fail)
            async with in_background(place.runner.listen(), place.runner.sweep()), working(place, "one"):
                await eventually(lambda: responders.finished)

    async def test_a_ticket_of_the_sweep_can_be_needed_twice(
        self, store: Store, responders: Responders
    ) -> None:
        clock = HandClock()
        starts = 0

        async def dies(attempt: Attempt) -> None:
            nonlocal starts
            starts += 1

        async with workplace(store, clock, responders, dies) as place:
            await place.job_queue.enqueue([new_job()], 1)
            await place.docket.clear()
            await place.job_queue.sweep()
            ((_, _, ticket),) = await tickets(place.docket)
            await place.job_queue.claim(EDIT, ticket)
            await place.docket.clear()
            assert await place.job_queue.sweep() == 1
            async with working(place, "one"):
                await eventually(lambda: starts == 1)


async def tickets_left(store: Store, clock: HandClock, responders: Responders) -> list[tuple[str, str, str]]:
    async with workplace(store, clock, responders) as place:
        return await tickets(place.docket)


async def test_what_comes_with_a_requests_last_message_is_a_request_of_its_own(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send = RecordingResponder.send

    async def send_as_more_comes(
        responder: RecordingResponder, idempotency_key: str, message: OutgoingMessage
    ) -> None:
        await send(responder, idempotency_key, message)
        await accept(job_queue, arrival(2))

    async def refuse(attempt: Attempt) -> None:
        raise JobEnded(LocalizedMessage("error.file_empty", {"name": "1.mp4"}))

    monkeypatch.setattr(RecordingResponder, "send", send_as_more_comes)
    await accept(job_queue, arrival(1))
    async with running(a_runner(job_queue, redis, responders, clock, refuse)):
        pass
    assert await jobs(job_queue) == [("", ["2.mp4"])]
