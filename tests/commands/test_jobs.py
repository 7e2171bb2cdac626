"""The jobs that an operator lists, shows, stops and repeats from the shell."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from docket import Docket
from redis.asyncio import Redis

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.chats.secrets import Vault
from bot.commands.jobs import Office, Refused
from bot.commands.printing import one_line
from bot.jobs.gathering import Arrival, Part, PartWords
from bot.jobs.job import FileRef, Kind, Lane, State
from bot.jobs.lanes import Lanes, Taken, lane_name
from bot.jobs.ports import ANNOUNCEMENT
from bot.store import keys
from bot.store.connect import Store
from tests.clocks import HandClock
from tests.conversations.test_command import run
from tests.jobs.conftest import CHAT, clock, docket, lanes, new_job, tickets

__all__ = ["clock", "docket", "lanes"]

KEY = "0000000000000000000000000000000000000000000="
CLIP = FileRef("file-1", "video", "beach.mp4", 1000, "video/mp4")


@pytest.fixture
async def office(redis: Redis, lanes: Lanes, clock: HandClock) -> Office:
    return Office(redis, lanes, Chats(redis, Vault([KEY]), clock), clock)


async def started(lanes: Lanes, job: Any, ticket: str = "t") -> Taken:
    await lanes.accept([job], f"update of {job.id}")
    taken = await lanes.take(lane_name(job.chat, job.lane), ticket)
    assert taken is not None
    return taken


async def test_what_runs_is_listed_before_what_waits_each_in_its_order(
    office: Office, lanes: Lanes, clock: HandClock
) -> None:
    first = new_job(0, text="first")
    await started(lanes, first)
    await clock.advance(5)
    await lanes.accept([new_job(2, text="second", asked_at=clock.now())], 2)
    await clock.advance(5)
    await lanes.accept([new_job(3, asked_at=clock.now(), text="third")], 3)
    await clock.advance(5)
    await lanes.accept([new_job(4, chat=ChatKey(-100, 7), asked_at=clock.now(), text="other")], 4)
    await lanes.accept([new_job(5, lane=Lane.TAP, kind=Kind.TAP)], 5)

    rows = await office.rows()
    assert [(row.job.text, row.state, row.place) for row in rows] == [
        ("first", State.RUNNING, 0),
        ("second", State.QUEUED, 1),
        ("third", State.QUEUED, 2),
        ("other", State.QUEUED, 1),
    ]
    assert [row.job.text for row in await office.rows(states=[State.RUNNING])] == ["first"]
    assert [row.job.text for row in await office.rows(chat=ChatKey(-100, 7))] == ["other"]
    assert [row.job.text for row in await office.rows(limit=2)] == ["first", "second"]


async def test_what_is_over_is_listed_when_it_is_asked_for_the_latest_first(
    office: Office, lanes: Lanes, clock: HandClock
) -> None:
    for number, state in enumerate((State.FAILED, State.DONE, State.FAILED)):
        await clock.advance(5)
        await lanes.finish(
            await started(lanes, new_job(number, asked_at=clock.now(), text=f"{number}")), state
        )
    await started(lanes, new_job(text="runs"))

    assert [row.job.text for row in await office.rows()] == ["runs"]
    assert [row.job.text for row in await office.rows(states=[State.FAILED])] == ["2", "0"]
    both = [State.DONE, State.RUNNING]
    assert [row.job.text for row in await office.rows(states=both)] == ["runs", "1"]
    assert [row.job.text for row in await office.rows(states=both, limit=1)] == ["runs"]


async def test_what_the_lanes_have_not_forgotten_yet_is_not_listed(
    office: Office, lanes: Lanes, redis: Redis
) -> None:
    taken = await started(lanes, new_job())
    await lanes.accept([waiting := new_job(1)], 2)
    await redis.delete(keys.job_key(str(CHAT), taken.job.id))
    await redis.hset(keys.job_key(str(CHAT), waiting.id), "state", State.DONE)
    assert await office.rows() == []


async def test_given_up_jobs_are_listed_the_last_one_first(
    office: Office, lanes: Lanes, clock: HandClock
) -> None:
    for chat in (CHAT, ChatKey(-100, 7)):
        taken = await started(lanes, new_job(chat=chat))
        await lanes.finish(taken, State.FAILED, f"Error{chat.chat_id}")
        await clock.advance(5)
    await lanes.finish(await started(lanes, new_job()), State.FAILED)  # an answer as good as any

    found = await office.given_up()
    assert [(one.chat, one.error) for one in found] == [("-100:7", "Error-100"), (str(CHAT), "Error4711")]
    assert await office.given_up(limit=1) == found[:1]
    assert await office.given_up(chat=CHAT) == found[1:]


async def test_a_gathered_job_is_shown_with_all_that_joined_it(office: Office, lanes: Lanes) -> None:
    job = new_job(text="")
    arrival = Arrival(Part(10, 1000, (CLIP,)), PartWords("cut it to music"))
    await lanes.accept([job], 1, arrival)

    shown = (await office.row(job.id)).to_dict()
    assert (shown["text"], shown["files"]) == (
        "cut it to music",
        [{"kind": "video", "name": "beach.mp4", "bytes": 1000}],
    )
    assert "file-1" not in json.dumps(shown)


async def test_a_waiting_job_is_taken_out_and_its_message_closed_once(
    office: Office, lanes: Lanes, docket: Docket, redis: Redis
) -> None:
    await started(lanes, new_job())
    waiting = new_job(1)
    await lanes.accept([waiting], 2)
    await lanes.keep_beside(waiting, ANNOUNCEMENT, {"message_id": 77, "chat_id": CHAT.chat_id})

    for _ in range(2):
        assert (await office.cancel(waiting.id)).state is State.CANCELLED

    assert waiting.id not in await lanes.current(CHAT, Lane.EDIT)
    [drawing] = await lanes.current(CHAT, Lane.DRAW)
    standing = await lanes.find(CHAT, drawing)
    assert standing is not None
    assert (standing.job.kind, standing.job.data) == (Kind.REDRAW, {"redraw": "cancelled", "message": 77})
    assert any(name == lane_name(CHAT, Lane.DRAW) for name, _, _ in await tickets(docket))


async def test_a_running_job_is_asked_to_stop(office: Office, lanes: Lanes, redis: Redis) -> None:
    taken = await started(lanes, new_job())
    async with redis.pubsub() as heard:
        await heard.subscribe(keys.CANCEL_CHANNEL)
        assert await heard.get_message(timeout=5) is not None

        row = await office.cancel(taken.job.id)
        told = await heard.get_message(ignore_subscribe_messages=True, timeout=5)

    assert (row.state, row.is_stopping) == (State.RUNNING, True)
    assert told is not None
    assert told["data"] == taken.job.id
    await lanes.finish(taken, State.CANCELLED)
    assert not (await office.row(taken.job.id)).is_stopping


async def test_a_job_that_is_over_is_not_stopped(office: Office, lanes: Lanes) -> None:
    taken = await started(lanes, new_job())
    await lanes.finish(taken, State.DONE)
    with pytest.raises(Refused, match="is over: done"):
        await office.cancel(taken.job.id)


async def test_a_failed_job_is_tried_again_once(office: Office, lanes: Lanes, docket: Docket) -> None:
    taken = await started(lanes, new_job(files=(CLIP,), text="cut it"))
    await lanes.finish(taken, State.FAILED)

    again = await office.retry(taken.job.id)
    assert (again.state, again.job.kind, again.job.text) == (State.QUEUED, Kind.WISH, "cut it")
    assert again.job.files == (CLIP,)
    assert again.job.message_id == taken.job.message_id
    assert any(job_id == again.job.id for _, job_id, _ in await tickets(docket))
    with pytest.raises(Refused, match="tried again already"):
        await office.retry(taken.job.id)
    assert len(await lanes.current(CHAT, Lane.EDIT)) == 1


async def test_what_was_charged_is_not_asked_for_again(office: Office, lanes: Lanes) -> None:
    taken = await started(lanes, new_job(files=(CLIP,)))
    await lanes.save(taken, "turn", {"failed": False})
    await lanes.finish(taken, State.FAILED)

    again = await office.retry(taken.job.id)
    assert (again.job.kind, again.job.files) == (Kind.EXPORT, ())


@pytest.mark.parametrize(
    ("kind", "state", "why"),
    [
        (Kind.WISH, State.DONE, "is done"),
        (Kind.WISH, State.RUNNING, "is running"),
        (Kind.LOGIN, State.FAILED, "can't be tried again"),
    ],
)
async def test_others_are_not_tried_again(
    office: Office, lanes: Lanes, kind: Kind, state: State, why: str
) -> None:
    taken = await started(lanes, new_job(kind=kind))
    if state is not State.RUNNING:
        await lanes.finish(taken, state)
    with pytest.raises(Refused, match=why):
        await office.retry(taken.job.id)


async def test_a_full_queue_takes_no_retry(office: Office, lanes: Lanes) -> None:
    taken = await started(lanes, new_job())
    await lanes.finish(taken, State.FAILED)
    for number in range(5):
        await lanes.accept([new_job(number)], f"filling {number}")
    with pytest.raises(Refused, match="QUEUE_LIMIT"):
        await office.retry(taken.job.id)


@pytest.mark.parametrize("job_id", ["0123456789abcdef", "*", "../x"])
async def test_an_id_that_is_none_is_refused(office: Office, lanes: Lanes, job_id: str) -> None:
    await lanes.accept([new_job()], 1)
    with pytest.raises(Refused, match="job"):
        await office.row(job_id)


async def test_a_token_that_somebody_sent_is_not_shown(office: Office, lanes: Lanes) -> None:
    job = new_job(text="take nmv_usr_0123456789 for this")
    await lanes.accept([job], 1)
    row = await office.row(job.id)
    assert row.to_dict()["text"] == "take *** for this"
    assert one_line(row.job.text) == "take *** for this"


def test_what_people_wrote_does_not_command_the_terminal() -> None:
    assert one_line("a\x1b[2J\nb\u202ec") == "a [2J b c"


async def test_the_command_prints_a_table_or_json(store: Store, lanes: Lanes, tmp_path: Path) -> None:
    job = new_job(text="短片 with music")
    await lanes.accept([job], 1)
    settings = {"REDIS_URL": store.url, "DATA_DIR": str(tmp_path / "data")}

    code, out, err = await run("jobs", "list", cwd=tmp_path, **settings)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split()[:4] == [job.id, "queued,", "place", "1"]
    assert "短片 with music" in out

    await lanes.finish(await started(lanes, new_job(chat=ChatKey(77))), State.FAILED, "ZeroDivisionError")
    code, out, err = await run("jobs", "list", "--given-up", cwd=tmp_path, **settings)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split()[1:3] == ["wish", "77"]
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

    code, out, err = await run(
        "jobs", "list", "--json", cwd=tmp_path, REDIS_URL="redis://:hush@127.0.0.1:1/0"
    )
    assert (code, out) == (2, "")
    assert "hush" not in err


def test_the_bot_starts_without_what_only_other_commands_need() -> None:
    code = "import sys, bot.cli; print([name for name in sys.modules if name.startswith('bot.commands')])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
