"""What those who run the bot do: pause, a word to all who wait, how it stands."""

from datetime import UTC, datetime, timedelta

import pytest
from docket import Docket
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.crew import up_since, worker_name
from bot.jobs.guest_tokens import GuestTokens
from bot.jobs.job import Job, Kind, Lane, State
from bot.jobs.lanes import AtWork, Lanes, lane_name
from bot.jobs.ports import Notice, Report
from bot.jobs.runner import Run
from bot.jobs.steps.admin import announce, tell_stats
from bot.store import keys
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, Teller, new_job, tickets

CLUB = ChatKey(-100500, 7)
EDIT = lane_name(CHAT, Lane.EDIT)


class Died(BaseException):
    """Stands for ``kill -9``."""


async def run_of(lanes: Lanes, clock: HandClock, teller: Teller, job: Job, ticket: str = "ticket") -> Run:
    taken = await lanes.take(lane_name(job.chat, job.lane), ticket)
    assert taken is not None
    run = Run(taken, lanes, clock)
    run.front = teller.open(job, run)
    return run


async def test_in_a_pause_no_wish_begins_in_any_process_and_what_runs_goes_on(
    lanes: Lanes, redis: Redis, docket: Docket, clock: HandClock
) -> None:
    running, waiting = new_job(), new_job(1)
    await lanes.accept([running], 1)
    await lanes.accept([waiting], 2)
    taken = await lanes.take(EDIT, "ticket")
    await Lanes(redis, docket, clock).pause()

    again = await lanes.take(EDIT, "ticket")
    assert taken
    assert again
    assert again.job.id == running.id
    await lanes.finish(again, State.DONE)
    assert await lanes.take(EDIT, "another") is None
    assert await lanes.current(CHAT, Lane.EDIT) == [waiting.id]

    await Lanes(redis, docket, clock).resume()
    begun = await lanes.take(EDIT, "another")
    assert begun
    assert begun.job.id == waiting.id


@pytest.mark.parametrize("kind", [Kind.NEW, Kind.LOGIN])
async def test_a_pause_stops_neither_questions_nor_what_costs_nothing(lanes: Lanes, kind: Kind) -> None:
    await lanes.pause()
    await lanes.accept([new_job(kind=kind), new_job(kind=Kind.CREDITS, lane=Lane.ASK)], 1)
    assert await lanes.take(EDIT, "a")
    assert await lanes.take(lane_name(CHAT, Lane.ASK), "b")


async def test_the_sweep_waits_for_the_end_of_a_pause(
    lanes: Lanes, docket: Docket, redis: Redis, clock: HandClock
) -> None:
    await lanes.accept([new_job()], 1)
    await docket.clear()
    await lanes.pause()
    await clock.advance(7200)
    assert await lanes.sweep() == 0
    assert await tickets(docket) == []
    await lanes.resume()
    assert [lane for lane, _, _ in await tickets(docket)] == [EDIT]


async def test_a_word_reaches_each_chat_once_even_when_its_process_dies_in_between(
    lanes: Lanes, clock: HandClock, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lanes.accept([new_job(), new_job(1)], 1)
    await lanes.accept([new_job(chat=CLUB, language="zh")], 2)
    await lanes.accept([new_job(chat=ChatKey(9), kind=Kind.CREDITS, lane=Lane.ASK)], 3)
    asked = new_job(chat=ChatKey(77), lane=Lane.ASK, kind=Kind.ANNOUNCE, data={"word": 1})
    await lanes.accept([asked], 4)

    accept = lanes.accept
    given: list[int | str] = []

    async def dies_after_the_first(jobs: list[Job], update_id: int | str) -> bool:
        if given:
            raise Died
        given.append(update_id)
        return await accept(jobs, update_id)

    monkeypatch.setattr(lanes, "accept", dies_after_the_first)
    with pytest.raises(Died):
        await announce(lanes)(await run_of(lanes, clock, teller, asked))
    monkeypatch.setattr(lanes, "accept", accept)
    # Who comes later was not there when it was said.
    await lanes.accept([new_job(chat=ChatKey(12))], 5)
    await announce(lanes)(await run_of(lanes, clock, teller, asked))

    for chat, language, waiting in ((CHAT, "en", 1), (CLUB, "zh", 1), (ChatKey(12), "en", 0)):
        ids = await lanes.current(chat, Lane.ASK)
        assert len(ids) == waiting
        for one in ids:
            standing = await lanes.find(chat, one)
            assert standing
            assert (standing.job.kind, standing.job.language, dict(standing.job.data)) == (
                Kind.SAY,
                language,
                {"word": 1},
            )
    assert teller.told == [(asked.id, "announced", Notice("admin.announced", {"n": 2}))]


async def test_the_numbers_are_those_of_today(
    lanes: Lanes, redis: Redis, clock: HandClock, teller: Teller
) -> None:
    for number in range(3):
        await lanes.accept([new_job(number)], number)
    await lanes.accept([new_job(chat=CLUB, owner_id=6)], 3)
    for state in (State.DONE, State.FAILED):
        taken = await lanes.take(EDIT, state)
        assert taken
        await lanes.finish(taken, state)
    await lanes.take(lane_name(CLUB, Lane.EDIT), "club")
    assert await lanes.at_work() == [AtWork(CLUB, True, 0, "en"), AtWork(CHAT, False, 1, "en")]
    asked = new_job(chat=ChatKey(77), lane=Lane.ASK, kind=Kind.STATS)
    await lanes.accept([asked], 4)
    await tell_stats(lanes, GuestTokens(redis, clock), redis)(await run_of(lanes, clock, teller, asked))
    (told,) = [message for _, _, message in teller.told]
    assert isinstance(told, Report)
    shown = {line.key: line.params for line in (told.heading, *told.lines)}
    assert shown["stats.heading"] == {"jobs": 4}
    assert shown["stats.ended"] == {"done": 1, "failed": 1, "cancelled": 0}
    assert shown["stats.now"] == {"running": 1, "waiting": 1}
    assert shown["stats.people"]["people"] == 2
    assert "stats.paused" not in shown
    assert "stats.given_up" not in shown
    assert await redis.ttl(keys.totals_key(clock.now().date().isoformat())) > 0


def test_a_workers_name_tells_since_when_it_is_there() -> None:
    since = up_since(worker_name())
    assert since
    assert timedelta() <= datetime.now(UTC) - since < timedelta(minutes=1)
    assert worker_name() != worker_name()
    assert up_since("host#12#abcdef01") is None
