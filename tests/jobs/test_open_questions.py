import pytest
from docket import Docket
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import QuestionAnswer
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.queue.album import ArrivedPart, PartText, RequestPart
from bot.jobs.queue.claimed_job import ClaimedJob
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.open_questions import AnswerOutcome, parse_member, question_member
from bot.jobs.queue.tickets import queue_id
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, new_job, tickets

HOUR_S = 3600
EDIT = queue_id(CHAT, QueueName.MAIN)


async def claim(job_queue: JobQueue, ticket: str = "t") -> ClaimedJob:
    claimed = await job_queue.claim(EDIT, ticket)
    assert claimed is not None
    return claimed


async def asking(job_queue: JobQueue, number: str = "1.0", *behind: Job) -> Job:
    """A job that is waiting for an answer, with others behind it."""
    job = new_job()
    await job_queue.enqueue([job], "asking")
    claimed = await claim(job_queue)
    await job_queue.questions.ask(job, claimed.attempt, number)
    for one in behind:
        await job_queue.enqueue([one], one.id)
    assert await job_queue.questions.suspend(job, claimed.attempt)
    return job


async def state(job_queue: JobQueue, job: Job) -> JobState:
    status = await job_queue.find(job.chat, job.id)
    assert status is not None
    return status.state


async def test_a_job_that_asks_goes_on_with_its_answer(
    job_queue: JobQueue, redis: Redis, docket: Docket
) -> None:
    job = await asking(job_queue)
    assert await state(job_queue, job) is JobState.ASKING
    assert await job_queue.current(CHAT, QueueName.MAIN) == [job.id]
    assert await job_queue.current(CHAT, QueueName.QUICK) == []
    assert await job_queue.questions.asking_job_id(CHAT) == job.id
    assert await job_queue.questions.open_question_id(job) == "1.0"
    assert await redis.exists(keys.STARTED_JOBS, keys.SAVED_JOBS) == 0  # It is not stuck.
    before = len(await tickets(docket))
    assert await job_queue.questions.answer(job, "1.0", ["Cartoon"], 7) is AnswerOutcome.ANSWERED
    assert len(await tickets(docket)) == before + 1
    claimed = await claim(job_queue, "later")
    assert claimed.job == job
    assert (claimed.attempt, claimed.counted_attempts) == (2, 1)  # Waiting is no failed try.
    assert await job_queue.load_checkpoint(job, QuestionAnswer, "1.0") == QuestionAnswer(words=("Cartoon",))
    assert await job_queue.questions.asking_job_id(CHAT) is None
    await job_queue.finish(claimed, JobState.DONE)
    assert await redis.exists(keys.OPEN_QUESTIONS, keys.WAITING_JOBS) == 0


async def test_an_answer_whose_ticket_was_never_added_gets_one(
    job_queue: JobQueue, docket: Docket, clock: HandClock
) -> None:
    job = await asking(job_queue)
    clock.set_wall(60)
    await job_queue.sweep()  # Nothing waits: the queue is looked at no more.
    await job_queue.questions.answer(job, "1.0", ["Cartoon"], 7)
    await docket.clear()
    assert await job_queue.sweep() == 1


async def test_an_answered_job_that_waits_is_announced_anew(job_queue: JobQueue) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    waiting = await job_queue.find(CHAT, job.id)
    assert waiting is not None
    assert await job_queue.claim_position_message(waiting)
    claimed = await claim(job_queue)
    await job_queue.questions.ask(job, claimed.attempt, "1.0")
    await job_queue.questions.suspend(job, claimed.attempt)
    await job_queue.questions.answer(job, "1.0", ["Cartoon"], 7)
    # Else its next attempt would wait for a message that was taken away when it asked.
    assert not (await claim(job_queue)).has_position_message


@pytest.mark.parametrize(
    ("number", "update_id", "outcome"),
    [("1.0", 7, AnswerOutcome.REPEATED), ("1.0", 8, AnswerOutcome.OVER), ("1.1", 8, AnswerOutcome.OVER)],
)
async def test_a_question_is_answered_once(
    job_queue: JobQueue, number: str, update_id: int, outcome: AnswerOutcome
) -> None:
    job = await asking(job_queue)
    await job_queue.questions.answer(job, "1.0", ["Cartoon"], 7)
    assert await job_queue.questions.answer(job, number, ["Cinematic"], update_id) is outcome
    assert await job_queue.load_checkpoint(job, QuestionAnswer, "1.0") == QuestionAnswer(words=("Cartoon",))


async def test_an_update_that_comes_twice_does_not_answer_the_next_question(job_queue: JobQueue) -> None:
    job = await asking(job_queue)
    await job_queue.questions.answer(job, "1.0", ["Cartoon"], 7)
    claimed = await claim(job_queue)
    await job_queue.questions.ask(job, claimed.attempt, "1.1")
    assert await job_queue.questions.answer(job, "1.1", ["Cartoon"], 7) is AnswerOutcome.REPEATED
    assert await job_queue.load_checkpoint(job, QuestionAnswer, "1.1") is None


async def test_an_answer_that_comes_before_the_job_is_suspended_counts(job_queue: JobQueue) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    claimed = await claim(job_queue)
    await job_queue.questions.ask(job, claimed.attempt, "1.0")
    assert await job_queue.questions.answer(job, "1.0", ["Cartoon"], 7) is AnswerOutcome.ANSWERED
    # An attempt that died in between would ask again.
    await job_queue.questions.ask(job, claimed.attempt, "1.0")
    assert await job_queue.questions.open_question_id(job) is None
    assert not await job_queue.questions.suspend(job, claimed.attempt)
    again = await claim(job_queue)
    assert again.job == job
    assert again.counted_attempts == 1


async def test_cancelled_before_it_is_suspended(job_queue: JobQueue) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    claimed = await claim(job_queue)
    await job_queue.questions.ask(job, claimed.attempt, "1.0")
    await job_queue.cancel(CHAT, QueueName.MAIN, job.id)
    assert await job_queue.questions.answer(job, "1.0", ["Cartoon"], 7) is AnswerOutcome.OVER
    assert not await job_queue.questions.suspend(job, claimed.attempt)
    claimed = await claim(job_queue)
    assert claimed.cancelled
    await job_queue.finish(claimed, JobState.CANCELLED)
    assert await job_queue.questions.asking_job_id(CHAT) is None


async def test_an_earlier_attempt_neither_asks_nor_sets_aside(job_queue: JobQueue) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    first = await claim(job_queue)
    second = await claim(job_queue)
    await job_queue.questions.ask(job, first.attempt, "1.0")
    assert await job_queue.questions.asking_job_id(CHAT) is None
    await job_queue.questions.ask(job, second.attempt, "1.0")
    assert await job_queue.questions.suspend(job, first.attempt)
    assert await state(job_queue, job) is JobState.RUNNING


@pytest.mark.parametrize("kind", [JobKind.EXPORT, JobKind.NEW, JobKind.FORGET, JobKind.LOGIN])
async def test_only_requests_to_the_agent_wait_for_the_answer(job_queue: JobQueue, kind: JobKind) -> None:
    await asking(job_queue, "1.0", new_job(1, kind=kind))
    assert (await claim(job_queue, "other")).job.kind is kind


async def test_requests_behind_the_question_come_after_its_job(job_queue: JobQueue, docket: Docket) -> None:
    behind = new_job(1)
    job = await asking(job_queue, "1.0", behind)
    assert await job_queue.claim(EDIT, "other") is None
    before = len(await tickets(docket))
    assert await job_queue.sweep() == 0
    assert len(await tickets(docket)) == before
    await job_queue.questions.answer(job, "1.0", ["Cartoon"], 7)
    claimed = await claim(job_queue, "other")
    assert claimed.job == job
    await job_queue.finish(claimed, JobState.DONE)
    assert (await claim(job_queue, "last")).job == behind


async def test_files_without_words_go_ahead(job_queue: JobQueue) -> None:
    job = await asking(job_queue)
    for text in ("", "use this"):
        part = RequestPart(20, 1000.0)
        edit = new_job(2, prompt="", id="ab" * 8 if text else "cd" * 8, requester_id=6 if text else 7)
        await job_queue.enqueue([edit], f"part {text}", ArrivedPart(part, PartText(text)))
        claimed = await job_queue.claim(EDIT, "files")
        if text:
            assert claimed is None
        else:
            assert claimed is not None
            await job_queue.finish(claimed, JobState.DONE)
    assert await job_queue.questions.asking_job_id(CHAT) == job.id


async def test_a_question_of_another_topic_holds_nothing_up(job_queue: JobQueue) -> None:
    await asking(job_queue)
    elsewhere = new_job(1, chat=ChatKey(4711, 9))
    await job_queue.enqueue([elsewhere], 2)
    claimed = await job_queue.claim(queue_id(elsewhere.chat, QueueName.MAIN), "elsewhere")
    assert claimed is not None
    assert await job_queue.questions.asking_job_id(elsewhere.chat) is None


async def test_cancelling_lets_what_waits_begin(job_queue: JobQueue, redis: Redis, docket: Docket) -> None:
    behind = new_job(1)
    job = await asking(job_queue, "1.0", behind)
    before = len(await tickets(docket))
    assert await job_queue.cancel(CHAT, QueueName.MAIN, job.id) is JobState.ASKING
    assert len(await tickets(docket)) == before + 1
    assert await state(job_queue, job) is JobState.CANCELLED
    assert await redis.exists(keys.OPEN_QUESTIONS) == 0
    assert await job_queue.questions.answer(job, "1.0", ["Cartoon"], 7) is AnswerOutcome.OVER
    assert await job_queue.questions.toggle_option(job, "1.0", 0, 8) is None
    assert (await claim(job_queue, "other")).job == behind


async def test_ticks(job_queue: JobQueue) -> None:
    job = await asking(job_queue)
    questions = job_queue.questions
    assert await questions.toggle_option(job, "1.0", 2, 1) == [2]
    assert await questions.toggle_option(job, "1.0", 2, 1) == [2]  # The same update again.
    assert await questions.toggle_option(job, "1.0", 0, 2) == [2, 0]
    assert await questions.toggle_option(job, "1.0", 2, 3) == [0]
    assert await questions.ticked_options(job) == [0]
    assert await questions.toggle_option(job, "1.1", 0, 4) is None
    await questions.answer(job, "1.0", ["Shop"], 5)
    assert await questions.toggle_option(job, "1.0", 0, 6) is None
    assert await questions.ticked_options(job) == []


async def test_a_question_expires_after_a_day(job_queue: JobQueue, clock: HandClock) -> None:
    job = await asking(job_queue)
    clock.set_wall(23 * HOUR_S)
    await job_queue.sweep()
    assert await state(job_queue, job) is JobState.ASKING
    clock.set_wall(2 * HOUR_S)
    await job_queue.sweep()
    assert (await claim(job_queue)).job == job
    assert await job_queue.load_checkpoint(job, QuestionAnswer, "1.0") is None
    assert await job_queue.questions.asking_job_id(CHAT) is None


async def test_an_erased_question_is_forgotten(job_queue: JobQueue, redis: Redis, clock: HandClock) -> None:
    job = await asking(job_queue)
    await redis.delete(keys.job_key(str(CHAT), job.id))
    clock.set_wall(25 * HOUR_S)
    await job_queue.sweep()
    assert await redis.exists(keys.OPEN_QUESTIONS) == 0


@pytest.mark.parametrize("chat", [ChatKey(5, None), ChatKey(-1001234567890, 45)])
def test_members_are_read_back(chat: ChatKey) -> None:
    assert parse_member(question_member(chat, "ab" * 8)) == (chat, "ab" * 8)
