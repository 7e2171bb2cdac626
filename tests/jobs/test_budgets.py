"""A day's budgets, charged with the acceptance of a job in one write."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from docket import Docket
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.budgets import TAKEN, Allowance, Budgets, OverBudget, Scarce
from bot.jobs.gathering import Arrival, How, Part, PartWords
from bot.jobs.job import FileRef, Job, Kind, Lane, State
from bot.jobs.lanes import LaneFull, Lanes, Taken, lane_name
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, new_job
from tests.jobs.test_lanes import SaysTwice

CLUB = ChatKey(-100500, 7)
ANN = 5


def lanes_with(redis: Redis, docket: Docket, clock: HandClock, person: Allowance, chat: Allowance) -> Lanes:
    return Lanes(redis, docket, clock, budgets=Budgets(clock, person, chat), queue_limit=50)


@pytest.fixture
def lanes(redis: Redis, docket: Docket, clock: HandClock) -> Lanes:
    return lanes_with(redis, docket, clock, Allowance(3, 1000), Allowance(10, 5000))


def clip(size: int | None) -> FileRef:
    return FileRef("id", "video", "clip.mp4", size, "video/mp4")


async def used(redis: Redis, clock: HandClock, whose: str = "person", someone: int = ANN) -> dict[str, int]:
    day = clock.now().date().isoformat()
    found: Any = await redis.hgetall(keys.budget_key(whose, someone, day))
    return {name: int(value) for name, value in found.items()}


async def take(lanes: Lanes, job: Job) -> Taken:
    taken = await lanes.take(lane_name(job.chat, job.lane), f"ticket of {job.id}")
    assert taken is not None
    return taken


async def test_a_request_is_charged_to_the_person_and_the_chat_with_what_its_files_declare(
    lanes: Lanes, redis: Redis, clock: HandClock
) -> None:
    job = new_job(chat=CLUB, files=(clip(300), clip(None)))
    await lanes.accept([job], 1)
    assert await used(redis, clock) == {"jobs": 1, "bytes": 300}
    assert await used(redis, clock, "chat", CLUB.chat_id) == {"jobs": 1, "bytes": 300}


@pytest.mark.parametrize(
    ("fields", "jobs"),
    [
        ({"kind": Kind.EXPORT, "text": ""}, 1),
        ({"text": "", "files": (clip(0),)}, 0),
        ({"text": "", "files": (FileRef("id", "document", "wish.txt", 0, "text/plain"),)}, 1),
        ({"kind": Kind.CREDITS, "lane": Lane.ASK}, 0),
        ({"kind": Kind.NEW}, 0),
    ],
)
async def test_wishes_and_exports_count_and_nothing_else(
    lanes: Lanes, redis: Redis, clock: HandClock, fields: dict[str, Any], jobs: int
) -> None:
    await lanes.accept([new_job(**fields)], 1)
    assert (await used(redis, clock)).get("jobs", 0) == jobs


async def test_a_repeated_update_is_charged_once(lanes: Lanes, redis: Redis, clock: HandClock) -> None:
    SaysTwice(lanes)
    job = new_job(files=(clip(300),))
    for _ in range(2):
        await lanes.accept([job], 1)
    assert await used(redis, clock) == {"jobs": 1, "bytes": 300}
    await lanes.finish(await take(lanes, job), State.FAILED)
    assert await used(redis, clock) == {"jobs": 0, "bytes": 0}
    totals = await redis.hgetall(keys.totals_key(clock.now().date().isoformat()))
    assert totals == {"jobs": "1", "bytes": "300", "failed": "1"}


async def test_many_at_once_never_get_more_than_there_is(
    lanes: Lanes, redis: Redis, clock: HandClock
) -> None:
    async def ask(number: int) -> bool:
        try:
            return await lanes.accept([new_job(chat=ChatKey(number))], number)
        except OverBudget:
            return False

    assert sum(await asyncio.gather(*(ask(number) for number in range(1, 20)))) == 3
    assert (await used(redis, clock))["jobs"] == 3


@pytest.mark.parametrize(
    ("before", "asked", "over"),
    [
        ([new_job(number) for number in range(3)], new_job(3), Scarce("person", "jobs", 0)),
        ([new_job(files=(clip(900),))], new_job(files=(clip(101),)), Scarce("person", "bytes", 100)),
        (
            [new_job(number, chat=CLUB, owner_id=number) for number in range(10)],
            new_job(chat=CLUB),
            Scarce("chat", "jobs", 0),
        ),
    ],
)
async def test_what_is_over_the_budget_is_refused_whole(
    lanes: Lanes, redis: Redis, clock: HandClock, before: list[Job], asked: Job, over: Scarce
) -> None:
    for number, job in enumerate(before):
        await lanes.accept([job], number)
    charged = await used(redis, clock)
    with pytest.raises(OverBudget) as refused:
        await lanes.accept([asked], 99)
    assert refused.value.scarce == over
    assert await used(redis, clock) == charged
    assert await lanes.find(asked.chat, asked.id) is None
    assert await lanes.accept([new_job(kind=Kind.SAY, lane=Lane.ASK)], 99)


async def test_a_full_lane_charges_nothing(redis: Redis, docket: Docket, clock: HandClock) -> None:
    lanes = Lanes(redis, docket, clock, budgets=Budgets(clock, Allowance(3)), queue_limit=1)
    await lanes.accept([new_job()], 1)
    with pytest.raises(LaneFull):
        await lanes.accept([new_job(1)], 2)
    assert (await used(redis, clock))["jobs"] == 1


@pytest.mark.parametrize("checkpoint", TAKEN)
async def test_what_went_to_nemovideo_stays_charged(
    lanes: Lanes, redis: Redis, clock: HandClock, checkpoint: str
) -> None:
    job = new_job(files=(clip(300),))
    await lanes.accept([job], 1)
    taken = await take(lanes, job)
    await lanes.save(taken, checkpoint, {})
    await lanes.finish(taken, State.CANCELLED)
    assert await used(redis, clock) == {"jobs": 1, "bytes": 300}


@pytest.mark.parametrize("state", [State.CANCELLED, State.FAILED, State.DONE])
async def test_what_ends_before_that_is_given_back(
    lanes: Lanes, redis: Redis, clock: HandClock, state: State
) -> None:
    job = new_job(files=(clip(300),))
    await lanes.accept([job], 1)
    taken = await take(lanes, job)
    await lanes.save(taken, "connected", {})
    await lanes.finish(taken, state)
    assert await used(redis, clock) == {"jobs": 0, "bytes": 0}


async def test_what_is_cancelled_while_it_waits_is_given_back_once(
    lanes: Lanes, redis: Redis, clock: HandClock
) -> None:
    SaysTwice(lanes)
    job = new_job(files=(clip(300),))
    await lanes.accept([job], 1)
    await lanes.accept([new_job(1)], 2)
    await lanes.cancel(CHAT, Lane.EDIT, job.id)
    assert await used(redis, clock) == {"jobs": 1, "bytes": 0}


async def test_bytes_are_corrected_when_they_are_known(lanes: Lanes, redis: Redis, clock: HandClock) -> None:
    job = new_job(files=(clip(None),))
    await lanes.accept([job], 1)
    taken = await take(lanes, job)
    for _ in range(2):  # by an attempt that died, and by the next
        await lanes.weigh(taken, 700)
    assert await used(redis, clock) == {"jobs": 1, "bytes": 700}
    await lanes.finish(taken, State.FAILED)
    await lanes.weigh(taken, 900)
    assert await used(redis, clock) == {"jobs": 0, "bytes": 0}


async def test_a_new_day_starts_anew_and_owes_nothing_to_the_last(
    lanes: Lanes, redis: Redis, clock: HandClock
) -> None:
    job = new_job()
    await lanes.accept([job], 1)
    yesterday = clock.now().date().isoformat()
    await clock.advance(lanes.budgets.anew_in_s)
    assert clock.now().date().isoformat() != yesterday
    assert clock.now().hour == clock.now().minute == 0
    await redis.delete(keys.budget_key("person", ANN, yesterday), keys.totals_key(yesterday))
    await lanes.accept([new_job(1)], 2)
    await lanes.finish(await take(lanes, job), State.CANCELLED)
    assert await used(redis, clock) == {"jobs": 1, "bytes": 0}
    assert not await redis.exists(keys.budget_key("person", ANN, yesterday), keys.totals_key(yesterday))


async def test_what_gets_scarce_is_told_once_and_for_a_repeated_update_again(lanes: Lanes) -> None:
    told = []
    for number in range(3):
        await lanes.accept([new_job(number)], number)
        await lanes.accept([new_job(number)], number)
        told.append(await lanes.scarce(CHAT, number))
    assert told == [[], [Scarce("person", "jobs", 1)], []]
    await lanes.accept([new_job(owner_id=6, files=(clip(850),))], 9)
    assert await lanes.scarce(CHAT, 9) == [Scarce("person", "bytes", 150)]


async def test_all_that_is_counted_ages_out(lanes: Lanes, redis: Redis, clock: HandClock) -> None:
    await lanes.accept([new_job(files=(clip(300),))], 1)
    day = clock.now().date().isoformat()
    for key in (
        keys.budget_key("person", ANN, day),
        keys.budget_key("chat", CHAT.chat_id, day),
        keys.totals_key(day),
        keys.people_key(day),
    ):
        assert 0 < await redis.ttl(key) <= keys.BUDGET_TTL_S, key
    assert await redis.pfcount(keys.people_key(day)) == 1


async def test_a_wish_counts_once_however_many_parts_it_comes_in(
    lanes: Lanes, redis: Redis, clock: HandClock
) -> None:
    def part(number: int, text: str, how: How = "asked") -> Arrival:
        files = () if how == "edited" else (clip(100),)
        return Arrival(Part(number, sent_at=5, files=files, album="a"), PartWords(text), how)

    for number, text in enumerate(["", "add these", "and this"], 1):
        await lanes.accept([new_job(text="")], number, part(number, text))
    assert await used(redis, clock) == {"jobs": 1, "bytes": 300}

    (job_id,) = await lanes.current(CHAT, Lane.EDIT)
    await lanes.cancel(CHAT, Lane.EDIT, job_id)
    assert await used(redis, clock) == {"jobs": 0, "bytes": 0}

    await lanes.accept([new_job(text="")], 8, Arrival(Part(20, sent_at=90, files=(clip(10),))))
    assert await used(redis, clock) == {"jobs": 0, "bytes": 10}
    offer = new_job(lane=Lane.ASK, kind=Kind.SAY)
    await lanes.accept([offer], 9, Arrival(Part(20, sent_at=90), PartWords("cut it"), "edited"))
    assert await used(redis, clock) == {"jobs": 1, "bytes": 10}


async def send_album(lanes: Lanes, captions: Sequence[str], sizes: Sequence[int]) -> list[bool]:
    """Send an album in parts; which of them were refused."""
    refused = []
    for number, (caption, size) in enumerate(zip(captions, sizes, strict=True)):
        part = Part(10 + number, sent_at=90, files=(clip(size),), album="a")
        try:
            await lanes.accept([new_job(text="")], 10 + number, Arrival(part, PartWords(caption)))
        except OverBudget:
            refused.append(True)
        else:
            refused.append(False)
    return refused


@pytest.mark.parametrize("place", range(3))
async def test_an_album_whose_caption_is_too_much_is_refused_whole(
    lanes: Lanes, redis: Redis, clock: HandClock, place: int
) -> None:
    for number in range(3):
        await lanes.accept([new_job(number)], number)
    captions = ["add these" if number == place else "" for number in range(3)]
    assert await send_album(lanes, captions, [100] * 3) == [number >= place for number in range(3)]
    for _ in range(3):
        taken = await lanes.take(lane_name(CHAT, Lane.EDIT), "ticket")
        assert taken
        assert not taken.cancelled
        await lanes.save(taken, "asked", True)
        await lanes.finish(taken, State.DONE)
    if place > 0:
        taken = await lanes.take(lane_name(CHAT, Lane.EDIT), "ticket")
        assert taken
        assert taken.cancelled
        await lanes.finish(taken, State.CANCELLED)
    assert await lanes.current(CHAT, Lane.EDIT) == []
    assert await used(redis, clock) == {"jobs": 3, "bytes": 0}
    # Who asks for something with it later finds all of it.
    seen: Any = await redis.hgetall(keys.album_key(str(CHAT), "a"))
    assert {name for name in seen if name.startswith("part:")} == {"part:10", "part:11", "part:12"}


async def test_what_an_album_had_joined_goes_on_without_it(lanes: Lanes) -> None:
    comment = Arrival(Part(9, sent_at=90), PartWords("merge these"))
    await lanes.accept([new_job(text="")], 9, comment)
    assert await send_album(lanes, ["", "and these", ""], [100, 950, 100]) == [False, True, True]
    (job_id,) = await lanes.current(CHAT, Lane.EDIT)
    standing = await lanes.find(CHAT, job_id)
    assert standing
    assert (standing.job.text, standing.job.files) == ("merge these", ())
