"""What is kept of a chat: everything ages out, and everything goes when it is to be forgotten."""

import asyncio
from pathlib import Path

from bot.store import keys
from bot.store.connect import Store
from tests.clocks import PATIENCE_S
from tests.telegram.running import World, ask, open_world

CHAT_TTL_S = 86_400 * 3


async def at_rest(world: World, chat_id: int) -> dict[str, int]:
    """The chat's keys when nothing of it runs or waits any more."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            kept = await world.kept(chat_id)
            if not any(key.startswith((keys.QUEUE, keys.RUNNING)) for key in kept):
                return kept
            await asyncio.sleep(0.05)


async def test_after_a_long_conversation_every_key_has_a_lifetime_and_can_be_erased(
    tmp_path: Path, store: Store
) -> None:
    async with open_world(tmp_path, store) as world, world.bot(CHAT_TTL_DAYS=3, DAILY_JOBS_PER_PERSON=90):
        ann = await world.person("Ann")
        await ann.say("make a 1 second video of a cat")
        await ann.chat.wait(kind="video")
        for text in (
            "/credits",
            "/status",
            "/settings",
            "/skill",
            "/link",
            "/new",
            "/help",
            "/nonsense",
            "/login",
        ):
            await ask(ann, text)
        settings = await ask(ann, "/language", "Choose a language")
        await ann.press(settings, "English")
        hold = await world.nemo.hold("message", "before")
        await ann.say("make a 1 second video of a dog")
        await world.nemo.reached(hold)
        for _ in range(3):
            waiting = await ask(ann, "another one", "in the queue")
        await ann.press(waiting, "Cancel")
        await ask(ann, "/cancel")
        await ask(ann, "/cancel")
        await ann.say("the last one")
        await world.nemo.release(hold)

        kept = await at_rest(world, ann.id)
        assert {key.partition("{")[0] for key in kept} >= {keys.CHAT, keys.RESULTS, keys.JOB, keys.UPDATE}
        longest_s = max(CHAT_TTL_S, keys.JOB_TTL_S)
        assert {key: ttl for key, ttl in kept.items() if not 0 < ttl <= longest_s} == {}
        assert kept[f"{keys.CHAT}{{{ann.id}}}"] <= CHAT_TTL_S

        sure = await ask(ann, "/forget", "Erase everything stored")
        await ann.press(sure, "Erase everything")
        await ann.chat.wait(matching="has been erased")
        kept = await at_rest(world, ann.id)
        assert {key.partition("{")[0] for key in kept} <= {
            *(keys.JOB, keys.UPDATE, keys.CHAT),
            keys.LATEST_MESSAGES,  # numbers alone, of the messages that told of the erasure
        }
        assert all(0 < ttl <= keys.BRIEF_JOB_TTL_S for key, ttl in kept.items() if key.startswith(keys.JOB))
        quotas = {key async for key in world.redis.scan_iter(f"{keys.QUOTA}*")}
        day = min(quotas).rpartition(":")[2]
        assert quotas == {keys.quota_key(scope, ann.id, day) for scope in ("person", "chat")}


async def test_what_was_erased_is_nowhere(tmp_path: Path, store: Store) -> None:
    async with open_world(tmp_path, store) as world, world.bot():
        ann = await world.person("Ann")
        await ann.say("make a 1 second video of a hippopotamus")
        await ann.chat.wait(kind="video")
        await at_rest(world, ann.id)
        sure = await ask(ann, "/forget", "Erase everything stored")
        await ann.press(sure, "Erase everything")
        await ann.chat.wait(matching="has been erased")
        await at_rest(world, ann.id)
        async for key in world.redis.scan_iter(f"{keys.NAMESPACE}*"):
            if await world.redis.type(key) == "hash" and not key.startswith(keys.DOCKET):
                assert "hippopotamus" not in str(await world.redis.hgetall(key)), key
        (session,) = await world.nemo.sessions()
        assert session.id not in str(await world.redis.hgetall(keys.chat_key(str(ann.id))))
