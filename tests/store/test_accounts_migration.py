"""A store of version 2, in which each topic had an account of its own."""

import asyncio
import signal
import sys
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.chats.chats import STORED_NAMES
from bot.store.chat_values import from_stored
from bot.store.connect import Store
from bot.store.keys import SCHEMA, chat_key
from bot.store.schema import SCHEMA_VERSION, ensure_schema

WHOLE_NAMES = {short: name for name, short in STORED_NAMES.items()}
DAY_S = 86_400
GUEST = {"token": "encrypted", "user_id": "anon_1", "token_expires_at": "2026-05-08T00:00:00Z"}


async def put(redis: Redis, chat: str, days: int, fields: dict[str, str]) -> None:
    await redis.hset(chat_key(chat), mapping=fields)  # type: ignore[arg-type]
    await redis.expire(chat_key(chat), days * DAY_S)


async def fields(redis: Redis, chat: str) -> dict[str, str]:
    found: Any = await redis.hgetall(chat_key(chat))
    return {WHOLE_NAMES.get(name, name): from_stored(value) for name, value in found.items()}


async def old_store(redis: Redis) -> None:
    await redis.set(SCHEMA, 2)
    await put(redis, "-1:2", 10, {"client_id": "c2", "account": "anonymous", "session_id": "s2", **GUEST})
    latest = {
        "client_id": "c3",
        "account": "anonymous",
        "session_id": "s3",
        "skill": "poet",
        "greeted": "True",
    }
    await put(redis, "-1:3", 80, {**latest, **GUEST, "token": "newer", "language": "zh"})
    await put(
        redis, "-1", 20, {"language": "en", "auto_export": "False", "account": "operator", "session_id": "s1"}
    )
    await put(redis, "5", 30, {"client_id": "c5", "account": "anonymous", "session_id": "s5", **GUEST})
    await put(redis, "6:2", 10, {"own_token": "mine", "account": "own", "session_id": "s6"})
    await put(redis, "6:3", 20, {"client_id": "c6", "account": "anonymous", "session_id": "s7", **GUEST})


async def everything(redis: Redis) -> dict[str, dict[str, str]]:
    found = {}
    for chat in ("-1", "-1:2", "-1:3", "5", "6", "6:2", "6:3"):
        found[chat] = await fields(redis, chat)
        for name in ("account_epoch", "project_epoch"):
            if name in found[chat]:
                found[chat][name] = "epoch"
    return found


MIGRATED = {
    # The account and the settings that were used last.
    "-1": {
        "client_id": "c3",
        **GUEST,
        "token": "newer",
        "language": "zh",
        "auto_export": "False",
        "greeted": "True",
        "account_epoch": "epoch",
        "account": "operator",
        "session_id": "s1",
    },
    "-1:2": {"account": "anonymous", "session_id": "s2"},  # out of reach, which is told
    "-1:3": {"account": "anonymous", "session_id": "s3", "skill": "poet", "project_epoch": "epoch"},
    "5": {
        "client_id": "c5",
        **GUEST,
        "account": "anonymous",
        "session_id": "s5",
        "account_epoch": "epoch",
        "project_epoch": "epoch",
    },
    "6": {"own_token": "mine", "client_id": "c6", **GUEST, "account_epoch": "epoch"},
    "6:2": {"account": "own", "session_id": "s6", "project_epoch": "epoch"},
    "6:3": {"account": "anonymous", "session_id": "s7", "project_epoch": "epoch"},
}


async def test_what_was_used_last_becomes_the_account_of_all_topics(redis: Redis) -> None:
    await old_store(redis)
    await asyncio.gather(*(ensure_schema(redis, STORED_NAMES) for _ in range(3)))
    assert await redis.get(SCHEMA) == str(SCHEMA_VERSION)
    assert await everything(redis) == MIGRATED
    assert 79 * DAY_S < await redis.ttl(chat_key("-1")) <= 80 * DAY_S
    assert 19 * DAY_S < await redis.ttl(chat_key("6")) <= 20 * DAY_S


async def test_a_migration_that_died_half_way_is_finished_and_changes_nothing_twice(redis: Redis) -> None:
    await old_store(redis)
    await ensure_schema(redis, STORED_NAMES)
    epoch = (await fields(redis, "5"))["account_epoch"]
    # The process died before it saved the version, and one topic was not seen yet.
    await redis.set(SCHEMA, 2)
    await put(redis, "-1:4", 1, {"language": "fr", "session_id": "s4"})
    # Another process works with the new version already.
    await redis.hset(chat_key("5"), STORED_NAMES["token"], "given since")
    await ensure_schema(redis, STORED_NAMES)
    there = await everything(redis)
    assert there["5"] == MIGRATED["5"] | {"token": "given since"}
    assert (await fields(redis, "5"))["account_epoch"] == epoch
    assert {name: there[name] for name in there if name != "5"} == {
        name: MIGRATED[name] for name in MIGRATED if name != "5"
    }
    assert await fields(redis, "-1:4") == {"session_id": "s4"}


CHATS, KILLED_AT = 3000, (100, 900, 1800)
MIGRATE = """
import asyncio, os, signal, sys
from redis.asyncio import Redis
from bot.chats.chats import STORED_NAMES
from bot.store import schema

_, url, killed_at = sys.argv

class LuaScript(schema.LuaScript):
    calls = 0

    async def __call__(self, *args, **kwargs):
        LuaScript.calls += 1
        if LuaScript.calls > int(killed_at):
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().__call__(*args, **kwargs)

schema.LuaScript = LuaScript

async def migrate():
    async with Redis.from_url(url, decode_responses=True) as redis:
        await schema.ensure_schema(redis, STORED_NAMES)

asyncio.run(migrate())
"""


async def migrate(store: Store, killed_at: int) -> int | None:
    """Migrate in a process of its own, which is killed after so many scripts; return its exit code."""
    arguments = (sys.executable, "-c", MIGRATE, store.url, str(killed_at))
    process = await asyncio.create_subprocess_exec(*arguments)
    return await process.wait()


@pytest.mark.heavy
async def test_a_migration_killed_again_and_again_loses_and_doubles_nothing(
    store: Store, redis: Redis
) -> None:
    await redis.set(SCHEMA, 2)
    for number in range(CHATS):
        older = {"client_id": f"o{number}", "account": "anonymous", "session_id": "older", **GUEST}
        newer = {"client_id": f"n{number}", "account": "anonymous", "session_id": "newer", **GUEST}
        await put(redis, f"-{number}:1", 10, {**older, "language": "en"})
        await put(redis, f"-{number}:2", 20, {**newer, "token": f"t{number}"})

    async def moved() -> int:
        async with redis.pipeline(transaction=False) as pipe:
            for number in range(CHATS):
                pipe.hexists(chat_key(f"-{number}"), "account_epoch")
            return sum(await pipe.execute())

    for killed_at in KILLED_AT:
        assert await migrate(store, killed_at) == -signal.SIGKILL
        assert await redis.get(SCHEMA) == "2"
        assert killed_at <= await moved() < CHATS
    assert await migrate(store, killed_at=10 * CHATS) == 0

    assert await redis.get(SCHEMA) == str(SCHEMA_VERSION)
    for number in range(CHATS):
        shared = await fields(redis, f"-{number}")
        epoch = shared.pop("account_epoch")
        assert shared == {"client_id": f"n{number}", **GUEST, "token": f"t{number}", "language": "en"}
        # The project of the account that stays is within reach; the other one's is told so.
        assert await fields(redis, f"-{number}:1") == {"account": "anonymous", "session_id": "older"}
        newer = {"account": "anonymous", "session_id": "newer", "project_epoch": epoch}
        assert await fields(redis, f"-{number}:2") == newer
