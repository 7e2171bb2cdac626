"""What is kept of jobs that ended: all for a day, and then what buttons need, in at most 1 kB."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.chats.chats import Chats
from bot.chats.token_cipher import TokenCipher
from bot.jobs.checkpoints import (
    FILES,
    AgentAnswered,
    MessageSend,
    ProjectLost,
    Turn,
    Uploaded,
    UploadedFile,
    UploadUsed,
    field_of,
)
from bot.jobs.model import Attachment, Job, JobKind, JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.continued_jobs import make_retry_job
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.queue.packed_request import pack, unpack
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, new_job
from tests.jobs.test_quotas import take

DAY_S = 86_400
FILE = Attachment(
    "f" * 70, "video", "holiday in the mountains.mp4", 7_000_000, "video/mp4", 12.0, 1920, 1080, 9
)
ANSWER = AgentAnswered(text="I made it shorter. " * 200, has_changed=True, credits_used=50)


@pytest.fixture
def chats(redis: Redis, tmp_path: Path) -> Chats:
    return Chats(redis, TokenCipher.open(["a" * 43 + "="], tmp_path))


def noise(number: int) -> str:
    """Return text that can't be compressed to less than half."""
    return hashlib.sha512(bytes([number])).hexdigest()


async def ended(job_queue: JobQueue, job: Job, state: JobState, *saved: tuple[Any, str]) -> None:
    """Run a job to its end, with what its steps saved."""
    await job_queue.enqueue([job], job.id)
    claimed = await take(job_queue, job)
    values = {field_of(type(one), key): one.model_dump(mode="json") for one, key in saved}
    if values:
        await job_queue.save(claimed, values)
    await job_queue.finish(claimed, state)


async def bytes_of(redis: Redis, job: Job) -> int:
    return int(await redis.memory_usage(keys.job_key(str(CHAT), job.id), samples=0) or 0)


async def test_a_days_job_is_whole_and_then_no_larger_than_1_kb(
    redis: Redis, job_queue: JobQueue, clock: HandClock
) -> None:
    job = new_job(prompt="Make it vertical and add a title", files=(FILE,), payload=EditPayload())
    sends = [(MessageSend(), f"message {number}") for number in range(20)]
    uploaded = Uploaded(
        session_id="s" * 36, size_bytes=7_000_000, sources={FILE.file_id: UploadedFile(name="a")}
    )
    await ended(job_queue, job, JobState.DONE, (ANSWER, ""), (uploaded, FILES), *sends)
    whole = await bytes_of(redis, job)
    clock.set_wall(DAY_S - 60)
    await job_queue.sweep()
    assert await bytes_of(redis, job) == whole > 5000
    clock.set_wall(120)
    await job_queue.sweep()
    assert 0 < await bytes_of(redis, job) <= 1024
    assert not await redis.zcard(keys.ENDED_JOBS)
    found = await job_queue.find(CHAT, job.id)
    assert found is not None
    assert (found.state, found.job.requester_id, found.job.kind) == (
        JobState.DONE,
        job.requester_id,
        JobKind.EDIT,
    )
    answered = await job_queue.load_checkpoint(job, AgentAnswered)
    assert answered is not None
    assert answered.has_changed
    assert DAY_S < await redis.ttl(keys.job_key(str(CHAT), job.id)) <= keys.JOB_TTL_S


async def a_day_later(job_queue: JobQueue, clock: HandClock) -> None:
    clock.set_wall(DAY_S + 60)
    await job_queue.sweep()


async def test_a_failed_job_is_still_tried_again_with_all_it_needs(
    redis: Redis, job_queue: JobQueue, chats: Chats, clock: HandClock
) -> None:
    job = new_job(
        prompt="Make it vertical", files=(FILE,), payload=EditPayload(links=("https://a.example/b.mp4",))
    )
    await ended(job_queue, job, JobState.FAILED, (Turn(number=2, prompt="The blue one"), ""))
    before = await make_retry_job(job_queue, chats, job, clock.now())
    assert before is not None
    await a_day_later(job_queue, clock)
    found = await job_queue.find(CHAT, job.id)
    assert found is not None
    assert await make_retry_job(job_queue, chats, found.job, found.job.asked_at) == replace(
        before, asked_at=found.job.asked_at
    )
    assert await bytes_of(redis, job) <= 1024


async def test_what_failed_after_the_answer_is_still_exported(
    job_queue: JobQueue, chats: Chats, clock: HandClock
) -> None:
    job = new_job(prompt="".join(map(noise, range(20))), files=(FILE,) * 10, payload=EditPayload())
    await ended(job_queue, job, JobState.FAILED, (ANSWER, ""))
    await a_day_later(job_queue, clock)
    found = await job_queue.find(CHAT, job.id)
    assert found is not None
    again = await make_retry_job(job_queue, chats, found.job, clock.now())
    assert again is not None
    assert again.kind is JobKind.EXPORT


async def test_a_request_too_large_to_keep_is_forgotten_after_a_day(
    job_queue: JobQueue, clock: HandClock
) -> None:
    job = new_job(prompt="".join(map(noise, range(20))), files=(FILE,) * 10, payload=EditPayload())
    await ended(job_queue, job, JobState.FAILED)
    await a_day_later(job_queue, clock)
    assert await job_queue.find(CHAT, job.id) is None


async def test_a_job_cancelled_while_it_waited_is_shortened_too(
    redis: Redis, job_queue: JobQueue, clock: HandClock
) -> None:
    job = new_job(prompt="Make it vertical")
    await job_queue.enqueue([job], job.id)
    await job_queue.cancel(CHAT, job.queue, job.id)
    await a_day_later(job_queue, clock)
    found = await job_queue.find(CHAT, job.id)
    assert found == JobStatus(job, JobState.CANCELLED, 0)
    assert await bytes_of(redis, job) <= 1024


async def test_what_was_erased_or_can_not_be_read_holds_up_no_other(
    redis: Redis, job_queue: JobQueue, clock: HandClock
) -> None:
    gone, damaged, job = (new_job(number) for number in range(3))
    for one in (gone, damaged, job):
        await ended(job_queue, one, JobState.DONE)
    await redis.delete(keys.job_key(str(CHAT), gone.id))
    await redis.hset(keys.job_key(str(CHAT), damaged.id), "request", "{")
    await a_day_later(job_queue, clock)
    assert not await redis.exists(keys.job_key(str(CHAT), gone.id), keys.job_key(str(CHAT), damaged.id))
    assert await job_queue.find(CHAT, job.id) is not None


def test_requests_of_some_files_stay_small_and_come_back_as_they_were() -> None:
    files = [replace(FILE, file_id=noise(n), message_id=n) for n in range(3)]
    job = new_job(prompt="Cut the pauses, add a title", files=tuple(files), payload=EditPayload())
    assert unpack(pack(job)) == job
    assert len(pack(job)) < 500


@pytest.mark.parametrize("text", ["", "z", "zz", "z" + "0" * 100, "{", "[]", "z!"])
def test_what_is_no_request_is_told(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several libraries
        unpack(text)


async def test_what_was_decided_of_an_ended_job_is_still_known_to_its_buttons(
    redis: Redis, job_queue: JobQueue, clock: HandClock
) -> None:
    job, lost, used = new_job(prompt="add a title"), ProjectLost(session_id="s" * 36), UploadUsed()
    await ended(job_queue, job, JobState.DONE, (lost, ""), (used, ""))
    clock.set_wall(DAY_S + 60)
    await job_queue.sweep()
    assert not await redis.zcard(keys.ENDED_JOBS)
    assert await job_queue.load_checkpoint(job, ProjectLost) == lost
    assert await job_queue.load_checkpoint(job, UploadUsed) == used
