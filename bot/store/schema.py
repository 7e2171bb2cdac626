"""The version of the data in the store: the last ones are migrated, any other is refused instead of misread."""

import asyncio
import contextlib
import secrets
from collections import defaultdict
from collections.abc import Mapping

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.store.errors import StoreError
from bot.store.keys import CHAT, SCHEMA, chat_key
from bot.store.lua_script import LuaScript

SCHEMA_VERSION = 6
"""Raise it with every change to keys, fields or stored values that this release can't read.

Versions 5 and 6 gave a job's fields the names that they have in the code. Jobs of earlier versions can't be read: when
their turn comes they end, and their chat is asked to send them again.
"""

MIGRATED_VERSIONS = (2, 3, 4, 5)  # those that are migrated at start

WATCH_EVERY_S = 5.0


async def ensure_schema(redis: Redis, names: Mapping[str, str]) -> None:
    """Mark an empty store with this release's version, migrate one of the versions before, or check the version.

    Args:
        redis: The store; several processes may do this at once.
        names: The short names of chats' fields, by the whole ones that they had before version 4.

    Raises:
        StoreError: An older or a newer release wrote the store.
    """
    await redis.set(SCHEMA, SCHEMA_VERSION, nx=True)
    version = int(await redis.get(SCHEMA) or 0)
    if version in MIGRATED_VERSIONS:
        if version == MIGRATED_VERSIONS[0]:
            await _migrate_2_to_3(redis)
            await redis.set(SCHEMA, MIGRATED_VERSIONS[1])
        if version < MIGRATED_VERSIONS[2]:
            await _migrate_3_to_4(redis, names)
        await redis.set(SCHEMA, SCHEMA_VERSION)
        return
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise newer_store(version)
    raise StoreError(
        f"An earlier release wrote the store (version {version}, this release needs {SCHEMA_VERSION}): "
        "start with an empty store, or keep running that release"
    )


def newer_store(version: int) -> StoreError:
    """Return the error that a later release has migrated the store."""
    return StoreError(
        f"A later release wrote the store (version {version}, this release needs {SCHEMA_VERSION}): "
        "update the bot, or restore an earlier backup"
    )


async def watch_schema(redis: Redis) -> None:
    """Wait forever.

    Raises:
        StoreError: A later release has migrated the store, which processes of this one would misread.
    """
    while True:
        with contextlib.suppress(RedisError):
            if (version := int(await redis.get(SCHEMA) or 0)) > SCHEMA_VERSION:
                raise newer_store(version)
        # In real time: another process does it.
        await asyncio.sleep(WATCH_EVERY_S)


async def _migrate_2_to_3(redis: Redis) -> None:
    """From version 2 to 3: what each topic had of its own becomes its chat's account and settings.

    Each chat gets one account, the one that was used last; whoever starts again after a crash finds the rest.
    """
    topics: dict[str, list[str]] = defaultdict(list)
    async for name in redis.scan_iter(f"{CHAT}*", count=1000):
        chat_id, colon, _ = name[len(CHAT) + 1 : -1].partition(":")
        topics[chat_key(chat_id)] += [name] if colon else []
    share = LuaScript(redis, __package__, "share_account")
    for chat, names in topics.items():
        await share([chat, *names], epoch=secrets.token_hex(8))


async def _migrate_3_to_4(redis: Redis, names: Mapping[str, str]) -> None:
    """From version 3 to 4: fields of chats have short names; whoever starts again after a crash finds the rest."""
    shorten = LuaScript(redis, __package__, "shorten_names")
    async for name in redis.scan_iter(f"{CHAT}*", count=1000):
        await shorten([name], names=dict(names))
