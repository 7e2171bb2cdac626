"""The jobs that an operator lists, shows, cancels and retries from the shell."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from docket import Docket
from redis.asyncio import Redis

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.chats.token_cipher import KEY_FILE, TokenCipher
from bot.commands.jobs import CommandRefused, JobAdmin
from bot.commands.printing import print_job, print_jobs
from bot.jobs.buttons import Retry
from bot.jobs.checkpoints import PROGRESS_MESSAGE, AgentAnswered, MessageSend, SentMessage
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import Attachment, JobKind, JobState, QueueName
from bot.jobs.payloads import CancelPayload
from bot.jobs.queue.album import ArrivedPart, PartText, RequestPart
from bot.jobs.queue.claimed_job import ClaimedJob
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.tickets import queue_id
from bot.jobs.queue.waiting_checkpoints import WaitingCheckpoints
from bot.jobs.worker.attempt import Attempt
from bot.store import keys
from bot.store.connect import Store
from tests.clocks import PATIENCE_S, HandClock
from tests.conversations.test_command import run
from tests.jobs.conftest import CHAT, clock, docket, job_queue, new_job, tickets

__all__ = ["clock", "docket", "job_queue"]

KEY = "0000000000000000000000000000000000000000000="
CLIP = Attachment("file-1", "video", "beach.mp4", 1000, "video/mp4")


@pytest.fixture
async def admin(redis: Redis, job_queue: JobQueue, clock: HandClock) -> JobAdmin:
    return JobAdmin(redis, job_queue, Chats(redis, TokenCipher([KEY])), clock)


async def started(job_queue: JobQueue, job: Any, ticket: str = "t") -> ClaimedJob:
    await job_queue.enqueue([job], f"update of {job.id}")
    taken = await job_queue.claim(queue_id(job.chat, job.queue), ticket)
    assert taken is not None
    return taken


async def test_what_runs_is_listed_before_what_waits_each_in_its_order(
    admin: JobAdmin, job_queue: JobQueue, clock: HandClock
) -> None:
    first = new_job(0, prompt="first")
    await started(job_queue, first)
    await clock.advance(5)
    await job_queue.enqueue([new_job(2, prompt="second", asked_at=clock.now())], 2)
    await clock.advance(5)
    await job_queue.enqueue([new_job(3, asked_at=clock.now(), prompt="third")], 3)
    await clock.advance(5)
    await job_queue.enqueue([new_job(4, chat=ChatKey(-100, 7), asked_at=clock.now(), prompt="other")], 4)

    rows = await admin.rows()
    assert [(row.job.prompt, row.state, row.position) for row in rows] == [
        ("first", JobState.RUNNING, 0),
        ("second", JobState.QUEUED, 1),
        ("third", JobState.QUEUED, 2),
        ("other", JobState.QUEUED, 1),
    ]
    assert [row.job.prompt for row in await admin.rows(states=[JobState.RUNNING])] == ["first"]
    assert [row.job.prompt for row in await admin.rows(chat=ChatKey(-100, 7))] == ["other"]
    assert [row.job.prompt for row in await admin.rows(limit=2)] == ["first", "second"]


async def test_a_job_is_shown_with_its_step_its_times_and_what_it_cost(
    admin: JobAdmin, job_queue: JobQueue, clock: HandClock, capsys: pytest.CaptureFixture[str]
) -> None:
    job = new_job(prompt="mine")
    attempt = Attempt(await started(job_queue, job), job_queue, clock)
    with attempt.step("upload"):
        await clock.advance(12.5)
    with attempt.step("export"):
        await attempt.save(AgentAnswered(credits_used=40))
        await attempt.save_render_progress(37.4)
        row = await admin.row(job.id)
        print_jobs([row], as_json=False)
        print_job(row)
        await clock.advance(20)
    printed = capsys.readouterr().out
    since = f"{clock.now() - timedelta(seconds=20):%H:%M:%S}"
    assert f"rendering (30% rendered) since {since}" in printed
    assert re.search(r"credits used +40\n", printed)
    assert f"uploading 12.5 s, rendering since {since}" in printed
    shown = row.to_dict()
    assert (shown["step"], shown["render_percent"], shown["credits_used"]) == ("export", 30, 40)


async def test_why_a_job_failed_is_told_as_its_chat_was_told(
    admin: JobAdmin, job_queue: JobQueue, clock: HandClock, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [new_job(number, chat=ChatKey(100 + number)) for number in range(2)]
    for job, error in zip(jobs, ("", "KeyError"), strict=True):
        attempt = Attempt(await started(job_queue, job), job_queue, clock)
        with attempt.step("connect"):
            await clock.advance(1)
        attempt.note_failure(
            LocalizedMessage("error.unexpected", buttons=(Button("button.retry", Retry(job.id)),))
        )
        await job_queue.finish(attempt.claimed, JobState.FAILED, error, attempt.progress)
    rows = await admin.rows(states=[JobState.FAILED])
    print_jobs(rows, as_json=False)
    lines = sorted(capsys.readouterr().out.splitlines()[1:])
    assert all("failed: Something went wrong" in line for line in lines)
    print_job(await admin.row(jobs[1].id))
    printed = capsys.readouterr().out
    assert "(KeyError)" in printed
    assert "connecting 1.0 s" in printed
    assert {row.to_dict()["failed_for"] for row in rows} == {"error.unexpected", "KeyError"}


async def test_a_job_between_two_processes_is_called_parked(
    admin: JobAdmin, job_queue: JobQueue, clock: HandClock, capsys: pytest.CaptureFixture[str]
) -> None:
    job = new_job(prompt="mine")
    claimed = await started(job_queue, job)
    row = await admin.row(job.id)
    assert (row.is_parked, row.began_at) == (False, clock.now().replace(microsecond=0))
    await job_queue.park(claimed, "t")
    (row,) = await admin.rows()
    assert row.is_parked
    print_job(row)
    assert "parked, waits for a worker" in capsys.readouterr().out


async def test_what_is_over_is_listed_when_it_is_asked_for_the_latest_first(
    admin: JobAdmin, job_queue: JobQueue, clock: HandClock
) -> None:
    for number, state in enumerate((JobState.FAILED, JobState.DONE, JobState.FAILED)):
        await clock.advance(5)
        await job_queue.finish(
            await started(job_queue, new_job(number, asked_at=clock.now(), prompt=f"{number}")), state
        )
    await started(job_queue, new_job(prompt="runs"))

    assert [row.job.prompt for row in await admin.rows()] == ["runs"]
    assert [row.job.prompt for row in await admin.rows(states=[JobState.FAILED])] == ["2", "0"]
    both = [JobState.DONE, JobState.RUNNING]
    assert [row.job.prompt for row in await admin.rows(states=both)] == ["runs", "1"]
    assert [row.job.prompt for row in await admin.rows(states=both, limit=1)] == ["runs"]


async def test_what_the_queues_have_not_forgotten_yet_is_not_listed(
    admin: JobAdmin, job_queue: JobQueue, redis: Redis
) -> None:
    taken = await started(job_queue, new_job())
    await job_queue.enqueue([waiting := new_job(1)], 2)
    await redis.delete(keys.job_key(str(CHAT), taken.job.id))
    await redis.hset(keys.job_key(str(CHAT), waiting.id), "state", JobState.DONE)
    assert await admin.rows() == []


async def test_given_up_jobs_are_listed_the_last_one_first(
    admin: JobAdmin, job_queue: JobQueue, clock: HandClock
) -> None:
    for chat in (CHAT, ChatKey(-100, 7)):
        taken = await started(job_queue, new_job(chat=chat))
        await job_queue.finish(taken, JobState.FAILED, f"Error{chat.chat_id}")
        await clock.advance(5)
    await job_queue.finish(await started(job_queue, new_job()), JobState.FAILED)  # an answer as good as any

    found = await admin.given_up()
    assert [(one.chat, one.error) for one in found] == [("-100:7", "Error-100"), (str(CHAT), "Error4711")]
    assert await admin.given_up(limit=1) == found[:1]
    assert await admin.given_up(chat=CHAT) == found[1:]


async def test_a_gathered_job_is_shown_with_all_that_joined_it(admin: JobAdmin, job_queue: JobQueue) -> None:
    job = new_job(prompt="")
    arrival = ArrivedPart(RequestPart(10, 1000, (CLIP,)), PartText("cut it to music"))
    await job_queue.enqueue([job], 1, arrival)

    shown = (await admin.row(job.id)).to_dict()
    assert (shown["text"], shown["files"]) == (
        "cut it to music",
        [{"kind": "video", "name": "beach.mp4", "bytes": 1000}],
    )
    assert "file-1" not in json.dumps(shown)


async def test_a_waiting_job_is_printed_with_its_position(
    admin: JobAdmin, job_queue: JobQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    await started(job_queue, new_job())
    waiting = new_job(1, files=(CLIP,))
    await job_queue.enqueue([waiting], 2)

    print_job(await admin.row(waiting.id))
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (printed["id"], printed["state"]) == (waiting.id, "queued, position 1")
    assert printed["files"] == "beach.mp4 (1000 bytes)"


async def test_a_waiting_job_is_taken_out_and_its_message_closed_once(
    admin: JobAdmin, job_queue: JobQueue, docket: Docket, redis: Redis
) -> None:
    await started(job_queue, new_job())
    waiting = new_job(1)
    await job_queue.enqueue([waiting], 2)
    sent = SentMessage(message_id=77, telegram_chat_id=CHAT.chat_id)
    await WaitingCheckpoints(job_queue, waiting).save(MessageSend(sent=sent), PROGRESS_MESSAGE)

    for _ in range(2):
        assert (await admin.cancel(waiting.id)).state is JobState.CANCELLED

    assert waiting.id not in await job_queue.current(CHAT, QueueName.MAIN)
    [closing] = await job_queue.current(CHAT, QueueName.QUICK)
    status = await job_queue.find(CHAT, closing)
    assert status is not None
    assert status.job.payload == CancelPayload(job_id=waiting.id, is_silent=True)
    assert any(name == queue_id(CHAT, QueueName.QUICK) for name, _, _ in await tickets(docket))


async def test_a_running_job_is_asked_to_stop(admin: JobAdmin, job_queue: JobQueue, redis: Redis) -> None:
    taken = await started(job_queue, new_job())
    async with redis.pubsub() as heard:
        await heard.subscribe(keys.CANCEL_CHANNEL)
        assert await heard.get_message(timeout=PATIENCE_S) is not None

        row = await admin.cancel(taken.job.id)
        told = await heard.get_message(ignore_subscribe_messages=True, timeout=PATIENCE_S)

    assert (row.state, row.is_stopping) == (JobState.RUNNING, True)
    assert told is not None
    assert told["data"] == taken.job.id
    await job_queue.finish(taken, JobState.CANCELLED)
    assert not (await admin.row(taken.job.id)).is_stopping


async def test_a_job_that_is_over_is_not_stopped(admin: JobAdmin, job_queue: JobQueue) -> None:
    taken = await started(job_queue, new_job())
    await job_queue.finish(taken, JobState.DONE)
    with pytest.raises(CommandRefused, match="is over: done"):
        await admin.cancel(taken.job.id)


async def test_a_failed_job_is_tried_again_once(admin: JobAdmin, job_queue: JobQueue, docket: Docket) -> None:
    taken = await started(job_queue, new_job(files=(CLIP,), prompt="cut it"))
    await job_queue.finish(taken, JobState.FAILED)

    again = await admin.retry(taken.job.id)
    assert (again.state, again.job.kind, again.job.prompt) == (JobState.QUEUED, JobKind.EDIT, "cut it")
    assert again.job.files == (CLIP,)
    assert again.job.message_id == taken.job.message_id
    assert any(job_id == again.job.id for _, job_id, _ in await tickets(docket))
    with pytest.raises(CommandRefused, match="tried again already"):
        await admin.retry(taken.job.id)
    assert len(await job_queue.current(CHAT, QueueName.MAIN)) == 1


async def test_what_was_charged_is_not_asked_for_again(admin: JobAdmin, job_queue: JobQueue) -> None:
    taken = await started(job_queue, new_job(files=(CLIP,)))
    await job_queue.save(taken, {AgentAnswered.name: {"failed": False}})
    await job_queue.finish(taken, JobState.FAILED)

    again = await admin.retry(taken.job.id)
    assert (again.job.kind, again.job.files) == (JobKind.EXPORT, ())


@pytest.mark.parametrize(
    ("kind", "state", "why"),
    [
        (JobKind.EDIT, JobState.DONE, "is done"),
        (JobKind.EDIT, JobState.RUNNING, "is running"),
        (JobKind.LOGIN, JobState.FAILED, "can't be tried again"),
    ],
)
async def test_others_are_not_tried_again(
    admin: JobAdmin, job_queue: JobQueue, kind: JobKind, state: JobState, why: str
) -> None:
    taken = await started(job_queue, new_job(kind=kind))
    if state is not JobState.RUNNING:
        await job_queue.finish(taken, state)
    with pytest.raises(CommandRefused, match=why):
        await admin.retry(taken.job.id)


async def test_a_full_queue_takes_no_retry(admin: JobAdmin, job_queue: JobQueue) -> None:
    taken = await started(job_queue, new_job())
    await job_queue.finish(taken, JobState.FAILED)
    for number in range(5):
        await job_queue.enqueue([new_job(number)], f"filling {number}")
    with pytest.raises(CommandRefused, match="QUEUE_LIMIT"):
        await admin.retry(taken.job.id)


@pytest.mark.parametrize("job_id", ["0123456789abcdef", "*", "../x"])
async def test_an_id_that_is_none_is_refused(admin: JobAdmin, job_queue: JobQueue, job_id: str) -> None:
    await job_queue.enqueue([new_job()], 1)
    with pytest.raises(CommandRefused, match="job"):
        await admin.row(job_id)


async def test_a_token_that_somebody_sent_is_not_shown(admin: JobAdmin, job_queue: JobQueue) -> None:
    job = new_job(prompt="take nmv_usr_0123456789 for this")
    await job_queue.enqueue([job], 1)
    row = await admin.row(job.id)
    assert row.to_dict()["text"] == "take *** for this"


@pytest.mark.heavy
async def test_the_command_prints_a_table_or_json(store: Store, job_queue: JobQueue, tmp_path: Path) -> None:
    job = new_job(prompt="短片 with music")
    await job_queue.enqueue([job], 1)
    settings = {"REDIS_URL": store.url, "DATA_DIR": str(tmp_path / "data")}

    code, out, err = await run("jobs", "list", cwd=tmp_path, **settings)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split()[:4] == [job.id, "queued,", "position", "1"]
    assert "短片 with music" in out

    await job_queue.finish(
        await started(job_queue, new_job(chat=ChatKey(77))), JobState.FAILED, "ZeroDivisionError"
    )
    code, out, err = await run("jobs", "list", "--given-up", cwd=tmp_path, **settings)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split()[1:3] == ["edit", "77"]
    assert out.splitlines()[1].endswith("ZeroDivisionError")
    code, out, err = await run("jobs", "list", "--given-up", "--json", cwd=tmp_path, **settings)
    assert (code, err) == (0, "")
    assert [(one["chat"], one["error"]) for one in json.loads(out)] == [("77", "ZeroDivisionError")]

    code, out, err = await run("jobs", "cancel", job.id, "--json", cwd=tmp_path, **settings)
    assert (code, err) == (0, "")
    assert json.loads(out)["state"] == "cancelled"

    code, out, err = await run("jobs", "show", "0123456789abcdef", cwd=tmp_path, **settings)
    assert (code, out) == (1, "")
    assert err.startswith("There is no job")

    (tmp_path / "data" / KEY_FILE).unlink()
    code, out, err = await run("jobs", "list", cwd=tmp_path, **settings)
    assert (code, out) == (3, "")
    assert "is missing: restore it" in err
    assert not (tmp_path / "data" / KEY_FILE).exists()  # a backup would save the wrong one

    code, out, err = await run(
        "jobs", "list", "--json", cwd=tmp_path, REDIS_URL="redis://:hush@127.0.0.1:1/0"
    )
    assert (code, out) == (3, "")
    assert "hush" not in err


@pytest.mark.heavy
def test_the_bot_starts_without_what_only_other_commands_need() -> None:
    code = "import sys, bot.cli; print([name for name in sys.modules if name.startswith('bot.commands')])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
