"""What handlers make of updates: the jobs that then lie in the store. Nobody runs them here."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from docket import Docket
from redis.asyncio import Redis
from telegram import Update

from bot.chats.access_control import AccessControl
from bot.chats.chats import Chats
from bot.chats.token_cipher import TokenCipher
from bot.jobs.model import Job, JobKind, QueueName
from bot.jobs.payloads import PressPayload, SayPayload
from bot.jobs.queue.job_queue import JobQueue
from bot.skills import load_cards
from bot.store import keys
from bot.telegram.handlers.admin import AdminCommands
from bot.telegram.handlers.handlers import Handlers
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.reading.file_refusals import FileRefusals
from bot.telegram.receiving.application import AnyApplication, failure_of, new_application
from bot.telegram.sending.send_once import SentMessageLog
from tests.jobs.conftest import docket as docket_fixture
from tests.telegram.conftest import Telegram

docket = docket_fixture

Json = dict[str, Any]

ANN: Json = {"id": 4711, "is_bot": False, "first_name": "Ann"}
GROUP: Json = {"id": -1001000000001, "type": "supergroup", "title": "Film club"}
CHANNEL: Json = {"id": -1001000000009, "type": "channel", "title": "Film news"}
OTHER_BOT: Json = {"id": 999, "is_bot": True, "first_name": "Other", "username": "other_bot"}
ANONYMOUS: Json = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
AS_CHANNEL: Json = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
TELEGRAM: Json = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
VIDEO: Json = {
    "file_id": "post-file",
    "file_unique_id": "u",
    "width": 1,
    "height": 1,
    "duration": 1,
    "file_size": 1000,
}

Received = Callable[[Json], Awaitable[list[Job]]]


@pytest.fixture
async def received(telegram: Telegram, redis: Redis, docket: Docket) -> Received:
    """Gives updates to the handlers, and returns the jobs that came of each."""
    job_queue = JobQueue(redis, docket, telegram.clock)
    chats = Chats(redis, TokenCipher.open(["a" * 43 + "="], telegram.work_dir), telegram.clock)
    submitter = JobSubmitter(job_queue, chats, SentMessageLog(redis), load_cards(), telegram.clock)
    application: AnyApplication = new_application(telegram.bot, telegram.telegram_ids)
    access = AccessControl(redis, [], [], [ANN["id"]])
    AdminCommands(submitter, access, [ANN["id"]]).register(application)
    Handlers(
        submitter, FileRefusals(fetch=20_000_000, take=500_000_000, send=50_000_000), telegram.telegram_ids
    ).register(application)
    await application.initialize()
    numbers = itertools.count(1)

    async def take(body: Json) -> list[Job]:
        before = {name async for name in redis.scan_iter(f"{keys.JOB}*")}
        update = Update.de_json({"update_id": next(numbers), **body}, telegram.bot)
        await application.process_update(update)
        if (error := failure_of(application, update)) is not None:
            raise error
        new = [name async for name in redis.scan_iter(f"{keys.JOB}*") if name not in before]
        return [Job.from_json(str(await redis.hget(name, "request"))) for name in new]

    return take


def message(text: str = "", chat: Json = GROUP, **fields: Any) -> Json:
    command = text.split()[0] if text.startswith("/") else ""
    entities = [{"type": "bot_command", "offset": 0, "length": len(command)}] if command else []
    words = {"text": text, "entities": entities} if text else {}
    return {"message": {"message_id": 7, "date": 1, "chat": chat, **words, **fields}}


@pytest.mark.parametrize(
    ("sender", "owner"),
    [
        pytest.param({"from": ANN}, ANN["id"], id="a person"),
        pytest.param({"from": ANONYMOUS, "sender_chat": GROUP}, GROUP["id"], id="an anonymous admin"),
        pytest.param({"from": AS_CHANNEL, "sender_chat": CHANNEL}, CHANNEL["id"], id="a channel"),
        pytest.param({"sender_chat": CHANNEL}, CHANNEL["id"], id="a channel without a stand-in user"),
        pytest.param({}, GROUP["id"], id="nobody"),
    ],
)
async def test_whoever_writes_owns_the_job(received: Received, sender: Json, owner: int) -> None:
    (job,) = await received(message("/edit a cat", GROUP, **sender))
    assert (job.kind, job.owner_id, job.message_id) == (JobKind.EDIT, owner, 7)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(message("/edit a cat", GROUP, **{"from": OTHER_BOT}), id="another bot's command"),
        pytest.param(
            message("a cat", {"id": 999, "type": "private"}, **{"from": OTHER_BOT}),
            id="another bot in private",
        ),
        pytest.param(
            message("/edit@other_bot a cat", GROUP, **{"from": ANN}), id="a command for another bot"
        ),
        pytest.param(
            message("", GROUP, caption="/edit@other_bot a cat", video=VIDEO, **{"from": ANN}),
            id="a caption for another bot",
        ),
        pytest.param(
            message(
                "/edit a cat", GROUP, is_automatic_forward=True, sender_chat=CHANNEL, **{"from": TELEGRAM}
            ),
            id="a linked channel's post",
        ),
        pytest.param(message("export", GROUP, **{"from": ANN}), id="words that happen to be a command's"),
        pytest.param({"message": {**message()["message"], "new_chat_title": "Club"}}, id="a service message"),
        pytest.param(
            {"channel_post": message("/edit a cat", CHANNEL)["message"]}, id="a post in a channel itself"
        ),
    ],
)
async def test_what_is_not_meant_for_the_bot_is_left_alone(received: Received, said: Json) -> None:
    assert await received(said) == []


async def test_what_is_said_in_general_is_of_no_topic(received: Received) -> None:
    in_general = {"message_thread_id": 1, "is_topic_message": True}
    (job,) = await received(message("/edit a cat", GROUP, **in_general, **{"from": ANN}))
    assert job.chat.topic_id is None


async def test_edit_in_answer_to_a_channels_post_takes_its_video(received: Received, redis: Redis) -> None:
    post = message(
        "",
        GROUP,
        message_id=5,
        video=VIDEO,
        is_automatic_forward=True,
        sender_chat=CHANNEL,
        **{"from": TELEGRAM},
    )
    said = message(
        "/edit shorter", GROUP, reply_to_message=post["message"], message_thread_id=7, **{"from": ANN}
    )
    (job,) = await received(said)
    kept = await redis.hgetall(keys.job_key(str(job.chat), job.id))
    assert "post-file" in str(kept), kept
    assert job.chat.topic_id is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            {"message": {"chat": GROUP, "message_id": 5, "date": 0}, "data": "1:export:"},
            id="of a message too old",
        ),
        pytest.param({"inline_message_id": "x", "data": "1:export:"}, id="of a message elsewhere"),
        pytest.param(
            {"message": message("x", GROUP, **{"from": OTHER_BOT})["message"], "data": "9:x:"}, id="unknown"
        ),
        pytest.param({"message": message("x", GROUP, **{"from": OTHER_BOT})["message"]}, id="without data"),
    ],
)
async def test_a_press_that_leads_nowhere_is_answered(received: Received, body: Json) -> None:
    query = {"id": "42", "from": ANN, "chat_instance": "1", **body}
    (job,) = await received({"callback_query": query})
    assert (job.queue, job.kind) == (QueueName.TAP, JobKind.TAP)
    assert job.payload == PressPayload(
        query_id="42", toast="toast.old_button", message_id=job.payload_as(PressPayload).message_id
    )


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([("to", 2), ("from", 1)], id="in order"),
        pytest.param([("from", 1), ("to", 2)], id="the other way round"),
        pytest.param([("from", 1), ("from", 1), ("to", 2), ("from", 1)], id="repeated"),
        pytest.param([("from", 1)], id="once"),
    ],
)
async def test_a_group_that_moved_goes_on_under_its_old_name(
    received: Received, redis: Redis, told: list[tuple[str, int]]
) -> None:
    old: Json = {"id": -1_000_042, "type": "group", "title": "Club"}
    new: Json = {**GROUP, "id": -1_001_000_000_042}
    ids = {1: old["id"], 2: new["id"]}
    for way, other in told:
        where = old if way == "to" else new
        await received(message("", where, **{f"migrate_{way}_chat_id": ids[other], "from": ANN}))
    (asked,) = await received(message("/edit a cat", new, **{"from": ANONYMOUS, "sender_chat": new}))
    assert (asked.chat.chat_id, asked.address, asked.owner_id) == (old["id"], new["id"], old["id"])
    body = message("x", new, **{"from": ANN})["message"]
    query = {"id": "1", "from": ANN, "chat_instance": "1", "message": body, "data": "1:status:"}
    pressed = await received({"callback_query": query})
    assert {(job.chat, job.address) for job in pressed} == {(asked.chat, new["id"])}
    numbers = await redis.zrange(keys.message_numbers_key(str(new["id"])), 0, -1)
    assert numbers == ["7"]


PRIVATE: Json = {"id": 4711, "type": "private", "first_name": "Ann"}
BO: Json = {"id": 4712, "is_bot": False, "first_name": "Bo"}
FROM_BO: Json = {"type": "user", "date": 1, "sender_user": BO}
FROM_HIDDEN: Json = {"type": "hidden_user", "date": 1, "sender_user_name": "Bo"}
FROM_CHANNEL: Json = {"type": "channel", "date": 1, "chat": CHANNEL, "message_id": 5}


@pytest.mark.parametrize("origin", [FROM_BO, FROM_HIDDEN, FROM_CHANNEL], ids=lambda origin: origin["type"])
@pytest.mark.parametrize(
    "said",
    [
        "/forget",
        "/login nmv_tokenofsomebodyelse",
        "/cancel",
        "/new",
        "nmv_tokenofsomebodyelse",
        "export",
        "/what",
    ],
)
async def test_a_forwarded_order_of_somebody_else_is_not_obeyed(
    received: Received, said: str, origin: Json
) -> None:
    (job,) = await received(message(said, PRIVATE, forward_origin=origin, **{"from": ANN}))
    assert (job.kind, job.payload_as(SayPayload).message.key) == (JobKind.SAY, "error.forwarded_order")
    assert "nmv_" not in job.to_json()
    # Nor is it in a group, where it is for anybody and nothing is said.
    in_group = message(said, GROUP, forward_origin=origin, **{"from": ANN})
    assert [job.kind for job in await received(in_group)] == (
        [JobKind.HIDE] if said.startswith("/login") else []
    )


async def test_ones_own_forwarded_command_is_obeyed(received: Received) -> None:
    own = {"type": "user", "date": 1, "sender_user": ANN}
    (job,) = await received(message("/new", PRIVATE, forward_origin=own, **{"from": ANN}))
    assert job.kind is JobKind.NEW


@pytest.mark.parametrize("said", ["a cat on a roof", "/edit a cat on a roof"])
async def test_a_forwarded_prompt_is_a_prompt(received: Received, said: str) -> None:
    (job,) = await received(message(said, PRIVATE, forward_origin=FROM_BO, **{"from": ANN}))
    assert job.kind is JobKind.EDIT


def press(data: str, sender: Json, chat: Json = GROUP) -> Json:
    shown = {"message_id": 9, "date": 1, "chat": chat, "text": "shown", "from": {**OTHER_BOT, "id": 1}}
    return {
        "callback_query": {"id": "q", "from": sender, "chat_instance": "c", "data": data, "message": shown}
    }


EXTRA = {"strip": "music:"}


@pytest.mark.parametrize("action", ["cancel", "retry", "strip", "offer", "edited"])
async def test_a_forged_press_on_somebody_elses_job_waits_for_whether_it_is_an_admins(
    received: Received, action: str
) -> None:
    (prompt,) = await received(message("/edit a cat", GROUP, **{"from": ANN}))
    jobs = await received(press(f"1:{action}:{EXTRA.get(action, '')}{prompt.id}", BO))
    assert [job.kind for job in jobs] == [JobKind.TAP]
    assert jobs[0].payload_as(PressPayload).if_admin


@pytest.mark.parametrize("action", ["cancel", "retry", "strip", "keep", "offer", "edited"])
async def test_a_forged_press_reaches_no_job_of_another_chat(received: Received, action: str) -> None:
    (prompt,) = await received(message("/edit a cat", GROUP, **{"from": ANN}))
    in_private = {**PRIVATE, "id": BO["id"]}
    (job,) = await received(press(f"1:{action}:{prompt.id}", BO, in_private))
    assert (job.kind, job.payload_as(PressPayload).toast) == (JobKind.TAP, "toast.old_button")


@pytest.mark.parametrize(
    "data",
    [
        "",
        "1",
        "1:",
        "1:cancel",
        "1:cancel:",
        "2:cancel:x",
        "1:cancel:}{*",
        "1:retry:\x00",
        "1:skill:../x",
        "1:language:../../etc",
        "1:example:\U0001f600",
        "1:next:new",
        "1:auto:2",
        "1:nothing:",
        "cancel",
        ":::::",
    ],
)
async def test_forged_data_asks_for_nothing_but_an_answer(received: Received, data: str) -> None:
    jobs = await received(press(data, BO, {**PRIVATE, "id": BO["id"]}))
    assert [job.kind for job in jobs] == [JobKind.TAP]


@pytest.mark.parametrize("said", ["/announce Send me your tokens", "/pause", "/ban 4711", "/stats"])
async def test_a_forwarded_order_of_somebody_else_is_not_obeyed_for_an_admin_either(
    received: Received, said: str
) -> None:
    (job,) = await received(message(said, PRIVATE, forward_origin=FROM_BO, **{"from": ANN}))
    assert (job.kind, job.payload_as(SayPayload).message.key) == (JobKind.SAY, "error.forwarded_order")
    (job,) = await received(message("/stats", PRIVATE, **{"from": ANN}))
    assert job.kind is JobKind.STATS
