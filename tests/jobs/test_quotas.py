"""A day's quotas, charged with the acceptance of a job in one write."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from docket import Docket
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import PromptSent
from bot.jobs.model import Attachment, Job, JobKind, JobState, QueueName
from bot.jobs.queue.album import ArrivalKind, ArrivedPart, PartText, RequestPart
from bot.jobs.queue.claimed_job import ClaimedJob
from bot.jobs.queue.job_queue import Enqueued, JobQueue, QueueFull
from bot.jobs.queue.quotas import SENT_CHECKPOINTS, DailyLimit, QuotaExceeded, Quotas, QuotaWarning
from bot.jobs.queue.tickets import queue_id
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, new_job
from tests.jobs.test_job_queue import repeat_writes

CLUB = ChatKey(-100500, 7)
ANN = 5


def queue_with(
    redis: Redis, docket: Docket, clock: HandClock, person: DailyLimit, chat: DailyLimit
) -> JobQueue:
    return JobQueue(redis, docket, clock, quotas=Quotas(clock, person, chat), queue_limit=50)


@pytest.fixture
def job_queue(redis: Redis, docket: Docket, clock: HandClock) -> JobQueue:
    return queue_with(redis, docket, clock, DailyLimit(3, 1000), DailyLimit(10, 5000))


def clip(size: int | None) -> Attachment:
    return Attachment("id", "video", "clip.mp4", size, "video/mp4")


async def used(redis: Redis, clock: HandClock, whose: str = "person", someone: int = ANN) -> dict[str, int]:
    day = clock.now().date().isoformat()
    found: Any = await redis.hgetall(keys.quota_key(whose, someone, day))
    return {name: int(value) for name, value in found.items()}


async def take(job_queue: JobQueue, job: Job) -> ClaimedJob:
    claimed = await job_queue.claim(queue_id(job.chat, job.queue), f"ticket of {job.id}")
    assert claimed is not None
    return claimed


async def test_a_request_is_charged_to_the_person_and_the_chat_with_what_its_files_declare(
    job_queue: JobQueue, redis: Redis, clock: HandClock
) -> None:
    job = new_job(chat=CLUB, files=(clip(300), clip(None)))
    await job_queue.enqueue([job], 1)
    assert await used(redis, clock) == {"requests": 1, "bytes": 300}
    assert await used(redis, clock, "chat", CLUB.chat_id) == {"requests": 1, "bytes": 300}


@pytest.mark.parametrize(
    ("fields", "jobs"),
    [
        ({"kind": JobKind.EXPORT, "prompt": ""}, 1),
        ({"prompt": "", "files": (clip(0),)}, 0),
        ({"prompt": "", "files": (Attachment("id", "document", "prompt.txt", 0, "text/plain"),)}, 1),
        ({"kind": JobKind.CREDITS, "queue": QueueName.QUICK}, 0),
        ({"kind": JobKind.NEW}, 0),
    ],
)
async def test_prompts_and_exports_count_and_nothing_else(
    job_queue: JobQueue, redis: Redis, clock: HandClock, fields: dict[str, Any], jobs: int
) -> None:
    await job_queue.enqueue([new_job(**fields)], 1)
    assert (await used(redis, clock)).get("requests", 0) == jobs


async def test_a_repeated_update_is_charged_once(job_queue: JobQueue, redis: Redis, clock: HandClock) -> None:
    repeat_writes(job_queue)
    job = new_job(files=(clip(300),))
    for _ in range(2):
        await job_queue.enqueue([job], 1)
    assert await used(redis, clock) == {"requests": 1, "bytes": 300}
    await job_queue.finish(await take(job_queue, job), JobState.FAILED)
    assert await used(redis, clock) == {"requests": 0, "bytes": 0}
    totals = await redis.hgetall(keys.totals_key(clock.now().date().isoformat()))
    assert totals == {"requests": "1", "bytes": "300", "failed": "1"}


async def test_many_at_once_never_get_more_than_there_is(
    job_queue: JobQueue, redis: Redis, clock: HandClock
) -> None:
    async def ask(number: int) -> bool:
        try:
            return (await job_queue.enqueue([new_job(chat=ChatKey(number))], number)).is_new
        except QuotaExceeded:
            return False

    assert sum(await asyncio.gather(*(ask(number) for number in range(1, 20)))) == 3
    assert (await used(redis, clock))["requests"] == 3


@pytest.mark.parametrize(
    ("before", "asked", "over"),
    [
        ([new_job(number) for number in range(3)], new_job(3), QuotaWarning("person", "requests", 0)),
        ([new_job(files=(clip(900),))], new_job(files=(clip(101),)), QuotaWarning("person", "bytes", 100)),
        (
            [new_job(number, chat=CLUB, requester_id=number) for number in range(10)],
            new_job(chat=CLUB),
            QuotaWarning("chat", "requests", 0),
        ),
    ],
)
async def test_what_is_over_the_quota_is_refused_whole(
    job_queue: JobQueue, redis: Redis, clock: HandClock, before: list[Job], asked: Job, over: QuotaWarning
) -> None:
    for number, job in enumerate(before):
        await job_queue.enqueue([job], number)
    charged = await used(redis, clock)
    with pytest.raises(QuotaExceeded) as refused:
        await job_queue.enqueue([asked], 99)
    assert refused.value.warning == over
    assert await used(redis, clock) == charged
    assert await job_queue.find(asked.chat, asked.id) is None
    assert (await job_queue.enqueue([new_job(kind=JobKind.MESSAGE, queue=QueueName.QUICK)], 99)).is_new


async def test_a_full_queue_charges_nothing(redis: Redis, docket: Docket, clock: HandClock) -> None:
    job_queue = JobQueue(redis, docket, clock, quotas=Quotas(clock, DailyLimit(3)), queue_limit=1)
    await job_queue.enqueue([new_job()], 1)
    with pytest.raises(QueueFull):
        await job_queue.enqueue([new_job(1)], 2)
    assert (await used(redis, clock))["requests"] == 1


@pytest.mark.parametrize("checkpoint", SENT_CHECKPOINTS)
async def test_what_went_to_nemovideo_stays_charged(
    job_queue: JobQueue, redis: Redis, clock: HandClock, checkpoint: str
) -> None:
    job = new_job(files=(clip(300),))
    await job_queue.enqueue([job], 1)
    claimed = await take(job_queue, job)
    await job_queue.save(claimed, {checkpoint: {}})
    await job_queue.finish(claimed, JobState.CANCELLED)
    assert await used(redis, clock) == {"requests": 1, "bytes": 300}


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.FAILED, JobState.DONE])
async def test_what_ends_before_that_is_given_back(
    job_queue: JobQueue, redis: Redis, clock: HandClock, state: JobState
) -> None:
    job = new_job(files=(clip(300),))
    await job_queue.enqueue([job], 1)
    claimed = await take(job_queue, job)
    await job_queue.save(claimed, {"connected": {}})
    await job_queue.finish(claimed, state)
    assert await used(redis, clock) == {"requests": 0, "bytes": 0}


async def test_what_is_cancelled_while_it_waits_is_given_back_once(
    job_queue: JobQueue, redis: Redis, clock: HandClock
) -> None:
    repeat_writes(job_queue)
    job = new_job(files=(clip(300),))
    await job_queue.enqueue([job], 1)
    await job_queue.enqueue([new_job(1)], 2)
    await job_queue.cancel(CHAT, QueueName.MAIN, job.id)
    assert await used(redis, clock) == {"requests": 1, "bytes": 0}


async def test_bytes_are_corrected_when_they_are_known(
    job_queue: JobQueue, redis: Redis, clock: HandClock
) -> None:
    job = new_job(files=(clip(None),))
    await job_queue.enqueue([job], 1)
    claimed = await take(job_queue, job)
    for _ in range(2):  # by an attempt that died, and by the next
        await job_queue.record_upload_size(claimed, 700)
    assert await used(redis, clock) == {"requests": 1, "bytes": 700}
    await job_queue.finish(claimed, JobState.FAILED)
    await job_queue.record_upload_size(claimed, 900)
    assert await used(redis, clock) == {"requests": 0, "bytes": 0}


async def test_of_a_quota_that_turned_out_to_be_overdrawn_nothing_is_left(job_queue: JobQueue) -> None:
    job = new_job(files=(clip(None),))
    await job_queue.enqueue([job], 1)
    await job_queue.record_upload_size(await take(job_queue, job), 1400)
    with pytest.raises(QuotaExceeded) as refused:
        await job_queue.enqueue([new_job(1, files=(clip(1),))], 2)
    assert refused.value.warning == QuotaWarning("person", "bytes", 0)


async def test_a_new_day_starts_anew_and_owes_nothing_to_the_last(
    job_queue: JobQueue, redis: Redis, clock: HandClock
) -> None:
    job = new_job()
    await job_queue.enqueue([job], 1)
    yesterday = clock.now().date().isoformat()
    await clock.advance(job_queue.quotas.resets_in_s)
    assert clock.now().date().isoformat() != yesterday
    assert clock.now().hour == clock.now().minute == 0
    await redis.delete(keys.quota_key("person", ANN, yesterday), keys.totals_key(yesterday))
    await job_queue.enqueue([new_job(1)], 2)
    await job_queue.finish(await take(job_queue, job), JobState.CANCELLED)
    assert await used(redis, clock) == {"requests": 1, "bytes": 0}
    assert not await redis.exists(keys.quota_key("person", ANN, yesterday), keys.totals_key(yesterday))


async def test_what_gets_scarce_is_told_once_and_for_a_repeated_update_again(job_queue: JobQueue) -> None:
    told = []
    for number in range(3):
        first = await job_queue.enqueue([new_job(number)], number)
        again = await job_queue.enqueue([new_job(number)], number)
        assert (first.is_new, again.is_new) == (True, False)
        assert first.warnings == again.warnings
        told.append(first.warnings)
    assert told == [(), (QuotaWarning("person", "requests", 1),), ()]
    large = await job_queue.enqueue([new_job(requester_id=6, files=(clip(850),))], 9)
    assert large == Enqueued(is_new=True, warnings=(QuotaWarning("person", "bytes", 150),), is_paused=False)


async def test_all_that_is_counted_ages_out(job_queue: JobQueue, redis: Redis, clock: HandClock) -> None:
    await job_queue.enqueue([new_job(files=(clip(300),))], 1)
    day = clock.now().date().isoformat()
    for key in (
        keys.quota_key("person", ANN, day),
        keys.quota_key("chat", CHAT.chat_id, day),
        keys.totals_key(day),
        keys.people_key(day),
    ):
        assert 0 < await redis.ttl(key) <= keys.QUOTA_TTL_S, key
    assert await redis.zrange(keys.people_key(day), 0, -1, withscores=True) == [(str(ANN), 1)]


async def test_a_prompt_counts_once_however_many_parts_it_comes_in(
    job_queue: JobQueue, redis: Redis, clock: HandClock
) -> None:
    def part(number: int, text: str, kind: ArrivalKind = "asked") -> ArrivedPart:
        files = () if kind == "edited" else (clip(100),)
        return ArrivedPart(RequestPart(number, sent_at=5, files=files, album="a"), PartText(text), kind)

    for number, text in enumerate(["", "add these", "and this"], 1):
        await job_queue.enqueue([new_job(prompt="")], number, part(number, text))
    assert await used(redis, clock) == {"requests": 1, "bytes": 300}

    (job_id,) = await job_queue.current(CHAT, QueueName.MAIN)
    await job_queue.cancel(CHAT, QueueName.MAIN, job_id)
    assert await used(redis, clock) == {"requests": 0, "bytes": 0}

    await job_queue.enqueue(
        [new_job(prompt="")], 8, ArrivedPart(RequestPart(20, sent_at=90, files=(clip(10),)))
    )
    assert await used(redis, clock) == {"requests": 0, "bytes": 10}
    offer = new_job(queue=QueueName.QUICK, kind=JobKind.MESSAGE)
    for update_id, text in ((9, "cut it"), (10, "cut it now")):
        edited = ArrivedPart(RequestPart(20, sent_at=90), PartText(text), "edited")
        await job_queue.enqueue([offer], update_id, edited)
        assert await used(redis, clock) == {"requests": 1, "bytes": 10}


async def send_album(job_queue: JobQueue, captions: Sequence[str], sizes: Sequence[int]) -> list[bool]:
    """Send an album in parts; which of them were refused."""
    refused = []
    for number, (caption, size) in enumerate(zip(captions, sizes, strict=True)):
        part = RequestPart(10 + number, sent_at=90, files=(clip(size),), album="a")
        try:
            await job_queue.enqueue([new_job(prompt="")], 10 + number, ArrivedPart(part, PartText(caption)))
        except QuotaExceeded:
            refused.append(True)
        else:
            refused.append(False)
    return refused


@pytest.mark.parametrize("place", range(3))
async def test_an_album_whose_caption_is_too_much_is_refused_whole(
    job_queue: JobQueue, redis: Redis, clock: HandClock, place: int
) -> None:
    for number in range(3):
        await job_queue.enqueue([new_job(number)], number)
    captions = ["add these" if number == place else "" for number in range(3)]
    assert await send_album(job_queue, captions, [100] * 3) == [number >= place for number in range(3)]
    for _ in range(3):
        claimed = await job_queue.claim(queue_id(CHAT, QueueName.MAIN), "ticket")
        assert claimed
        assert not claimed.cancelled
        await job_queue.save(claimed, {PromptSent.name: True})
        await job_queue.finish(claimed, JobState.DONE)
    if place > 0:
        claimed = await job_queue.claim(queue_id(CHAT, QueueName.MAIN), "ticket")
        assert claimed
        assert claimed.cancelled
        await job_queue.finish(claimed, JobState.CANCELLED)
    assert await job_queue.current(CHAT, QueueName.MAIN) == []
    assert await used(redis, clock) == {"requests": 3, "bytes": 0}
    # Who asks for something with it later finds all of it.
    seen: Any = await redis.hgetall(keys.album_key(str(CHAT), "a"))
    assert {name for name in seen if name.startswith("part:")} == {"part:10", "part:11", "part:12"}


async def test_an_album_whose_caption_begins_a_project_is_refused_whole_too(job_queue: JobQueue) -> None:
    assert await send_album(job_queue, ["", ""], [100, 100]) == [False, False]
    (job_id,) = await job_queue.current(CHAT, QueueName.MAIN)
    part = RequestPart(12, sent_at=90, files=(clip(950),), album="a")
    with pytest.raises(QuotaExceeded):
        await job_queue.enqueue([new_job(prompt="")], 12, ArrivedPart(part, PartText("a cat"), "begins"))
    claimed = await job_queue.claim(queue_id(CHAT, QueueName.MAIN), "ticket")
    assert claimed
    assert (claimed.job.id, claimed.cancelled) == (job_id, True)


async def test_what_an_album_had_joined_goes_on_without_it(job_queue: JobQueue) -> None:
    comment = ArrivedPart(RequestPart(9, sent_at=90), PartText("merge these"))
    await job_queue.enqueue([new_job(prompt="")], 9, comment)
    assert await send_album(job_queue, ["", "and these", ""], [100, 950, 100]) == [False, True, True]
    (job_id,) = await job_queue.current(CHAT, QueueName.MAIN)
    status = await job_queue.find(CHAT, job_id)
    assert status
    assert (status.job.prompt, status.job.files) == ("merge these", ())
