"""From version 2 of the store to 3: what each topic had of its own becomes its chat's account and settings."""

import secrets
from collections import defaultdict

from redis.asyncio import Redis

from bot.store.keys import CHAT, chat_key
from bot.store.lua_script import LuaScript


async def migrate_2_to_3(redis: Redis) -> None:
    """Give each chat one account, the one that was used last; whoever starts again after a crash finds the rest.

    Args:
        redis: The store; several processes may do this at once.
    """
    topics: dict[str, list[str]] = defaultdict(list)
    async for name in redis.scan_iter(f"{CHAT}*", count=1000):
        chat_id, colon, _ = name[len(CHAT) + 1 : -1].partition(":")
        topics[chat_key(chat_id)] += [name] if colon else []
    share = LuaScript(redis, __package__, "share_account")
    for chat, names in topics.items():
        await share([chat, *names], epoch=secrets.token_hex(8))
