from pathlib import Path

from bot.store import keys
from bot.store.connect import Store
from tests.telegram.running import ask, open_world


async def test_of_those_turned_away_only_the_answer_is_kept_and_not_for_long(
    tmp_path: Path, store: Store
) -> None:
    async with open_world(tmp_path, store) as world, world.bot(ALLOWED_USERS=(1,)):
        bo = await world.person("Bo")
        refused = await ask(bo, "a secret request of mine")
        assert "only open to certain people" in refused.text
        await bo.say("another one")

        kept = await world.kept(bo.id)
        prefixes = {key.split("{")[0] for key in kept}
        numbers = keys.LATEST_MESSAGES  # the message of the answer, by its number alone
        assert prefixes <= {keys.ACCESS_DENIED, keys.JOB, keys.UPDATE, keys.RUNNING, numbers}
        assert keys.ACCESS_DENIED in prefixes
        assert max(ttl for key, ttl in kept.items() if key.startswith(keys.JOB)) <= keys.BRIEF_JOB_TTL_S
        for key in kept:
            if await world.redis.type(key) == "hash":
                assert "secret" not in str(await world.redis.hgetall(key))
