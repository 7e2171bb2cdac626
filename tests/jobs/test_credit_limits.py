"""What the operator's account may spend on a day: readings of its balance, and estimates until they show it."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Job, JobState, QueueName
from bot.jobs.queue.credit_limits import BalanceReading, CreditLimits, DailyCredits
from bot.jobs.queue.job_queue import JobQueue
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import new_job
from tests.jobs.test_quotas import take

ANN, BO = 5, 6


class Till:
    """An account with its balance, and the limits on what is spent of it."""

    def __init__(self, redis: Redis, job_queue: JobQueue, clock: HandClock) -> None:
        self.redis, self.job_queue, self.clock = redis, job_queue, clock
        self.balance = 10_000.0
        self.alerts: list[tuple[str, str]] = []
        self.limits = self.limited()

    def limited(self, bot: int = 0, person: int = 0) -> CreditLimits:
        self.limits = CreditLimits(self.redis, self.clock, DailyCredits(bot, person), self._alert)
        return self.limits

    async def _alert(self, name: str, message: LocalizedMessage) -> None:
        self.alerts.append((name.rpartition(":")[2], message.key))

    async def job(self, person: int = ANN) -> Job:
        job = new_job(requester_id=person, chat=ChatKey(1000 + person))
        await self.job_queue.enqueue([job], job.id)
        return job

    async def read(self) -> BalanceReading:
        return BalanceReading(await self.limits.begin_reading(), self.balance)

    async def begin(self, job: Job | None = None, person: int = ANN, estimate: int = 50) -> Any:
        """Return whose limit refuses a message, or the job that sent it."""
        job = job or await self.job(person)
        return await self.limits.reserve(job, 1, estimate, await self.read()) or job

    async def spend(self, job: Job, used: int, *, told: bool = True) -> None:
        self.balance -= used
        await self.limits.record_use(job, used if told else None, await self.read())

    async def totals(self) -> dict[str, int]:
        found: Any = await self.redis.hgetall(keys.totals_key(self.clock.now().date().isoformat()))
        names = ("credits", "credits_reserved", "credits_unseen")
        return {name: int(found.get(name, 0)) for name in names}

    async def of_person(self, person: int = ANN) -> int:
        key = keys.quota_key("person", person, self.clock.now().date().isoformat())
        return int(await self.redis.hget(key, "credits") or 0)


@pytest.fixture
def till(redis: Redis, job_queue: JobQueue, clock: HandClock) -> Till:
    return Till(redis, job_queue, clock)


async def test_what_all_spend_is_counted_by_the_falls_of_the_balance_and_refused_at_the_limit(
    till: Till,
) -> None:
    till.limited(bot=200)
    for person, used in ((ANN, 70), (BO, 60)):
        await till.spend(await till.begin(person=person), used)
    assert await till.totals() == {"credits": 130, "credits_reserved": 0, "credits_unseen": 0}
    assert isinstance(await till.begin(), Job)  # 130 and 50 are below 200
    assert await till.begin(person=BO) == "bot"
    assert till.alerts == [
        ("50", "alert.credits_used"),
        ("80", "alert.credits_used"),
        ("100", "alert.credits_used_up"),
    ]


async def test_messages_that_run_side_by_side_never_go_past_the_limit(till: Till) -> None:
    till.limited(bot=200)
    begun = await asyncio.gather(*(till.begin(person=person) for person in range(20)))
    assert sum(isinstance(one, Job) for one in begun) == 4
    assert begun.count("bot") == 16


async def test_what_runs_over_midnight_is_counted_where_it_began_and_where_its_fall_is_seen(
    till: Till,
) -> None:
    till.limited(bot=100, person=100)
    late = await till.begin(person=ANN, estimate=60)
    till.clock.set_wall(86_400)
    begun = await asyncio.gather(*(till.begin(person=person) for person in (ANN, BO, 7, 8)))
    assert begun.count("bot") == 2, "two jobs at the limit share what is left of it"
    await till.spend(late, 60)
    assert await till.totals() == {"credits": 60, "credits_reserved": 100, "credits_unseen": 0}
    assert await till.of_person(ANN) == (0 if begun[0] == "bot" else 50)
    assert await till.begin(person=9) == "bot"


async def test_each_person_has_a_share(till: Till) -> None:
    till.limited(person=120)
    await till.spend(await till.begin(person=ANN, estimate=100), 40)
    await till.spend(await till.begin(person=ANN), 50)
    assert await till.begin(person=ANN) == "person"
    assert isinstance(await till.begin(person=BO), Job)
    assert till.alerts == []
    till.clock.set_wall(86_400)
    assert isinstance(await till.begin(person=ANN), Job)


async def test_the_estimate_stands_where_nobody_can_tell_what_a_message_used(till: Till) -> None:
    till.limited(bot=1000, person=1000)
    first, second = await till.begin(person=ANN), await till.begin(person=BO)
    await till.spend(first, 70, told=False)
    await till.spend(second, 20, told=False)
    assert [await till.of_person(one) for one in (ANN, BO)] == [50, 50]
    assert await till.totals() == {"credits": 90, "credits_reserved": 0, "credits_unseen": 0}


async def test_without_a_reading_the_estimate_counts_until_the_next_one_shows_more(till: Till) -> None:
    till.limited(bot=1000)
    job = await till.begin()
    till.balance -= 80
    await till.limits.record_use(job, None)
    assert await till.totals() == {"credits": 0, "credits_reserved": 0, "credits_unseen": 50}
    await till.begin()
    assert await till.totals() == {"credits": 80, "credits_reserved": 50, "credits_unseen": 0}


async def test_the_first_reading_shows_nothing_of_what_ended_before_it(till: Till) -> None:
    job = await till.job()
    await till.limits.reserve(job, 1, 50, None)
    await till.limits.record_use(job, None)
    await till.begin()
    assert await till.totals() == {"credits": 0, "credits_reserved": 50, "credits_unseen": 50}


async def test_nothing_is_reserved_for_a_job_that_was_erased(till: Till, redis: Redis) -> None:
    job = new_job()
    await till.begin(job)
    assert await till.totals() == {"credits": 0, "credits_reserved": 0, "credits_unseen": 0}
    assert await redis.exists(keys.job_key(str(job.chat), job.id)) == 0


async def test_a_reading_that_another_one_overtook_is_not_counted_twice(till: Till) -> None:
    till.limited(bot=1000)
    await till.begin()
    slow = await till.read()
    till.balance -= 100
    await till.begin()
    await till.limits.reserve(await till.job(), 1, 50, slow)  # It still shows the balance before.
    await till.begin()
    assert (await till.totals())["credits"] == 100


async def test_topping_up_counts_nothing_and_forgets_no_estimate(till: Till) -> None:
    till.limited(bot=1000)
    job = await till.begin()
    await till.limits.record_use(job, None)
    till.balance += 5000
    await till.begin()
    assert await till.totals() == {"credits": 50, "credits_reserved": 50, "credits_unseen": 0}


async def test_a_message_that_was_refused_costs_nothing(till: Till) -> None:
    till.limited(bot=1000, person=1000)
    job = await till.begin()
    await till.limits.record_use(job, 0)
    assert await till.of_person() == 0
    assert sum((await till.totals()).values()) == 0


async def test_a_message_that_is_prepared_again_is_reserved_once(till: Till) -> None:
    till.limited(bot=1000, person=1000)
    job = await till.begin()
    await till.begin(job)
    assert await till.of_person() == 50
    assert (await till.totals())["credits_reserved"] == 50


@pytest.mark.parametrize("ends", ["finished", "cancelled"])
async def test_a_job_that_ends_without_an_answer_leaves_its_estimate_to_the_next_reading(
    till: Till, ends: str
) -> None:
    till.limited(bot=1000, person=1000)
    job = await till.job()
    if ends == "finished":
        claimed = await take(till.job_queue, job)
        await till.begin(job)
        await till.job_queue.finish(claimed, JobState.FAILED)
    else:
        await till.begin(job)
        await till.job_queue.cancel(job.chat, QueueName.MAIN, job.id)
    assert await till.totals() == {"credits": 0, "credits_reserved": 0, "credits_unseen": 50}
    assert await till.of_person() == 50


async def test_the_first_message_of_a_day_is_sent_even_if_it_takes_more_than_the_limit(till: Till) -> None:
    till.limited(bot=30, person=30)
    await till.spend(await till.begin(), 50)
    assert await till.begin() == "bot"


async def test_an_alert_is_sent_once_a_day(till: Till) -> None:
    till.limited(bot=100)
    await till.spend(await till.begin(), 60)
    for _ in range(3):
        await till.begin(estimate=50)
    assert till.alerts == [("50", "alert.credits_used"), ("100", "alert.credits_used_up")]


async def test_nothing_of_it_is_kept_for_ever(till: Till, redis: Redis) -> None:
    till.limited(bot=1000, person=1000)
    await till.spend(await till.begin(), 60)
    day = till.clock.now().date().isoformat()
    for key in (keys.OPERATOR_BALANCE, keys.totals_key(day), keys.quota_key("person", ANN, day)):
        assert 0 < await redis.ttl(key) <= keys.QUOTA_TTL_S
