"""What those who run the bot do: pause, a word to all who wait, how it stands."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from docket import Docket
from prometheus_client import generate_latest
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.messages import ListMessage, LocalizedMessage, Param, Seconds, UncutText
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.payloads import AnnouncePayload, MessagePayload
from bot.jobs.queue.account_credits import (
    TOP_ACCOUNTS,
    AccountCredits,
    AccountsToday,
    AccountSums,
    AccountUse,
)
from bot.jobs.queue.job_queue import Enqueued, JobQueue
from bot.jobs.queue.statistics import ActiveChat
from bot.jobs.queue.tickets import queue_id
from bot.jobs.queue.usual_times import TimedStage, UsualTimes
from bot.jobs.steps.announce import Announce
from bot.jobs.steps.show_stats import ShowStats
from bot.jobs.worker.attempt import Attempt
from bot.jobs.worker.store_metrics import update_metrics
from bot.jobs.worker.stuck_job_monitor import StuckJobMonitor
from bot.jobs.worker.supervisor import up_since, worker_name
from bot.projects.guest_account_count import GuestAccountCounter
from bot.store import keys
from bot.store.connect import Store
from bot.store.docket_json import open_docket
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, Responders, new_job, tickets

CLUB = ChatKey(-100500, 7)
EDIT = queue_id(CHAT, QueueName.MAIN)

WORD = LocalizedMessage("admin.word", {"text": UncutText("back at noon")})


class Died(BaseException):
    """Stands for ``kill -9``."""


async def run_of(
    job_queue: JobQueue, clock: HandClock, responders: Responders, job: Job, ticket: str = "ticket"
) -> Attempt:
    claimed = await job_queue.claim(queue_id(job.chat, job.queue), ticket)
    assert claimed is not None
    attempt = Attempt(claimed, job_queue, clock)
    attempt.responder = responders.open(job, attempt)
    return attempt


async def shown_stats(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders
) -> dict[str, Mapping[str, Param]]:
    asked = new_job(chat=ChatKey(77), queue=QueueName.QUICK, kind=JobKind.STATS)
    await job_queue.enqueue([asked], f"stats {len(responders.sent)}")
    attempt = await run_of(job_queue, clock, responders, asked)
    await ShowStats(GuestAccountCounter(redis, clock), UsualTimes(redis))(attempt)
    await job_queue.finish(attempt.claimed, JobState.DONE)
    _, _, told = responders.sent[-1]
    assert isinstance(told, ListMessage)
    return {line.key: line.params for line in (told.heading, *told.lines)}


async def test_in_a_pause_no_prompt_begins_in_any_process_and_what_runs_goes_on(
    job_queue: JobQueue, redis: Redis, docket: Docket, clock: HandClock
) -> None:
    running, waiting = new_job(), new_job(1)
    await job_queue.enqueue([running], 1)
    await job_queue.enqueue([waiting], 2)
    claimed = await job_queue.claim(EDIT, "ticket")
    await JobQueue(redis, docket, clock).pause()

    again = await job_queue.claim(EDIT, "ticket")
    assert claimed
    assert again
    assert again.job.id == running.id
    await job_queue.finish(again, JobState.DONE)
    assert await job_queue.claim(EDIT, "another") is None
    assert await job_queue.current(CHAT, QueueName.MAIN) == [waiting.id]

    await JobQueue(redis, docket, clock).resume()
    begun = await job_queue.claim(EDIT, "another")
    assert begun
    assert begun.job.id == waiting.id


@pytest.mark.parametrize("kind", [JobKind.NEW, JobKind.LOGIN])
async def test_a_pause_stops_neither_questions_nor_what_costs_nothing(
    job_queue: JobQueue, kind: JobKind
) -> None:
    await job_queue.pause()
    await job_queue.enqueue([new_job(kind=kind), new_job(kind=JobKind.CREDITS, queue=QueueName.QUICK)], 1)
    assert await job_queue.claim(EDIT, "a")
    assert await job_queue.claim(queue_id(CHAT, QueueName.QUICK), "b")


async def test_the_sweep_waits_for_the_end_of_a_pause(
    job_queue: JobQueue, docket: Docket, redis: Redis, clock: HandClock
) -> None:
    await job_queue.enqueue([new_job()], 1)
    await docket.clear()
    await job_queue.pause()
    await clock.advance(7200)
    assert await job_queue.sweep() == 0
    assert await tickets(docket) == []
    await job_queue.resume()
    assert [queue for queue, _, _ in await tickets(docket)] == [EDIT]


async def test_a_word_reaches_each_chat_once_even_when_its_process_dies_in_between(
    job_queue: JobQueue, clock: HandClock, responders: Responders, monkeypatch: pytest.MonkeyPatch
) -> None:
    await job_queue.enqueue([new_job(), new_job(1)], 1)
    await job_queue.enqueue([new_job(chat=CLUB, language="zh")], 2)
    await job_queue.enqueue([new_job(chat=ChatKey(9), kind=JobKind.CREDITS, queue=QueueName.QUICK)], 3)
    asked = new_job(
        chat=ChatKey(77), queue=QueueName.QUICK, kind=JobKind.ANNOUNCE, payload=AnnouncePayload(message=WORD)
    )
    await job_queue.enqueue([asked], 4)

    accept = job_queue.enqueue
    given: list[int | str] = []

    async def dies_after_the_first(jobs: list[Job], update_id: int | str) -> Enqueued:
        if given:
            raise Died
        given.append(update_id)
        return await accept(jobs, update_id)

    monkeypatch.setattr(job_queue, "enqueue", dies_after_the_first)
    with pytest.raises(Died):
        await Announce()(await run_of(job_queue, clock, responders, asked))
    monkeypatch.setattr(job_queue, "enqueue", accept)
    # Who comes later was not there when it was said.
    await job_queue.enqueue([new_job(chat=ChatKey(12))], 5)
    await Announce()(await run_of(job_queue, clock, responders, asked))

    for chat, language, waiting in ((CHAT, "en", 1), (CLUB, "zh", 1), (ChatKey(12), "en", 0)):
        ids = await job_queue.current(chat, QueueName.QUICK)
        assert len(ids) == waiting
        for one in ids:
            status = await job_queue.find(chat, one)
            assert status
            assert (status.job.kind, status.job.language, status.job.payload) == (
                JobKind.MESSAGE,
                language,
                MessagePayload(message=WORD),
            )
    assert responders.sent == [(asked.id, "announced", LocalizedMessage("admin.announced", {"n": 2}))]


async def test_the_numbers_are_those_of_today(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders
) -> None:
    for number in range(3):
        await job_queue.enqueue([new_job(number)], number)
    await job_queue.enqueue([new_job(chat=CLUB, requester_id=6)], 3)
    for state in (JobState.DONE, JobState.FAILED):
        claimed = await job_queue.claim(EDIT, state)
        assert claimed
        await job_queue.finish(claimed, state)
    await job_queue.claim(queue_id(CLUB, QueueName.MAIN), "club")
    assert await job_queue.statistics.active_chats() == [
        ActiveChat(CLUB, 0, "en"),
        ActiveChat(CHAT, 1, "en"),
    ]
    shown = await shown_stats(job_queue, redis, clock, responders)
    assert shown["stats.heading"] == {"jobs": 4}
    assert shown["stats.ended"] == {"done": 1, "failed": 1, "cancelled": 0}
    assert shown["stats.now"] == {"running": 1, "waiting": 1}
    assert shown["stats.people"]["people"] == 2
    assert shown["stats.top"] == {"people": "5 (3), 6 (1)"}
    assert shown["stats.yesterday"] == {"jobs": 0, "credits": 0}
    assert "stats.credits" not in shown, "the operator's account was not used"
    assert "stats.paused" not in shown
    assert "stats.given_up" not in shown
    assert await redis.ttl(keys.totals_key(clock.now().date().isoformat())) > 0


async def test_the_accounts_of_chats_are_summed_and_those_that_spent_most_are_named(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders
) -> None:
    accounts = AccountCredits(redis, clock)
    for chat_id in range(1, 20):
        await accounts.record("guest", chat_id, used=50, left=50)
    await accounts.record("guest", 7, used=30, left=20)
    await accounts.record("own", -100123, used=200, left=1800)
    today = await job_queue.statistics.accounts.today()
    assert today.sums == {"own": AccountSums(1, 200, 1800), "guest": AccountSums(19, 980, 920)}
    assert today.top[:2] == (AccountUse("own", -100123, 200, 1800), AccountUse("guest", 7, 80, 20))
    assert len(today.top) == TOP_ACCOUNTS
    for key in (keys.accounts_spent_key(""), keys.accounts_left_key("")):
        assert 0 < await redis.ttl(f"{key}{clock.now().date().isoformat()}") <= keys.QUOTA_TTL_S

    shown = await shown_stats(job_queue, redis, clock, responders)
    assert shown["stats.accounts_guest"] == {"n": 19, "spent": 980, "left": 920}
    assert shown["stats.accounts_own"] == {"n": 1, "spent": 200, "left": 1800}
    assert shown["stats.account_own"] == {"chat": "-100123", "spent": 200, "left": 1800}
    clock.set_wall(86_400)
    assert await job_queue.statistics.accounts.today() == AccountsToday({}, ())


async def test_the_wait_for_a_video_is_split_once_it_is_known(
    job_queue: JobQueue, redis: Redis, clock: HandClock, responders: Responders
) -> None:
    assert "stats.render_wait" not in await shown_stats(job_queue, redis, clock, responders)
    for work, took_s in ((TimedStage.RENDER, 40), (TimedStage.RENDER_QUEUE, 10), (TimedStage.DOWNLOAD, 3)):
        await redis.rpush(keys.usual_times_key(work), took_s, took_s, took_s)
    shown = await shown_stats(job_queue, redis, clock, responders)
    assert shown["stats.render_wait"] == {"queue": Seconds(10), "render": Seconds(30), "download": Seconds(3)}


async def test_metrics_hide_chats_and_name_few(job_queue: JobQueue, redis: Redis, clock: HandClock) -> None:
    for chat_id in range(1000, 1020):
        await AccountCredits(redis, clock).record("guest", chat_id, used=chat_id, left=5)
    for _ in range(2):
        await update_metrics(
            job_queue.statistics, StuckJobMonitor(redis, clock, 60), GuestAccountCounter(redis, clock), b"key"
        )
    text = generate_latest().decode()
    assert 'nemovideo_accounts_credits_today{kind="guest"} 20190.0' in text
    assert 'nemovideo_accounts_credits_left{kind="guest"} 100.0' in text
    named = re.findall(r'^nemovideo_account_credits_today{chat="([0-9a-f]{12})",kind="guest"}', text, re.M)
    assert len(named) == TOP_ACCOUNTS
    assert "1019.0" in text
    assert '"1019"' not in text


async def test_stats_name_a_process_once_and_say_if_one_of_its_workers_is_gone(
    store: Store, docket: Docket, clock: HandClock, responders: Responders
) -> None:
    now_s = int(datetime.now(UTC).timestamp())

    async with open_docket(keys.QUICK_DOCKET, store.url, timedelta(minutes=1)) as quick_docket:
        job_queue = JobQueue(store.redis, docket, clock, quick_docket=quick_docket)
        whole, requests_only, quick_only = f"whole#1#{now_s - 3600}", f"deaf#1#{now_s}", f"idle#1#{now_s}"
        await store.redis.zadd(docket.workers_set, {f"{whole}#a": now_s, f"{requests_only}#a": now_s})
        await store.redis.zadd(
            quick_docket.workers_set,
            {f"{whole}#b": now_s, f"{quick_only}#a": now_s, f"{requests_only}#dead": now_s - 3600},
        )
        shown = await shown_stats(job_queue, store.redis, clock, responders)
    assert {key: params["name"] for key, params in shown.items() if key.startswith("stats.worker")} == {
        "stats.worker": "whole",
        "stats.worker_only_main": "deaf",
        "stats.worker_only_quick": "idle",
    }
    up = shown["stats.worker"]["up"]
    assert isinstance(up, Seconds)
    assert 3600 <= up.duration_s < 3660


def test_a_workers_name_tells_since_when_it_is_there() -> None:
    since = up_since(worker_name())
    assert since
    assert timedelta() <= datetime.now(UTC) - since < timedelta(minutes=1)
    assert worker_name() != worker_name()
    assert up_since("host#12#abcdef01") is None
